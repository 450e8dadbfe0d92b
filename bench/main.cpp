// kev-bench: what libc calls cost native and with the preload object, side by side.
//
// The parent keeps one worker process per side, all on one processor, and asks them in turn for short slices of one
// case; see options.cpp for the options, *_cases.cpp for the cases, measure.cpp for the method.
#include <cstdio>
#include <csignal>
#include <exception>
#include <regex>
#include <sched.h>

#include "measure.hpp"
#include "report.hpp"
#include "worker.hpp"

using namespace kev::bench;

namespace {

Cases all_cases() {
  Cases cases;
  add_poll_cases(cases);
  add_select_cases(cases);
  add_epoll_cases(cases);
  add_descriptor_cases(cases);
  add_cancel_cases(cases);
  add_thread_cases(cases);
  add_memory_cases(cases);
  add_process_cases(cases);
  add_native_post_cases(cases);
  add_native_timer_cases(cases);
  add_native_socket_cases(cases);
  add_ring_cases(cases);
  return cases;
}

bool run_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

// Returns how many cases failed.
int run(const Cases& cases, const Options& options) {
  std::regex filter(options.filter, std::regex::extended);
  int failures = 0;
  if (!options.list) print_head(options);
  for (const Case& which : cases.all()) {
    if (!options.filter.empty() && !std::regex_search(which.name, filter)) continue;
    if (options.list) {
      puts(which.name.c_str());
      continue;
    }
    try {
      print(which, measure(which, options), options);
    } catch (const std::exception& error) {
      fprintf(stderr, "kev-bench: %s: %s\n", which.name.c_str(), error.what());
      ++failures;
    }
  }
  return failures;
}

}  // namespace

int main(int argc, char** argv) {
  Options options = parse(argc, argv);
  Cases cases = all_cases();
  if (options.worker) return work(cases);
  signal(SIGPIPE, SIG_IGN);  // a worker that is gone is found when its answer is read
  // Workers inherit it.
  if (!run_on(options.cpu)) {
    perror("kev-bench: cannot run on that processor");
    return 2;
  }
  try {
    return run(cases, options) == 0 ? 0 : 1;
  } catch (const std::regex_error&) {
    fprintf(stderr, "kev-bench: not a regular expression: %s\n", options.filter.c_str());
    return 2;
  }
}
