// Each of the object's own system calls fails in turn, with each errno of faults.def: a program goes on as natively.
//
// A scenario is run once to see which calls the object makes in it. Then it is run again with a fault at the first call
// of a kind, at the second, ..., at the first and the last from each place in the object's code, and at every one. What
// it prints must be what it prints natively: results, events, descriptors that are left.
// For each kind of call one errno is tried at the first occurrence and at all at once, and of the other errnos and
// occurrences a sample, another in each run; with KEV_FAULTS=all they all are. KEV_FAULTS=list prints the calls.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>

#include "harness/programs.hpp"
#include "harness/run.hpp"
#include "harness/tracer.hpp"

using namespace faults;

namespace {

enum class How { refused, made, shown, once };

struct Row {
  const char* kind;
  How how;
  std::vector<int> errnos;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
#define KEV_FAULTS(kind, how, ...) {kind, How::how, {__VA_ARGS__}},
#include "faults.def"
#undef KEV_FAULTS
  };
  return table;
}

// Without an error to give.
bool is_infallible(const std::string& kind) {
  return kind == "getpid" || kind == "geteuid" || kind == "getppid" || kind == "sched_yield" ||
         kind == "rt_sigprocmask SETMASK" || kind == "rt_sigprocmask BLOCK";
}

// What loops repeat a call for; it comes to an end.
bool is_repeated(int error) { return error == EINTR || error == EAGAIN; }
constexpr unsigned kRepeats = 8;

struct Scenario {
  const char* program;
  const char* name;
  bool is_counted = false;
  const char* engine = "epoll";
};

std::string text_of(const Scenario& scenario) {
  return std::string(scenario.program) + "_" + scenario.name + (scenario.is_counted ? "_counted" : "");
}
void PrintTo(const Scenario& scenario, std::ostream* out) { *out << text_of(scenario); }

// Which calls fail: the n-th of the kind, the n-th from a place, or all.
struct Where {
  enum { kind, site, all } by;
  unsigned n = 0;
  uint64_t address = 0;
};

struct Failure {
  std::string kind;
  How how;
  int error;
  Where where;

  bool is_hit(const OwnCall& call, unsigned& repeats) const {
    if (call.kind != kind) return false;
    switch (where.by) {
      case Where::kind: return call.of_kind == where.n;
      case Where::site: return call.site == where.address && call.of_site == where.n;
      default: return !is_repeated(error) || ++repeats % (kRepeats + 1) != 0;
    }
  }
};

class InjectedTest : public ::testing::TestWithParam<Scenario> {
 protected:
  InjectedTest() : object_(preload_test::preload_object()) {
    program_.arguments = {faults::program(GetParam().program), GetParam().name};
    program_.environment = {"PATH=/usr/bin:/bin", "LD_PRELOAD=" + object_.path(),
                            std::string("KEV_ENGINE=") + GetParam().engine, "KEV_MIRROR_MIN=1", "KEV_PROMOTE_AFTER=1",
                            "KEV_BELL_AFTER=4"};
    if (GetParam().is_counted) program_.environment.push_back("KEV_STATS=stderr:" + counters_);
    native_ = preload_test::run({.arguments = program_.arguments}, preload_test::By::nothing);
  }
  ~InjectedTest() override { ::unlink(counters_.c_str()); }

  TracedRun run(const Failure* failure) const {
    ::unlink(counters_.c_str());
    Program program = program_;
    if (failure != nullptr && failure->how == How::shown)
      program.environment.push_back("KEV_FAULT_SHOWN=" + std::to_string(failure->error));
    unsigned repeats = 0;
    return trace(program, object_, [&](const OwnCall& call) -> Fault {
      if (failure == nullptr || !failure->is_hit(call, repeats)) return {};
      return {failure->error, failure->how == How::made};
    });
  }

  // What is wrong with a run, empty if nothing is.
  std::string difference(const TracedRun& run) const {
    if (!run.hang.empty()) return "it hangs:\n" + run.out + run.hang;
    if (run.status != native_.status) return "status " + std::to_string(run.status) + "\n" + run.out + run.err;
    if (run.out != native_.out) return "natively:\n" + native_.out + "with the fault:\n" + run.out + run.err;
    // The report, or why there is none.
    if (!GetParam().is_counted && run.err != native_.err) return "on stderr: " + run.err;
    return {};
  }

