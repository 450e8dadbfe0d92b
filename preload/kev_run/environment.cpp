// Copying the environment, and judging the settings in it.
#include "environment.hpp"

namespace kev::run {

namespace {

bool is_named(const std::string& entry, std::string_view name) {
  return entry.size() > name.size() && entry[name.size()] == '=' && entry.compare(0, name.size(), name) == 0;
}

std::string known_names() {
  std::string names;
  for (const config::Entry& entry : config::entries()) names.append(names.empty() ? "" : ", ").append(entry.name);
  return names;
}

// from_environment() reports through a plain function: it runs in the preload object, too.
Findings* collecting = nullptr;

void collect(const config::Complaint& complaint) {
  std::string name(complaint.name, complaint.name_length);
  if (complaint.allowed == nullptr)
    collecting->unknown_names.push_back(name + " is no setting and is ignored; known are " + known_names());
  else
    collecting->bad_values.push_back(name + "=" + complaint.value + " is not one of " + complaint.allowed);
}

}  // namespace

Environment::Environment(char* const* envp) {
  for (; *envp != nullptr; ++envp) entries_.emplace_back(*envp);
}

const std::string* Environment::find(std::string_view name) const {
  for (const std::string& entry : entries_)
    if (is_named(entry, name)) return &entry;
  return nullptr;
}

std::string Environment::get(std::string_view name) const {
  const std::string* entry = find(name);
  return entry != nullptr ? entry->substr(name.size() + 1) : "";
}

void Environment::set(std::string_view name, std::string_view value) {
  std::string entry = std::string(name) + "=" + std::string(value);
  // In its place, and once: getenv takes the first of two, ld.so the last.
  bool placed = false;
  std::vector<std::string> kept;
  for (std::string& old : entries_) {
    if (!is_named(old, name)) kept.push_back(std::move(old));
    else if (!placed) kept.push_back(entry), placed = true;
  }
  if (!placed) kept.push_back(entry);
  entries_ = std::move(kept);
}

void Environment::unset(std::string_view name) {
  std::erase_if(entries_, [&](const std::string& entry) { return is_named(entry, name); });
}

std::vector<char*> Environment::pointers() {
  std::vector<char*> out;
  for (std::string& entry : entries_) out.push_back(entry.data());
  out.push_back(nullptr);
  return out;
}

Findings check_settings(char* const* envp) {
  Findings findings;
  collecting = &findings;
  config::from_environment(envp, collect);
  collecting = nullptr;
  return findings;
}

}  // namespace kev::run
