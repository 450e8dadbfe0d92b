// What the statistics say about a run, taken from the report's JSON.
#pragma once

#include <string>

namespace preload_test {

class Report {
 public:
  Report() = default;
  explicit Report(std::string json) : json_(std::move(json)) {}

  bool empty() const { return json_.empty(); }
  const std::string& json() const { return json_; }

  // One figure of one call in the total of all processes; -1 if it is not there.
  long figure(const std::string& call, const std::string& counter) const;
  long fallback(const std::string& reason) const;
  // Calls that the core answered, all kinds together.
  long by_core() const;
  // How many processes the report lists.
  int processes() const;
  // A text of the first process: "state", "note".
  std::string first(const std::string& key) const;

 private:
  long number_after(const std::string& key, size_t from) const;
  std::string json_;
};

}  // namespace preload_test
