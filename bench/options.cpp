// The command line; see kHelp.
#include "options.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <getopt.h>
#include <sched.h>

namespace kev::bench {

namespace {

constexpr char kHelp[] =
    R"(Usage: kev-bench [options]
Measures calls native and preloaded, in turn, in one run: the median of the ratios, and the limits that hold for them.

  --filter=REGEX    only cases whose name matches
  --list            name the cases and end
  --rounds=N        pairs of slices per case (60)
  --slice=MS        length of a slice (10)
  --processes=N     pairs of worker processes that share the rounds (6): each has its own layout of memory
  --cpu=N           processor to run on (the highest that may be used)
  --object=PATH     preload object (../preload/libkev-preload.so from here)
  --kev-run=PATH    kev-run (beside the object)
  --stats           a third worker that counts (KEV_STATS): what counting costs
  --same            native against native: what noise alone makes of it
  --json            one JSON object per case instead of the table
  --help

Cases of memory/ measure bytes, once in each pair of processes.
ratio and difference: kev to native, the median of the pairs, with its 95 % interval.
ok: the interval meets the limit. ok?, over?: the median does, or does not, and the interval holds the limit. OVER.
)";

[[noreturn]] void refuse(const char* option, const char* value) {
  fprintf(stderr, "kev-bench: --%s: not a number of its range: %s\n", option, value);
  exit(2);
}

unsigned number(const char* option, const char* value, unsigned minimum) {
  char* end;
  unsigned long result = strtoul(value, &end, 10);
  if (*value < '0' || *value > '9' || *end != '\0' || result < minimum || result > 1'000'000) refuse(option, value);
  return static_cast<unsigned>(result);
}

int highest_cpu() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) < 0) return 0;
  for (int cpu = CPU_SETSIZE - 1; cpu > 0; --cpu)
    if (CPU_ISSET(cpu, &set)) return cpu;
  return 0;
}

}  // namespace

std::string own_path() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

Options parse(int argc, char** argv) {
  enum : int { filter = 1, list, rounds, slice, processes, cpu, object, kev_run, stats, same, json, worker, help };
  const option known[] = {
      {"filter", required_argument, nullptr, filter},   {"list", no_argument, nullptr, list},
      {"rounds", required_argument, nullptr, rounds},   {"slice", required_argument, nullptr, slice},
      {"processes", required_argument, nullptr, processes}, {"cpu", required_argument, nullptr, cpu},
      {"object", required_argument, nullptr, object},   {"kev-run", required_argument, nullptr, kev_run},
      {"stats", no_argument, nullptr, stats},           {"same", no_argument, nullptr, same},
      {"json", no_argument, nullptr, json},             {"worker", no_argument, nullptr, worker},
      {"help", no_argument, nullptr, help},             {nullptr, 0, nullptr, 0},
  };
  Options options;
  for (int choice; (choice = getopt_long(argc, argv, "", known, nullptr)) != -1;) switch (choice) {
      case filter: options.filter = optarg; break;
      case list: options.list = true; break;
      case rounds: options.rounds = number("rounds", optarg, 1); break;
      case slice: options.slice_ms = number("slice", optarg, 1); break;
      case processes: options.processes = number("processes", optarg, 1); break;
      case cpu: options.cpu = static_cast<int>(number("cpu", optarg, 0)); break;
      case object: options.object = optarg; break;
      case kev_run: options.kev_run = optarg; break;
      case stats: options.stats = true; break;
      case same: options.same = true; break;
      case json: options.json = true; break;
      case worker: options.worker = true; break;
      case help: fputs(kHelp, stdout); exit(0);
      default: fputs("kev-bench: see --help\n", stderr); exit(2);
    }
  if (optind < argc) {
    fprintf(stderr, "kev-bench: takes no argument: %s\n", argv[optind]);
    exit(2);
  }
  if (options.cpu < 0) options.cpu = highest_cpu();
  if (options.processes > options.rounds) options.processes = options.rounds;
  auto beside = std::filesystem::path(own_path()).parent_path().parent_path() / "preload";
  if (options.object.empty()) options.object = (beside / "libkev-preload.so").string();
  if (options.kev_run.empty())
    options.kev_run = (std::filesystem::path(options.object).parent_path() / "kev-run").string();
  return options;
}

}  // namespace kev::bench
