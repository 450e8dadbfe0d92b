// The environment of a child that cannot take the object: its LD_PRELOAD without it. Lines are the environment.
#include "input.hpp"
#include "preload/child.hpp"

using namespace kev::preload;

namespace {

constexpr char kVariable[] = "LD_PRELOAD=";

bool is_object(const std::string& entry) {
  size_t slash = entry.rfind('/');
  return entry.substr(slash == std::string::npos ? 0 : slash + 1) == "libkev-preload.so";
}

// The entries of an LD_PRELOAD value without the object, in order.
std::vector<std::string> others_of(const std::string& value, bool& has_object) {
  std::vector<std::string> out;
  std::string entry;
  for (char c : value + ":") {
    if (c != ':' && c != ' ') {
      entry += c;
      continue;
    }
    if (is_object(entry)) has_object = true;
    else if (!entry.empty()) out.push_back(entry);
    entry.clear();
  }
  return out;
}

std::vector<std::string> expected_of(const std::vector<std::string>& lines) {
  std::vector<std::string> out;
  for (const std::string& line : lines) {
    if (line.rfind(kVariable, 0) != 0) {
      out.push_back(line);
      continue;
    }
    bool has_object = false;
    std::string value;
    for (const std::string& entry : others_of(line.substr(sizeof kVariable - 1), has_object))
      value += (value.empty() ? "" : ":") + entry;
    if (!value.empty()) out.push_back(kVariable + value);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> lines = fuzz::Input(data, size).lines();
  fuzz::Environ memory(lines);
  HOLDS(count_entries(memory.get()) == lines.size());
  // Exactly the memory that the callers have.
  std::vector<char*> out(lines.size() + 1);
  auto* text = static_cast<char*>(std::malloc(preload_value_size(memory.get())));
  without_object(memory.get(), out.data(), text);
  std::vector<std::string> got;
  for (char* const* at = out.data(); *at != nullptr; ++at) got.emplace_back(*at);
  HOLDS(got == expected_of(lines));

  // What is unknown is dropped if it is named in the first of them, which is the one that counts.
  bool named = false;
  for (const std::string& line : lines)
    if (line.rfind(kVariable, 0) == 0) {
      others_of(line.substr(sizeof kVariable - 1), named);
      break;
    }
  HOLDS(must_drop_object({kUnknownExecutable, nullptr}, memory.get()) == named || size > 4096);
  std::free(text);
  return 0;
}
