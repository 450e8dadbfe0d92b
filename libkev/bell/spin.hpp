// Whether watching a bell before a sleep pays for a set: half of the spins must end with an event, and the thread must not
// lose its processor over them.
#pragma once

#include <cstdint>

namespace kev::bell {

// How long a wait watches memory before it sleeps; 0: not at all (KEV_SPIN_USEC). Set once.
inline constinit int64_t spin_ns = 0;

class Spin {
 public:
  bool is_on() const { return rest_ == 0; }
  // A wait that is not spun: the next window begins after enough of them.
  void skip() {
    if (rest_ > 0) --rest_;
  }
  // After a spin. `switches`: how often this thread has lost its processor so far, asked for at a window's end.
  template <typename Switches>
  void ended(bool hit, Switches switches) {
    hits_ += hit;
    if (++spins_ < kWindow) return;
    long now = switches();
    bool pays = hits_ * 2 >= kWindow && (last_switches_ < 0 || now - last_switches_ <= kWindow / 8);
    last_switches_ = now;
    spins_ = hits_ = 0;
    if (pays) {
      patience_ = kFirstPatience;
    } else {
      rest_ = patience_;
      last_switches_ = -1;
      if (patience_ < kMostPatience) patience_ *= 2;
    }
  }

 private:
  static constexpr unsigned kWindow = 64, kFirstPatience = 256, kMostPatience = 65536;

  unsigned spins_ = 0, hits_ = 0;
  unsigned rest_ = 0;  // waits to go until it is tried again
  unsigned patience_ = kFirstPatience;
  long last_switches_ = -1;
};

}  // namespace kev::bell
