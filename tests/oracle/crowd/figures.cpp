#include "figures.hpp"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <sys/mman.h>

#include "../world/raw.h"

namespace crowd {

Figures* figures;
uint64_t round_seed;

void attach_figures(int fd) {
  void* at = mmap(nullptr, sizeof(Figures), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  figures = at == MAP_FAILED ? nullptr : static_cast<Figures*>(at);
}

int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

void pause_us(unsigned us) {
  timespec left = {us / 1'000'000, us % 1'000'000 * 1000};
  while (raw(SYS_nanosleep, &left, &left) == -EINTR) continue;
}

void end_player(int status) {
  raw(SYS_exit_group, status);
  __builtin_unreachable();
}

void fail(const char* format, ...) {
  char text[512];
  int length = snprintf(text, sizeof text, "crowd: seed %llu: ", static_cast<unsigned long long>(round_seed));
  va_list arguments;
  va_start(arguments, format);
  length += vsnprintf(text + length, sizeof text - static_cast<size_t>(length) - 1, format, arguments);
  va_end(arguments);
  if (length > static_cast<int>(sizeof text) - 2) length = sizeof text - 2;
  text[length] = '\n';
  raw(SYS_write, 2, text, length + 1);
  if (++figures->failures >= 5) end_player(1);
}

}  // namespace crowd
