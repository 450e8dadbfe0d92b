// A sequence of operations, and the random numbers from which one is made.
#pragma once

#include <cstdint>
#include <vector>

extern "C" {
#include "../op.h"
}

namespace oracle {

struct Sequence {
  std::vector<Op> ops;
  bool by_clone = false;  // its process is made by a clone system call that libc does not see
};

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators): a seed is a sequence, on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  int below(int limit) { return static_cast<int>(next() % static_cast<uint64_t>(limit)); }
  int between(int low, int high) { return low + below(high - low + 1); }
  bool one_in(int n) { return below(n) == 0; }
  bool percent(int p) { return below(100) < p; }

 private:
  uint64_t state_;
};

}  // namespace oracle
