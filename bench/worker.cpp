// The worker's loop; the protocol stands in worker.hpp.
#include "worker.hpp"

#include <cstdlib>
#include <cstring>
#include <cstdio>
#include <exception>
#include <link.h>
#include <sys/resource.h>
#include <unistd.h>

namespace kev::bench {

namespace {

int look_for_object(dl_phdr_info* info, size_t, void*) {
  return info->dlpi_name != nullptr && strstr(info->dlpi_name, "libkev-preload") != nullptr;
}

void raise_descriptor_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max < 20'000 ? limit.rlim_max : 20'000;
  setrlimit(RLIMIT_NOFILE, &limit);
}

bool read_line(char* line, int size) {
  if (fgets(line, size, stdin) == nullptr) return false;
  line[strcspn(line, "\n")] = '\0';
  return true;
}

void answer(const char* text) {
  printf("%s\n", text);
  fflush(stdout);
}

void serve(const Case& which) {
  std::unique_ptr<Fixture> fixture = which.make();
  answer(is_preloaded() ? "1" : "0");
  for (char line[64]; read_line(line, sizeof line);) {
    Stopwatch watch(which.clock);
    fixture->run(strtoull(line, nullptr, 10), watch);
    answer(std::to_string(watch.ns()).c_str());
  }
}

}  // namespace

bool is_preloaded() { return dl_iterate_phdr(look_for_object, nullptr) != 0; }

int work(const Cases& cases) {
  raise_descriptor_limit();
  close_range(3, ~0u, 0);  // what was inherited would stand in the way of chosen numbers
  char name[256];
  if (!read_line(name, sizeof name)) return 1;
  try {
    for (const Case& which : cases.all())
      if (which.name == name) serve(which);
  } catch (const std::exception& error) {
    answer(error.what());
    return 1;
  }
  return 0;
}

}  // namespace kev::bench
