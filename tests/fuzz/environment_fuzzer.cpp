// kev-run's copy of the environment: entries, an empty line, and then changes of it, NAME=VALUE to set and NAME to
// unset.
#include "preload/kev_run/environment.hpp"

#include "input.hpp"

namespace {

using Entries = std::vector<std::string>;

bool is_named(const std::string& entry, const std::string& name) { return entry.rfind(name + "=", 0) == 0; }

Entries entries_of(kev::run::Environment& environment) {
  Entries out;
  std::vector<char*> pointers = environment.pointers();
  HOLDS(!pointers.empty() && pointers.back() == nullptr);
  for (size_t i = 0; i + 1 < pointers.size(); ++i) {
    HOLDS(pointers[i] != nullptr);
    out.emplace_back(pointers[i]);
  }
  return out;
}

Entries without(const Entries& entries, const std::string& name) {
  Entries out;
  for (const std::string& entry : entries)
    if (!is_named(entry, name)) out.push_back(entry);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  Entries given;
  for (std::string line = input.line(); !line.empty(); line = input.line()) given.push_back(line);
  fuzz::Environ memory(given);
  kev::run::Environment environment(memory.get());
  HOLDS(entries_of(environment) == given);
  kev::run::check_settings(memory.get());

  for (const std::string& change : input.lines()) {
    Entries before = entries_of(environment);
    size_t equals = change.find('=');
    std::string name = change.substr(0, equals);
    if (name.empty()) continue;
    if (equals == std::string::npos) {
      environment.unset(name);
      HOLDS(!environment.has(name) && environment.get(name).empty());
      HOLDS(entries_of(environment) == without(before, name));
      continue;
    }
    std::string value = change.substr(equals + 1);
    environment.set(name, value);
    HOLDS(environment.find(name) != nullptr && *environment.find(name) == change);
    HOLDS(environment.get(name) == value);
    Entries after = entries_of(environment);
    // Once, in the first one's place, and nothing else is touched.
    HOLDS(without(after, name) == without(before, name));
    HOLDS(after.size() == without(after, name).size() + 1);
    size_t place = 0;
    while (place < before.size() && !is_named(before[place], name)) ++place;
    HOLDS(place == before.size() ? after.back() == change : after[place] == change);
  }
  return 0;
}
