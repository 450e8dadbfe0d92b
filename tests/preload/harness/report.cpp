// Picks figures out of the report's JSON, whose keys come in a fixed order.
#include "harness/report.hpp"

#include <cstdlib>

namespace preload_test {

long Report::number_after(const std::string& key, size_t from) const {
  if (from == std::string::npos) return -1;
  const std::string quoted = "\"" + key + "\":";
  const size_t at = json_.find(quoted, from);
  return at == std::string::npos ? -1 : std::strtol(json_.c_str() + at + quoted.size(), nullptr, 10);
}

long Report::figure(const std::string& call, const std::string& counter) const {
  const size_t total = json_.find("\"total\":");
  if (total == std::string::npos) return -1;
  return number_after(counter, json_.find("\"" + call + "\":{", total));
}

long Report::fallback(const std::string& reason) const {
  const size_t total = json_.find("\"total\":");
  if (total == std::string::npos) return -1;
  return number_after(reason, json_.find("\"fallbacks\":", total));
}

long Report::by_core() const {
  long sum = 0;
  for (const char* call : {"poll", "ppoll", "select", "pselect"}) {
    const long one = figure(call, "core");
    if (one < 0) return -1;
    sum += one;
  }
  return sum;
}

int Report::processes() const {
  int count = 0;
  for (size_t at = 0; (at = json_.find("\"pid\":", at)) != std::string::npos; ++at) ++count;
  return count;
}

std::string Report::first(const std::string& key) const {
  const std::string quoted = "\"" + key + "\":\"";
  const size_t at = json_.find(quoted);
  if (at == std::string::npos) return {};
  const size_t begin = at + quoted.size();
  return json_.substr(begin, json_.find('"', begin) - begin);
}

}  // namespace preload_test
