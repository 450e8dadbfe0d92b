// A moment of another length each time, far below a time slice, for threads that are to meet everywhere.
#pragma once

namespace test_support {

class Jitter {
 public:
  void pass(unsigned most) {
    state_ = state_ * 1664525u + 1013904223u;
    for (volatile unsigned i = (state_ >> 8) % most; i > 0;) i = i - 1;
  }

 private:
  unsigned state_ = 12345;
};

}  // namespace test_support
