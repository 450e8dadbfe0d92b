// When a mirror's bell is armed, believed and given up; the contract stands in engine_bell.hpp.
#include "mirror/engine_bell.hpp"

#include "bell/refusal.hpp"
#include "bell/silence.hpp"

namespace kev::mirror {

void EngineBell::drop() {
  ring_.disarm();
  is_armed_ = is_lost_ = false;
  empty_ = 0;
}

bool EngineBell::is_usable() {
  if (!is_armed_) return false;
  if (ring_.is_open() && !is_lost_ && (!ring_.has_news() || ring_.collect()) && ring_.is_armed(bell_)) return true;
  drop();
  return false;
}

bool EngineBell::says_nothing() {
  if (!is_usable() || !ring_.is_silent(bell_)) return false;
  worth_.spares(1);
  return true;
}

void EngineBell::had_nothing(int epfd) {
  if (is_armed_) {
    if (!ring_.has_news()) ring_.hush();
    return;
  }
  if (++empty_ < bell::arm_after << worth_.patience() || bell::is_refused()) return;
  empty_ = 0;
  int bell = bell::arm_in(ring_, epfd);
  if (bell < 0) return;
  bell_ = static_cast<unsigned>(bell);
  is_armed_ = true;
  worth_.begin();
}

void EngineBell::had_something() {
  empty_ /= 2;
  if (is_armed_ && !worth_.costs(2)) drop();
}

void EngineBell::let_go() {
  if (!is_armed_) return;
  if (ring_.is_mine())
    drop();
  else
    is_lost_ = true;
}

}  // namespace kev::mirror
