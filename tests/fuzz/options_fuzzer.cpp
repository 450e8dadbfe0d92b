// The KEV_* variables: lines of NAME=VALUE, read as an environment and one by one.
#include "config/options.hpp"

#include "input.hpp"

using namespace kev::config;

namespace {

// What the table allows, read by other means than the parser's.
bool is_allowed(const Entry& entry, const std::string& value) {
  switch (entry.kind) {
    case Kind::string: return true;
    case Kind::toggle: return value == "0" || value == "1";
    case Kind::choice: return value.find('|') == std::string::npos &&
                              ("|" + std::string(entry.allowed) + "|").find("|" + value + "|") != std::string::npos;
    case Kind::number: break;
  }
  if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos) return false;
  size_t digits = value.find_first_not_of('0');
  if (digits != std::string::npos && value.size() - digits > 18) return false;
  std::string allowed = entry.allowed;
  unsigned long long number = std::stoull(value);
  return number >= std::stoull(allowed) && number <= std::stoull(allowed.substr(allowed.find("..") + 2));
}

const Entry* entry_of(const std::string& name) {
  for (const Entry& entry : entries())
    if (name == entry.name) return &entry;
  return nullptr;
}

bool same(const Options& a, const Options& b) {
  return a.engine == b.engine && a.stats == b.stats && a.stats_format == b.stats_format && a.verbose == b.verbose &&
         a.mirror_min == b.mirror_min && a.promote_after == b.promote_after && a.verify_usec == b.verify_usec && a.bell_after == b.bell_after && a.spin_usec == b.spin_usec;
}

void expect_in_range(const Options& options) {
  HOLDS(options.engine <= Engine::off && options.stats_format <= StatsFormat::json);
  HOLDS(options.mirror_min >= 1 && options.mirror_min <= 1048576);
  HOLDS(options.promote_after >= 1 && options.promote_after <= 1000000);
  HOLDS(options.verify_usec >= 1 && options.verify_usec <= 10000000);
}

unsigned complaints;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> lines = fuzz::Input(data, size).lines();
  fuzz::Environ environment(lines);
  complaints = 0;
  Options whole = from_environment(environment.get(), [](const Complaint& complaint) {
    ++complaints;
    HOLDS(complaint.name_length == 0 || complaint.name[complaint.name_length - 1] != '\0');
    HOLDS(complaint.value == complaint.name + complaint.name_length + 1);
  });
  expect_in_range(whole);

  // The same one by one.
  Options options;
  unsigned refused = 0;
  for (char* const* at = environment.get(); *at != nullptr; ++at) {
    std::string line = *at;
    size_t equals = line.find('=');
    if (line.rfind("KEV_", 0) != 0 || equals == std::string::npos) continue;
    std::string name = line.substr(0, equals), value = line.substr(equals + 1);
    if (name == "KEV_PROBED" || name == "KEV_OBJECT") continue;
    const Entry* entry = entry_of(name);
    Options before = options;
    Complaint complaint = {};
    bool accepted = set(options, name.c_str(), static_cast<unsigned>(name.size()), *at + equals + 1, complaint);
    HOLDS(accepted == (entry != nullptr && is_allowed(*entry, value)));
    HOLDS(accepted || same(options, before));
    HOLDS(accepted || (complaint.allowed == nullptr) == (entry == nullptr));
    refused += !accepted;
  }
  HOLDS(refused == complaints);
  HOLDS(same(options, whole));
  return 0;
}
