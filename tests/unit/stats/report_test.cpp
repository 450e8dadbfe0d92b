// The report: what each kind of run is told, that the verdict is one line, and that the JSON is JSON.
//
// Works on counters filled by hand, in a file image in memory.
#include "stats/report.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "stats/page.hpp"
#include "stats/writer.hpp"

namespace kev::stats {
namespace {

class Report : public ::testing::Test {
 protected:
  void SetUp() override {
    image_ = std::make_unique<Image>();
    std::memset(static_cast<void*>(image_.get()), 0, sizeof *image_);
    header().poll_base_ps = 300'000;
    header().poll_descriptor_ps = 30'000;
    header().core_entry_ps = 200'000;
  }

  struct alignas(4096) Image {
    char bytes[kFileBytes];
  };
  Header& header() { return *reinterpret_cast<Header*>(image_->bytes); }

  // A process of the next slot. The test's own pid counts as running.
  Slot& process(const char* command, unsigned pid, unsigned parent = 0, State state = State::active) {
    unsigned index = header().used.fetch_add(1);
    Slot& s = const_cast<Slot&>(*slot_at(&header(), index));
    s.pid = pid;
    s.parent = parent;
    s.state = state;
    std::strncpy(s.command, command, sizeof s.command);
    return s;
  }

  static void count(Slot& s, Call call, Counter counter, uint64_t n) {
    s.counters[static_cast<unsigned>(call)][static_cast<unsigned>(counter)] += n;
  }
  static void count(Slot& s, Fallback reason, uint64_t n) { s.fallbacks[static_cast<unsigned>(reason)] += n; }

  std::string text(unsigned pid = 0) { return write(pid, config::StatsFormat::text); }
  std::string json(unsigned pid = 0) { return write(pid, config::StatsFormat::json); }
  std::string write(unsigned pid, config::StatsFormat format) {
    std::string out;
    write_report(
        &header(), pid, format,
        [](void* to, const char* piece, unsigned length) { static_cast<std::string*>(to)->append(piece, length); },
        &out);
    return out;
  }

  // What stands behind the report's one "verdict: ".
  std::string verdict(unsigned pid = 0) {
    std::string all = text(pid);
    size_t at = all.find("\nverdict: ");
    EXPECT_NE(at, std::string::npos);
    EXPECT_EQ(all.find("\nverdict: ", at + 1), std::string::npos) << all;
    std::string last = all.substr(at + 10);
    EXPECT_EQ(last.find('\n'), last.size() - 1) << "the verdict is the last line";
    return last.substr(0, last.size() - 1);
  }

