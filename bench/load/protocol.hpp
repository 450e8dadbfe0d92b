// What kev-load says and how it knows the end of an answer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kev::load {

struct Protocol {
  const char* name;
  std::string first;    // what the first connection of all sends before its first request; empty: nothing
  std::string request;  // what each request is
  // The length of the answer that `bytes` begin with, 0 while it is not all there.
  size_t (*length)(std::string_view bytes);
};

// Throws std::invalid_argument if the name is none of: memcached, http, echo.
Protocol find_protocol(std::string_view name);

}  // namespace kev::load
