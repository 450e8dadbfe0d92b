// A fuzzer's bytes, taken piece by piece, and how a fuzzer says that something is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace fuzz {

[[noreturn]] inline void fail(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  std::abort();
}

// An invariant; unlike assert() in every build.
#define HOLDS(condition) ((condition) ? void() : fuzz::fail(#condition, __FILE__, __LINE__))

class Input {
 public:
  Input(const uint8_t* data, size_t size) : at_(data), left_(size) {}

  bool is_empty() const { return left_ == 0; }
  uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *at_++;
  }
  uint16_t word() {
    uint16_t low = byte();
    return static_cast<uint16_t>(low | byte() << 8);
  }
  // Up to `most` bytes.
  std::string bytes(size_t most) {
    size_t size = most < left_ ? most : left_;
    std::string out(reinterpret_cast<const char*>(at_), size);
    at_ += size;
    left_ -= size;
    return out;
  }
  // Up to the next line's end or NUL, which is dropped: seeds can be written by hand.
  std::string line() {
    std::string out;
    while (left_ > 0) {
      char c = static_cast<char>(byte());
      if (c == '\n' || c == '\0') break;
      out += c;
    }
    return out;
  }
  std::vector<std::string> lines() {
    std::vector<std::string> out;
    while (!is_empty()) out.push_back(line());
    return out;
  }
  std::string rest() { return bytes(left_); }

 private:
  const uint8_t* at_;
  size_t left_;
};

// An environment for C functions: pointers into memory of exactly the texts' size, so that a read beyond is seen.
class Environ {
 public:
  explicit Environ(const std::vector<std::string>& entries) {
    for (const std::string& entry : entries) {
      auto* text = static_cast<char*>(std::malloc(entry.size() + 1));
      std::memcpy(text, entry.c_str(), entry.size() + 1);
      pointers_.push_back(text);
    }
    pointers_.push_back(nullptr);
    pointers_.shrink_to_fit();
  }
  ~Environ() {
    for (char* text : pointers_) std::free(text);
  }
  Environ(const Environ&) = delete;
  Environ& operator=(const Environ&) = delete;

  char* const* get() const { return pointers_.data(); }

 private:
  std::vector<char*> pointers_;
};

}  // namespace fuzz
