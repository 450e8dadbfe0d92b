// Random numbers from a seed, which a signal handler may ask for as well.
#pragma once

#include <cstdint>

namespace crowd {

class Random {
 public:
  Random() = default;
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x1234567) {}
  // 0 .. n - 1
  unsigned below(unsigned n) {
    state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
    return n == 0 ? 0 : static_cast<unsigned>(state_ >> 20) % n;
  }
  unsigned between(unsigned low, unsigned high) { return low + below(high - low + 1); }
  bool one_in(unsigned n) { return below(n) == 0; }

 private:
  uint64_t state_ = 1;
};

}  // namespace crowd
