// KEV_PROBED: a line with the name asked for, one with the number of filters, and the value.
#include "config/probed.hpp"

#include <sstream>

#include "input.hpp"

namespace {

// The format, read by other means.
bool vouches(const std::string& value, unsigned filters, const std::string& name) {
  size_t colon = value.find(':');
  if (colon == std::string::npos || colon == 0 || name.empty() || name.find(',') != std::string::npos) return false;
  std::string count = value.substr(0, colon);
  if (count.find_first_not_of("0123456789") != std::string::npos) return false;
  count.erase(0, count.find_first_not_of('0'));
  if (count != (filters == 0 ? "" : std::to_string(filters))) return false;
  return ("," + value.substr(colon + 1) + ",").find("," + name + ",") != std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  std::string name = input.line();
  unsigned filters = static_cast<unsigned>(std::strtoul(input.line().c_str(), nullptr, 10));
  fuzz::Environ memory({name, input.line()});
  const char* value = memory.get()[1];
  HOLDS(kev::config::probed(value, filters, memory.get()[0]) == vouches(value, filters, name));
  HOLDS(!kev::config::probed(nullptr, filters, memory.get()[0]));
  for (const char* probe : kev::config::kProbes)
    HOLDS(kev::config::probed(value, filters, probe) == vouches(value, filters, probe));
  return 0;
}