  void expect_survived(const Failure& failure) {
    const TracedRun traced = run(&failure);
    ++runs_;
    injected_ += traced.injected;
    without_ += traced.injected == 0;
    const std::string wrong = difference(traced);
    if (wrong.empty()) return;
    const Where& where = failure.where;
    const std::string place = where.by == Where::all    ? "every one"
                              : where.by == Where::kind ? "number " + std::to_string(where.n)
                                                        : "in " + object_.place(where.address);
    ADD_FAILURE() << text_of(GetParam()) << ": " << failure.kind << " fails with "
                  << ::strerrorname_np(failure.error) << ", " << place << "; " << wrong;
  }

  const std::string counters_ = "/tmp/kev-faults-" + std::to_string(::getpid()) + ".stats";
  Object object_;
  Program program_;
  preload_test::Outcome native_;
  unsigned runs_ = 0, injected_ = 0, without_ = 0;
};

// The occurrences of one kind that are tried, the most telling first.
std::vector<Where> occurrences(const std::vector<OwnCall>& calls, const std::string& kind, bool always_too) {
  constexpr unsigned kFirst = 4;
  std::vector<Where> list = {{Where::kind, 0}};
  if (always_too) list.push_back({Where::all});
  std::map<uint64_t, unsigned> last_of_site;
  unsigned count = 0;
  for (const OwnCall& call : calls) {
    if (call.kind != kind) continue;
    if (count > 0 && count < kFirst)
      list.push_back({Where::kind, count});
    else if (count > 0 && last_of_site.find(call.site) == last_of_site.end())
      list.push_back({Where::site, call.of_site, call.site});
    last_of_site[call.site] = call.of_site;
    ++count;
  }
  // The last from each place: the way out.
  for (const auto& [site, last] : last_of_site)
    if (count > kFirst && last > 0) list.push_back({Where::site, last, site});
  return list;
}

void print_calls(const std::string& title, const Object& object, const std::vector<OwnCall>& calls) {
  std::map<std::string, unsigned> places;
  for (const OwnCall& call : calls) ++places[call.kind + " in " + object.place(call.site)];
  for (const auto& [place, times] : places) printf("%s: %s, %u times\n", title.c_str(), place.c_str(), times);
}

}  // namespace

TEST_P(InjectedTest, IsSurvived) {
  constexpr unsigned kSample = 14;  // one in so many
  if (!can_trace()) GTEST_SKIP() << "no process may be traced here";
  ASSERT_EQ(native_.status, 0) << native_.err;
  const TracedRun counted = run(nullptr);
  ASSERT_EQ(difference(counted), "") << "without any fault";
  if (::getenv("KEV_FAULTS") != nullptr && ::strcmp(::getenv("KEV_FAULTS"), "list") == 0)
    return print_calls(text_of(GetParam()), object_, counted.calls);
  std::map<std::string, unsigned> kinds;
  for (const OwnCall& call : counted.calls) ++kinds[call.kind];
  unsigned errnos = 0, others = static_cast<unsigned>(::getpid());
  for (const Row& row : rows()) {
    if (kinds.find(row.kind) == kinds.end()) continue;
    const std::vector<Where> wheres = occurrences(counted.calls, row.kind, row.how != How::once);
    for (int error : row.errnos) {
      ++errnos;
      for (size_t i = 0; i < wheres.size(); ++i)
        if ((error == row.errnos[0] && i < 2) || takes_all() || ++others % kSample == 0)
          expect_survived({row.kind, row.how, error, wheres[i]});
    }
  }
  for (const Row& row : rows()) kinds.erase(row.kind);
  for (const auto& [kind, times] : kinds) EXPECT_TRUE(is_infallible(kind)) << kind << " is not in faults.def";
  printf("%s: %zu calls, %u errnos, %u runs, %u faults\n", text_of(GetParam()).c_str(), counted.calls.size(), errnos,
         runs_, injected_);
  // A fault that comes first may keep the later ones away, time may as well; most runs have theirs.
  EXPECT_LT(without_ * 4, runs_);
}

INSTANTIATE_TEST_SUITE_P(, InjectedTest,
                         ::testing::Values(Scenario{"waits", "polls"}, Scenario{"waits", "selects"},
                                           Scenario{"waits", "signals"}, Scenario{"waits", "doorbells", false, "auto"},
                                           Scenario{"descriptors", "reused"},
                                           Scenario{"descriptors", "far_numbers"}, Scenario{"descriptors", "run_out"},
                                           Scenario{"threads", "cancelled"}, Scenario{"threads", "cancelled_elsewhere"},
                                           Scenario{"threads", "at_the_limit"},
                                           Scenario{"processes", "forked"}, Scenario{"processes", "executed"},
                                           Scenario{"processes", "filtered"}, Scenario{"processes", "outlived", true},
                                           Scenario{"processes", "list", true}),
                         [](const auto& scenario) { return text_of(scenario.param); });
