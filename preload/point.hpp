// The program's own system call as a cancellation point that loses nothing.
//
// point(SYS_read, fd, buffer, size) returns what read() returns: a value, or -1 with errno. The arguments are the
// kernel's. Where the core must not make the call, because another interposer stands behind the family, the shim is
// switched off or has not begun, it is made by the definition behind ours: `if (!has_points(Family::io)) return ...`.
#pragma once

#include <cerrno>
#include <csignal>
#include <type_traits>

#include "cancel/stub.hpp"
#include "preload/shim.hpp"

namespace kev::preload {

template <typename T>
long word(T value) {
  if constexpr (std::is_pointer_v<T> || std::is_null_pointer_v<T>)
    return reinterpret_cast<long>(value);
  else
    return static_cast<long>(value);
}
inline long word(std::nullptr_t) { return 0; }

// The same with the kernel's result: a value, or -errno.
template <typename... Word>
long raw_point(long number, Word... arguments) {
  static_assert(sizeof...(Word) <= 6);
  long words[6] = {word(arguments)...};
  return kev_syscall_cp(words[0], words[1], words[2], words[3], words[4], words[5], number, 0);
}

// What a libc function returns for the kernel's result.
inline long result_of(long result) {
  if (static_cast<unsigned long>(result) > -4096ul) [[unlikely]]
    return fail(static_cast<int>(-result));
  return result;
}

template <typename... Word>
long point(long number, Word... arguments) {
  return result_of(raw_point(number, arguments...));
}

// Whether the calls of `family` are made here.
inline bool has_points(Family family) { return shim.points[static_cast<unsigned>(family)]; }

}  // namespace kev::preload

// Beside the stub, for the sake of the processor's tables.
#define KEV_HOT [[gnu::section(".text.hot.kev")]]

// The functions that are one system call: KEV_POINT(symbol, family, result, (parameters), (arguments), (kernel's
// words)).
#define KEV_POINT(symbol, family, result, parameters, arguments, words)               \
  extern "C" KEV_HOT result kev_##symbol parameters {                                 \
    if (!kev::preload::has_points(kev::preload::Family::family)) [[unlikely]]         \
      return kev::preload::behind<&kev::preload::Next::symbol> arguments;                                   \
    return static_cast<result>(kev::preload::point words);                            \
  }
// Another name of a function.
#define KEV_ALIAS(symbol, result, parameters, other) \
  extern "C" KEV_HOT result kev_##symbol parameters { return other; }