  std::unique_ptr<Image> image_;
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Asks Python whether `text` is JSON for which `expression` (over `j`) holds.
bool json_holds(const std::string& text, const std::string& expression) {
  int ends[2];
  if (::pipe(ends) != 0) return false;
  pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[0], 0);
    ::close(ends[1]);
    std::string program = "import json, sys\nj = json.loads(sys.stdin.buffer.read().decode('utf-8'))\nsys.exit(0 if (" +
                          expression + ") else 1)";
    ::execl("/usr/bin/python3", "python3", "-I", "-c", program.c_str(), nullptr);
    ::execlp("python3", "python3", "-I", "-c", program.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(ends[0]);
  bool written = ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(ends[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return written && status == 0;
}

TEST_F(Report, ShowsEachCallsFigures) {
  Slot& s = process("server", static_cast<unsigned>(::getpid()));
  count(s, Call::poll, Counter::calls, 1001);
  count(s, Call::poll, Counter::core, 902);
  count(s, Call::poll, Counter::memory, 53);
  count(s, Call::poll, Counter::entries, 1204);
  count(s, Call::poll, Counter::events, 605);
  count(s, Call::poll, Counter::empty, 76);
  count(s, Call::poll, Counter::sleep_ns, 1'234'567'890);
  count(s, Fallback::kind, 99);
  std::string report = text();
  size_t row = report.find("\n  poll ");
  ASSERT_NE(row, std::string::npos) << report;
  std::string line = report.substr(row + 1, report.find('\n', row + 1) - row - 1);
  size_t at = 0;
  for (const char* figure : {" 1001", " 902", " 53", " 1204", " 605", " 76", " 1.23 s"}) {
    at = line.find(figure, at);
    ASSERT_NE(at, std::string::npos) << figure << " in " << line;
  }
  EXPECT_FALSE(contains(report, "\n  select ")) << "calls that were not made have no row";
  EXPECT_TRUE(contains(report, "99  holds a descriptor that only the kernel may poll")) << report;
  EXPECT_TRUE(contains(report, "(server): active; running for"));
  EXPECT_FALSE(contains(report, "total of"));
}

TEST_F(Report, ForkedChildrenStandAloneAndInTheTotal) {
  Slot& parent = process("master", static_cast<unsigned>(::getpid()));
  Slot& child = process("worker", 999'999'999, static_cast<unsigned>(::getpid()));
  Slot& ended = process("helper", 999'999'998);
  ended.started_ns = 1'000'000'000;
  ended.ended_ns = 3'500'000'000;
  ended.ended = 1;
  count(parent, Call::poll, Counter::calls, 10);
  count(child, Call::poll, Counter::calls, 20);
  std::string report = text();
  EXPECT_TRUE(contains(report, "process 999999999 (worker), forked by " + std::to_string(::getpid()) +
                                   ": active; ended without exit handlers"))
      << report;
  EXPECT_TRUE(contains(report, "process 999999998 (helper): active; ended after 2.50 s\n  no calls")) << report;
  size_t total = report.find("total of 3 processes");
  ASSERT_NE(total, std::string::npos);
  EXPECT_TRUE(contains(report.substr(total), " 30 ")) << report;
}

TEST_F(Report, OfOnePidIsOfThatPidAlone) {
  Slot& one = process("one", 999'999'001);
  Slot& two = process("two", 999'999'002);
  count(one, Call::poll, Counter::calls, 10);
  count(two, Call::select, Counter::calls, 20);
  std::string report = text(999'999'002);
  EXPECT_TRUE(contains(report, "(two)"));
  EXPECT_FALSE(contains(report, "(one)"));
  EXPECT_FALSE(contains(report, "\n  poll "));
  EXPECT_FALSE(contains(report, "total of"));
  EXPECT_EQ(verdict(999'999'003), "nothing gained: no process was counted");
}

TEST_F(Report, IdleChildrenOfAScriptAreSummedUp) {
  for (unsigned i = 0; i < 30; ++i) process("sh", 999'990'000 + i);
  Slot& busy = process("server", 999'999'999);
  count(busy, Call::poll, Counter::calls, 1);
  process("off", 999'999'998, 0, State::off);
  std::string report = text();
  EXPECT_TRUE(contains(report, "22 further processes without calls")) << report;
  EXPECT_TRUE(contains(report, "(server)"));
  EXPECT_TRUE(contains(report, "(off): engine off"));
  EXPECT_TRUE(contains(report, "total of 32 processes"));
}

TEST_F(Report, EstimatesWhatWasSaved) {
  Slot& s = process("server", 1);
  count(s, Call::poll, Counter::calls, 1'000'010);
  count(s, Call::poll, Counter::core, 1'000'000);
  count(s, Call::poll, Counter::core_descriptors, 1'000'000'000);
  count(s, Call::poll, Counter::entries, 2'000'010);
  // Native: 1e6 * (0.3 us + 1000 * 0.03 us) = 30.3 s; the core's two entries of 0.2 us each: 0.4 s.
  EXPECT_TRUE(contains(verdict(), "about 29.90 s of CPU time saved (estimate")) << verdict();
  // A verification costs as much as a native poll: 1000 * 30.3 us less what the core's entry would have.
  count(s, Fallback::verify, 1000);
  EXPECT_TRUE(json_holds(json(), "abs(j['estimated_cpu_saved_ns'] - 29869900000) < 1000000")) << json();
}

TEST_F(Report, SaysWhenTheCoreGainedNothing) {
  Slot& s = process("server", 1);
  count(s, Call::poll, Counter::calls, 100);
  count(s, Call::poll, Counter::core, 100);
  count(s, Call::poll, Counter::core_descriptors, 100);
  count(s, Call::poll, Counter::entries, 300);
  EXPECT_TRUE(contains(verdict(), "nothing gained")) << verdict();
  EXPECT_TRUE(json_holds(json(), "j['estimated_cpu_saved_ns'] == -27000")) << json();
  header().core_entry_ps = 0;
  EXPECT_TRUE(contains(verdict(), "unknown: costs were not calibrated")) << verdict();
  EXPECT_TRUE(json_holds(json(), "j['estimated_cpu_saved_ns'] is None"));
}

TEST_F(Report, SaysWhyNothingWasGained) {
  EXPECT_EQ(verdict(), "nothing gained: no process was counted");
  Slot& s = process("program", 1);
  EXPECT_TRUE(contains(verdict(), "no libc waits seen: the program makes raw system calls")) << verdict();
  count(s, Call::epoll_ctl, Counter::calls, 5);
  EXPECT_TRUE(contains(verdict(), "no libc waits seen")) << "registering is not waiting";
  count(s, Call::epoll_wait, Counter::calls, 5);
  EXPECT_TRUE(contains(verdict(), "all waits are on epoll sets, which stay with the kernel")) << verdict();
  count(s, Call::poll, Counter::calls, 7);
  count(s, Fallback::small, 4);
  count(s, Fallback::kind, 3);
  EXPECT_TRUE(contains(verdict(), "array below KEV_MIRROR_MIN")) << verdict();
}

TEST_F(Report, SaysWhyTheShimIsNotActive) {
  Slot& s = process("program", 1, 0, State::off);
  EXPECT_TRUE(contains(verdict(), "engine off")) << verdict();
  s.state = State::seccomp;
  EXPECT_TRUE(contains(verdict(), "seccomp filter")) << verdict();
  s.state = State::foreign;
  std::strcpy(s.note, "poll: /usr/lib/libfake.so");
  EXPECT_EQ(verdict(), "nothing gained: not active: another interposer (poll: /usr/lib/libfake.so)");
  EXPECT_TRUE(contains(text(), "(program): not active: another interposer (poll: /usr/lib/libfake.so);")) << text();
}

TEST_F(Report, JsonHoldsTheSameFigures) {
  Slot& s = process("server", 999'999'999, 42);
  count(s, Call::epoll_pwait2, Counter::empty, ~0ull);
  count(s, Call::poll, Counter::sleep_ns, 17);
  count(s, Fallback::nested, 3);
  s.kernel_bytes = 198;
  std::string report = json();
  EXPECT_TRUE(json_holds(report, "len(j['processes']) == 1 and j['processes'][0]['pid'] == 999999999")) << report;
  EXPECT_TRUE(json_holds(report, "j['processes'][0]['parent'] == 42 and j['processes'][0]['command'] == 'server'"));
  EXPECT_TRUE(json_holds(report, "j['processes'][0]['state'] == 'active' and j['processes'][0]['life'] == 'gone'"));
  EXPECT_TRUE(json_holds(report, "j['total']['calls']['epoll_pwait2']['empty'] == 2**64 - 1"));
  EXPECT_TRUE(json_holds(report, "j['processes'][0]['calls']['poll']['sleep_ns'] == 17"));
  EXPECT_TRUE(json_holds(report, "j['total']['fallbacks']['nested'] == 3 and j['total']['kernel_bytes'] == 198"));
  EXPECT_TRUE(json_holds(report, "j['verdict'].startswith('nothing gained: no libc waits seen')"));
  EXPECT_FALSE(json_holds(report, "False")) << "the judge itself can say no";
}

TEST_F(Report, NamesFromOutsideBreakNeitherForm) {
  process("a\"b\\c\n\x01\x7f\xff\xc3\xa9\xed\xa0\x80", 999'999'999);
  Slot& full = process("", 999'999'998, 0, State::foreign);
  std::memset(full.command, 'x', sizeof full.command);  // a file whose texts have no end
  std::memset(full.note, 'y', sizeof full.note);
  EXPECT_TRUE(
      json_holds(json(), "j['processes'][0]['command'] == 'a\"b\\\\c\\n\\x01\\x7f\\ufffd\\xe9\\ufffd\\ufffd\\ufffd'"))
      << json();
  EXPECT_TRUE(
      json_holds(json(), "j['processes'][1]['command'] == 'x' * 63 and j['processes'][1]['note'] == 'y' * 191"));
  EXPECT_TRUE(contains(text(), "(a\"b\\c???\xff\xc3\xa9")) << text();
  full.state = static_cast<State>(77);
  EXPECT_TRUE(json_holds(json(), "j['processes'][1]['state'] == 'unknown'"));
}

TEST(Writer, WritesDurationsThatCanBeRead) {
  auto duration = [](uint64_t ns) {
    std::string out;
    {
      Writer writer([](void* to, const char* piece, unsigned n) { static_cast<std::string*>(to)->append(piece, n); },
                    &out);
      writer.duration(ns);
    }
    return out;
  };
  EXPECT_EQ(duration(0), "0");
  EXPECT_EQ(duration(999), "999 ns");
  EXPECT_EQ(duration(1000), "1.00 us");
  EXPECT_EQ(duration(1'050'000), "1.05 ms");
  EXPECT_EQ(duration(61'990'000'000), "61.99 s");
  EXPECT_EQ(duration(~0ull), "18446744073.70 s");
}

}  // namespace
}  // namespace kev::stats
