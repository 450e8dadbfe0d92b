// The preload object's file: where its stub lies, and which function an address is in.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace faults {

class Object {
 public:
  // Reads the symbols of the file, which must not be stripped.
  explicit Object(const std::string& path);

  const std::string& path() const { return path_; }
  // The address of a symbol in the file, 0 if there is none.
  uint64_t address(const std::string& symbol) const;
  // "function+0x12" for an address in the file.
  std::string place(uint64_t address) const;

  // Whether an address in the file lies in its code.
  bool has_code_at(uint64_t address) const { return address < end_; }

  // Where the kernel says that the system call of the cancellation points was made.
  uint64_t stub_return() const { return stub_return_; }

 private:
  std::string path_;
  std::map<uint64_t, std::string> functions_;  // by address
  std::map<std::string, uint64_t> symbols_;
  uint64_t stub_return_ = 0, end_ = 0;
};

// A C++ symbol as one would write it, without parameters.
std::string plain_name(const std::string& symbol);

}  // namespace faults
