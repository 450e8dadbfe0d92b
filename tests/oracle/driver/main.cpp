// oracle: executes random sequences of operations natively and under the shim, and reports every difference.
//
// oracle --world=PROGRAM --preload=OBJECT [--engine=E] [--seed=N] [--seconds=S | --operations=N | --sequences=N]
//        [--found=FOLDER] [--failures=N] [--share=PERCENT] [--quick] [--unsteady] [--print]
//
// Exit status: 0 no difference; 1 differences or hangs; 3 none, but the core answered too few of the waits.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <getopt.h>
#include <unistd.h>

#include "generate.hpp"
#include "print.hpp"
#include "share.hpp"
#include "shrink.hpp"

namespace {

using namespace oracle;

struct Options {
  std::string world, preload, engine = "epoll", found;
  uint64_t seed = 0;
  double seconds = 1e9;
  uint64_t operations = UINT64_MAX, sequences = UINT64_MAX;
  int share = 50;     // per cent of the waits that the core must answer
  int failures = 3;   // differences to look into before giving up
  bool print = false;
  bool unsteady = false;  // show these, too
  bool quick = false;  // no shrinking: the first difference ends the run
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void usage() {
  fprintf(stderr,
          "usage: oracle --world=PROGRAM --preload=OBJECT [--engine=auto|epoll] [--seed=N]\n"
          "              [--seconds=S] [--operations=N] [--sequences=N] [--found=FOLDER] [--failures=N]\n"
          "              [--share=PERCENT] [--quick] [--unsteady] [--print]\n");
  exit(2);
}

Options parse(int argc, char** argv) {
  Options options;
  options.seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) & 0xffffffffff;
  const option names[] = {{"world", 1, nullptr, 'w'},      {"preload", 1, nullptr, 'p'},  {"engine", 1, nullptr, 'e'},
                          {"seed", 1, nullptr, 's'},       {"seconds", 1, nullptr, 't'},  {"operations", 1, nullptr, 'o'},
                          {"sequences", 1, nullptr, 'n'},  {"found", 1, nullptr, 'f'},    {"print", 0, nullptr, 'P'},
                          {"failures", 1, nullptr, 'F'},   {"share", 1, nullptr, 'S'},   {"quick", 0, nullptr, 'q'}, {"unsteady", 0, nullptr, 'u'},    {}};
  for (int c; (c = getopt_long(argc, argv, "", names, nullptr)) != -1;) switch (c) {
      case 'w': options.world = optarg; break;
      case 'p': options.preload = optarg; break;
      case 'e': options.engine = optarg; break;
      case 's': options.seed = strtoull(optarg, nullptr, 0); break;
      case 't': options.seconds = strtod(optarg, nullptr); break;
      case 'o': options.operations = strtoull(optarg, nullptr, 0); break;
      case 'n': options.sequences = strtoull(optarg, nullptr, 0); break;
      case 'f': options.found = optarg; break;
      case 'S': options.share = atoi(optarg); break;
      case 'F': options.failures = atoi(optarg); break;
      case 'P': options.print = true; break;
      case 'u': options.unsteady = true; break;
      case 'q': options.quick = true; break;
      default: usage();
    }
  if (options.world.empty() || options.preload.empty() || optind != argc) usage();
  return options;
}

struct Totals {
  uint64_t sequences = 0, operations = 0;
  unsigned different = 0, hung = 0, once = 0, unsteady = 0;
};

void progress(const Totals& totals, double elapsed, const char* end) {
  fprintf(stderr, "%llu sequences, %llu operations, %.0f/s, %u differences, %u hangs, %u seen once, %u unsteady%s",
          static_cast<unsigned long long>(totals.sequences), static_cast<unsigned long long>(totals.operations),
          static_cast<double>(totals.operations) / elapsed, totals.different, totals.hung, totals.once, totals.unsteady, end);
}

// Counted calls take another way than those that nobody counts, which are most programs'.
bool is_counted(uint64_t seed) { return seed % 4 != 0; }

void report(const Options& options, Judge& judge, const Sequence& sequence, const Difference& first, uint64_t seed,
            bool again) {
  std::string origin = "seed " + std::to_string(seed) + ", KEV_ENGINE=" + options.engine + (is_counted(seed) ? ", counted" : "");
  Difference difference = first;
  Sequence small = sequence;
  if (again && !options.quick) {
    constexpr double kPatience = 120;  // a hang takes its time at each try
    double until = now() + kPatience;
    small = shrink(sequence, [&](const Sequence& candidate) { return now() < until && judge.differs(candidate); }, 1500);
    for (int i = 0; i < 8; ++i)
      if (auto last = judge.run(small)) {
        difference = *last;
        break;
      }
  }
  std::string text = program(small, difference, origin + (again ? "" : ", seen once"));
  printf("%s\n", text.c_str());
  fflush(stdout);
  if (!options.found.empty()) std::ofstream(options.found + "/seed_" + std::to_string(seed) + ".c") << text;
}

int run(const Options& options) {
  Share share;
  WorldOptions native = {options.world, {}};
  WorldOptions kev = {options.world,
                      {"LD_PRELOAD=" + options.preload, "KEV_ENGINE=" + options.engine, "KEV_MIRROR_MIN=1",
                       "KEV_PROMOTE_AFTER=1", "KEV_BELL_AFTER=1"}};
  Judge uncounted(native, kev);
  kev.environment.push_back("KEV_STATS=" + share.path());
  Judge counted(native, kev);
  Totals totals;
  double began = now(), told = began;
  bool terminal = isatty(2);
  for (uint64_t i = 0; i < options.sequences && totals.operations < options.operations &&
                       now() - began < options.seconds && totals.different + totals.hung < static_cast<unsigned>(options.failures);
       ++i) {
    uint64_t seed = options.seed + i;
    Judge& judge = is_counted(seed) ? counted : uncounted;
    Sequence sequence = generate(seed);
    std::optional<Difference> difference;
    Verdict verdict = judge.judge(sequence, difference);
    ++totals.sequences;
    totals.operations += sequence.ops.size();
    if (options.print && !difference) difference = Difference{};
    if (verdict == Verdict::different) ++(difference->kev_trace.hung ? totals.hung : totals.different);
    if (verdict == Verdict::once) ++totals.once;
    if (verdict == Verdict::unsteady) ++totals.unsteady;
    if (verdict == Verdict::different || verdict == Verdict::once || options.print || (options.unsteady && verdict == Verdict::unsteady))
      report(options, judge, sequence, *difference, seed, verdict == Verdict::different);
    if (terminal ? now() - told > 1 : now() - told > 60) {
      told = now();
      progress(totals, told - began, terminal ? "   \r" : "\n");
    }
  }
  progress(totals, now() - began, "\n");
  share.print();
  return totals.different + totals.hung != 0 ? 1 : share.is_enough(options.share) ? 0 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  Options options = parse(argc, argv);
  try {
    printf("oracle: engine %s, first seed %llu\n", options.engine.c_str(), static_cast<unsigned long long>(options.seed));
    fflush(stdout);
    return run(options);
  } catch (const std::exception& error) {
    fprintf(stderr, "oracle: %s\n", error.what());
    return 2;
  }
}
