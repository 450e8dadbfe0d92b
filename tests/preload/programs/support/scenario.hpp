// A helper program is a set of scenarios; its first argument names the one to run.
//
// A scenario prints on stdout what must be the same with and without the preload object. What must hold in any case is
// a CHECK: it says on stderr what does not hold and ends the process with status 1.
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                                                      \
  do {                                                                                                        \
    if (!(condition)) {                                                                                       \
      const int seen = errno;                                                                                 \
      ::dprintf(2, "%s:%d: %s does not hold (errno %d)\n", ::strrchr("/" __FILE__, '/') + 1, __LINE__, #condition, \
                seen);                                                                                        \
      ::_exit(1);                                                                                             \
    }                                                                                                         \
  } while (0)

namespace scenario {

struct Entry {
  const char* name;
  void (*body)(char** arguments);
  Entry* next;

  static Entry*& first() {
    static Entry* list = nullptr;
    return list;
  }
  Entry(const char* entry_name, void (*entry_body)(char**)) : name(entry_name), body(entry_body), next(first()) {
    first() = this;
  }
};

[[gnu::format(printf, 1, 2)]] inline void say(const char* format, ...) {
  va_list list;
  va_start(list, format);
  ::vdprintf(1, format, list);
  va_end(list);
}

}  // namespace scenario

#define SCENARIO(name)                                                       \
  static void scenario_##name([[maybe_unused]] char** arguments);            \
  static ::scenario::Entry entry_##name(#name, scenario_##name);             \
  static void scenario_##name([[maybe_unused]] char** arguments)

#define SCENARIO_MAIN                                                        \
  int main(int count, char** command) {                                      \
    for (auto* e = ::scenario::Entry::first(); count > 1 && e; e = e->next)  \
      if (::strcmp(e->name, command[1]) == 0) {                              \
        e->body(command + 2);                                                \
        return 0;                                                            \
      }                                                                      \
    ::dprintf(2, "no such scenario\n");                                      \
    return 2;                                                                \
  }
