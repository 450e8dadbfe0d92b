// System calls by the stub, and the same by the bare instruction, with arguments of any type.
#pragma once

#include <arch_syscall.hpp>
#include <type_traits>

#include "cancel/stub.hpp"

namespace unit {

template <typename T>
long word([[maybe_unused]] T value) {
  if constexpr (std::is_null_pointer_v<T>)
    return 0;
  else if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<long>(value);
  else
    return static_cast<long>(value);
}

// `how` as in stub.hpp: what is to be done on a request, and which requests were looked at.
template <typename... Argument>
long by_stub_how(unsigned long how, long number, Argument... arguments) {
  const long words[6] = {word(arguments)...};
  return kev_syscall_cp(words[0], words[1], words[2], words[3], words[4], words[5], number, how);
}

template <typename... Argument>
long by_stub(long number, Argument... arguments) {
  return by_stub_how(0, number, arguments...);
}

template <typename... Argument>
long by_kernel(long number, Argument... arguments) {
  return kev::arch::syscall(number, word(arguments)...);
}

}  // namespace unit
