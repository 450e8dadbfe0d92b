// Reading KEV_PROBED. No allocation, any context.
#include "config/probed.hpp"

#include <cstring>

namespace kev::config {

bool probed(const char* value, unsigned filters, const char* name) {
  if (value == nullptr || *value < '0' || *value > '9') return false;
  unsigned long long count = 0;
  for (; *value >= '0' && *value <= '9'; ++value) {
    count = count * 10 + static_cast<unsigned>(*value - '0');
    if (count > 0xffffffffull) return false;
  }
  if (*value != ':' || count != filters) return false;
  unsigned long length = std::strlen(name);
  if (length == 0 || std::strchr(name, ',') != nullptr) return false;
  for (const char* at = value + 1;;) {
    const char* end = std::strchr(at, ',');
    unsigned long here = end != nullptr ? static_cast<unsigned long>(end - at) : std::strlen(at);
    if (here == length && std::memcmp(at, name, length) == 0) return true;
    if (end == nullptr) return false;
    at = end + 1;
  }
}

}  // namespace kev::config
