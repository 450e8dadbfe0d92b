// An array mirror's waits.
//
// One poll() over the direct list answers unless the engine has something too: then it is asked, and what it reports is
// confirmed by another. If something watched was ready lately, the engine is asked first, and both lists by one poll().
//
// What poll() has said of a direct descriptor is part of the answer from then on: there are descriptors whose poll
// consumes what it says. So a wait that has such a result is not left to the program's own call any more; where that
// call is needed it is made here, without sleeping, and the result is added to it (by_own_look).
#include <cerrno>

#include "cancel/sleep.hpp"
#include "cancel/stub.hpp"
#include "mirror/array_mirror.hpp"
#include "mirror/tuning.hpp"
#include "os/poll.hpp"
#include "wait/sleeper.hpp"

namespace kev::mirror {

using stats::Fallback;
using wait::Deadline;
using wait::WaitSet;

namespace {

constexpr uint8_t kAskEngineFirst = 2, kMostReports = 3;
constexpr uint8_t kSleepAtOnce = 4, kMostSleepy = 7;
constexpr uint8_t kLongSleeps = 2;

// A look without a mask that a handler interrupted. It may as well have run before the wait began: the look is made again,
// by the sleep or by the program's own call.
constexpr int kAgain = -EAGAIN;

int look(pollfd* list, unsigned count, const sigset_t* mask) {
  int found = os::poll_now(list, count, mask);
  return found == -EINTR && mask == nullptr ? kAgain : found;
}

// What a harvest may come to besides a count. Gone: the set is, or it has events of files that are no longer there, which
// will not end.
constexpr int kNothing = 0, kOverflow = -1, kWoken = -2, kGone = -3;

}  // namespace

// The verification period. By cost, verifying a large array is to take a few per cent of the time at most.
int64_t ArrayMirror::period() const {
  constexpr int64_t kTimesItsCost = 32, kLongest = 20;
  int64_t wanted = tuning.choose_by_cost ? kTimesItsCost * verification_cost_ns_ : 0;
  if (wanted > kLongest * tuning.verify_ns) wanted = kLongest * tuning.verify_ns;
  return wanted > tuning.verify_ns ? wanted : tuning.verify_ns;
}

// Whether the last verification is older than the period, or is not to be trusted: setns() into a time namespace has
// put the clock back.
bool ArrayMirror::is_due(int64_t now) const {
  return watched_ > 0 && (now - verified_ns_ >= period() || now < verified_ns_);
}

// The kernel is asked of the whole array, but not of what has left it: when that comes back it is looked at anew.
void ArrayMirror::verified_at(int64_t now) {
  verified_ns_ = now;
  if (orphans_ == 0) return;
  set_.for_each([](Interest& interest) {
    if (interest.first == 0 && !place::is_direct(interest)) interest.place |= place::kUnverified;
  });
}

int64_t ArrayMirror::rest_of_period(int64_t now) const {
  return watched_ > 0 ? verified_ns_ + period() - now : INT64_MAX;
}

// Whether a wait that may sleep begins with a look. If it sleeps anyway, the look is a system call too many; if it does
// not, the look saves the two that a sleep needs for its signals.
bool ArrayMirror::looks_first() { return sleepy_ < kSleepAtOnce || calls_ % 8 == 0; }

// A fork in a handler, or a jump out of the frame that comes back after all: what is watched is silent.
bool ArrayMirror::has_lost_engine() const { return engine_.descriptor() < 0; }

// Makes the direct list ready to be polled. How long it is.
unsigned ArrayMirror::list_size() {
  direct_.all()[0] = {engine_.descriptor(), POLLIN, 0};  // closed by now if the record was abandoned
  return direct_.size() + 1;
}

Answer ArrayMirror::wait(pollfd* fds, unsigned count, const Deadline& deadline, const sigset_t* mask,
                         wait::SignalGate& gate) {
  bool may_sleep = !deadline.is_now();
  int64_t now = os::clock_ns(CLOCK_MONOTONIC);
  if (may_sleep && watched_ > 0 && long_sleeps_ >= kLongSleeps) {
    verified_at(now);
    return finish(Fallback::long_sleep);
  }
  if (is_due(now)) {
    Answer answer;
    if (verify(fds, count, now, may_sleep ? nullptr : mask, answer)) return answer;
  }
  // poll() writes every revents also when a handler interrupts it, and before that handler runs: what the handler
  // writes stays.
  clear(fds, count);
  Answer answer;
  bool only_engine = direct_.is_empty() && !may_sleep && mask == nullptr;
  if (watched_ > 0 && (only_engine || watched_reports_ >= kAskEngineFirst)) {
    bool is_silent = only_engine && bell_.says_nothing();
    if (!is_silent && ask_engine_first(fds, count, mask, only_engine, answer)) return answer;
    if (only_engine) return nothing(fds, count, deadline);
  }
  if (may_sleep && mask == nullptr && looks_first()) {
    int found = look(direct_.all(), list_size(), nullptr);
    bool is_ready = found != kAgain && conclude(found, fds, count, nullptr, answer);
    sleepy_ = static_cast<uint8_t>(is_ready ? (sleepy_ > 1 ? sleepy_ - 2 : 0) : sleepy_ < kMostSleepy ? sleepy_ + 1 : sleepy_);
    if (is_ready) return answer;
  }
  if (may_sleep) return sleep(fds, count, deadline, mask, gate);
  for (;;) {
    int found = look(direct_.all(), list_size(), mask);
    if (conclude(found, fds, count, mask, answer)) return answer;
    if (found == 0) return nothing(fds, count, deadline);
    // The engine's event has kept a pending signal that the mask lets in from being delivered, and was none.
  }
}

// Asks the kernel of the whole array. False: nothing is ready.
bool ArrayMirror::verify(pollfd* fds, unsigned count, int64_t begin, const sigset_t* mask, Answer& answer) {
  stats::add(Fallback::verify);
  int ready = look(fds, count, mask);
  // Not when it has ended: a thread that lost its processor in between would take it for fresher than it is.
  verified_at(begin);
  constexpr int kSmooth = 8;
  verification_cost_ns_ += (os::clock_ns(CLOCK_MONOTONIC) - begin - verification_cost_ns_) / kSmooth;
  if (ready == 0) return false;
  if (ready > 0) compare_with_kernel(fds, count);
  if (ready == kAgain)
    answer = finish(Fallback::verify);
  else
    answer = ready > 0 || ready == -EINTR ? done(ready) : finish(Fallback::argument);
  return true;
}

// Precondition: the program's revents are cleared.
Answer ArrayMirror::sleep(pollfd* fds, unsigned count, const Deadline& deadline, const sigset_t* mask,
                          wait::SignalGate& gate) {
  gate.close();
  for (;;) {
    // Also if the deadline has passed meanwhile: a pending signal that the mask lets in is delivered here.
    int64_t rest = rest_of_period(os::clock_ns(CLOCK_MONOTONIC));
    Deadline until = deadline.at_most(rest > 0 ? rest : 0);
    unsigned size = list_size();
    if (has_lost_engine() || (holder_ != nullptr && !wait::falls_asleep(*holder_))) return finish(Fallback::revoked);
    int found = cancel::sleep(direct_.all(), size, until, gate.mask(mask));
    if (holder_ != nullptr && !wait::wakes_up(*holder_)) return taken(found, fds, count);
    if (found == 0) return nothing(fds, count, deadline);
    // What woke the sleeper may be gone again: then it goes on sleeping, as poll() would.
    Answer answer;
    if (!conclude(found, fds, count, mask, answer)) continue;
    long_sleeps_ = 0;
    return answer;
  }
}

// The engine was taken during the sleep: what is said of its number is of another file.
Answer ArrayMirror::taken(int found, pollfd* fds, unsigned count) {
  if (found == -EINTR) return done(-EINTR);
  if (found > (direct_.all()[0].revents != 0 ? 1 : 0)) return by_own_look(fds, count);
  return finish(Fallback::revoked);
}

// Nothing was there until the deadline, or for a period.
Answer ArrayMirror::nothing(pollfd* fds, unsigned count, const Deadline& deadline) {
  if (has_lost_engine()) return finish(Fallback::revoked);
  int64_t now = os::clock_ns(CLOCK_MONOTONIC);
  bool passed = deadline.passed();
  if (passed && !is_due(now)) {
    clear(fds, count);
    return done(0);
  }
  verified_at(now);
  if (passed) return finish(Fallback::verify);
  if (long_sleeps_ < kLongSleeps) ++long_sleeps_;
  return finish(Fallback::long_sleep);
}

// poll() over the direct list returned `found`. False: nothing stands.
bool ArrayMirror::conclude(int found, pollfd* fds, unsigned count, const sigset_t* mask, Answer& answer) {
  if (found == 0) return false;
  if (found < 0) {
    // The thread is to be cancelled, which must not happen in here; the program's own call is where it does.
    if (found == -EINTR)
      answer = done(-EINTR);
    else if (found == kAgain)
      answer = finish(Fallback::unconfirmed);
    else
      answer = finish(found == cancel::kCancelled ? Fallback::cancelled : Fallback::argument);
    return true;
  }
  bool engine_has = direct_.all()[0].revents != 0;
  int by_direct = found - engine_has;
  if (!engine_has) {
    if (watched_reports_ > 0) --watched_reports_;
    answer = has_lost_engine() ? by_own_look(fds, count) : done(scatter(fds, count, 0));
    return true;
  }
  if (watched_reports_ < kMostReports) ++watched_reports_;
  int reported = harvest(/*may_ring=*/false);
  if (reported == kNothing) {
    if (by_direct == 0) return false;
    answer = done(scatter(fds, count, 0));
    return true;
  }
  Fallback reason = reported == kOverflow ? Fallback::mostly_ready : Fallback::revoked;
  if (reported > 0) {
    // With the program's own mask, which may not be readable.
    pollfd* list = direct_.behind();
    int confirmed = look(list, static_cast<unsigned>(reported), by_direct > 0 ? nullptr : mask);
    if (confirmed == -EINTR && by_direct == 0) {
      answer = done(-EINTR);
      return true;
    }
    if (confirmed >= 0) {
      int ready = scatter(fds, count, reported);
      learn(list, reported);
      if (ready > 0) {
        answer = done(ready);
        return true;
      }
    }
    reason = confirmed == -EFAULT ? Fallback::argument : Fallback::unconfirmed;
  }
  answer = by_direct > 0 ? by_own_look(fds, count) : finish(reason);
  return true;
}

// Asks the engine, and then poll() of what it reports and of the direct list at once. False: the engine has nothing.
bool ArrayMirror::ask_engine_first(pollfd* fds, unsigned count, const sigset_t* mask, bool only_engine, Answer& answer) {
  int reported = harvest(/*may_ring=*/only_engine);
  if (reported == kNothing) {
    if (watched_reports_ > 0) --watched_reports_;
    return false;
  }
  if (watched_reports_ < kMostReports) ++watched_reports_;
  if (reported < 0) {
    answer = finish(reported == kOverflow ? Fallback::mostly_ready : Fallback::revoked);
    return true;
  }
  pollfd* list = direct_.behind();
  int found = look(direct_.all() + 1, direct_.size() + static_cast<unsigned>(reported), mask);
  if (found < 0) {
    answer = found == -EINTR ? done(-EINTR) : finish(found == kAgain ? Fallback::unconfirmed : Fallback::argument);
    return true;
  }
  int ready = scatter(fds, count, reported);
  learn(list, reported);
  answer = ready > 0 ? done(ready) : finish(Fallback::unconfirmed);
  return true;
}

// Takes what the engine has, and lists it behind the direct list. How many, or why not.
int ArrayMirror::harvest(bool may_ring) {
  int found = set_.wait(Deadline::now(), nullptr);
  if (found == 0) {
    if (may_ring) bell_.had_nothing(engine_.descriptor());
    return kNothing;
  }
  bell_.had_something();
  if (found < 0) {
    stale_ = true;  // the private set is gone: a raw close took it
    return kGone;
  }
  if (static_cast<unsigned>(found) == ring_slots_) {
    // They move to the direct list, until the rest fits.
    int reported = gather();
    learn(direct_.behind(), reported);
    return kOverflow;
  }
  return gather();
}

int ArrayMirror::gather() {
  pollfd* list = direct_.behind();
  int reported = 0;
  bool woken = false;
  for (auto run = set_.claim(ring_slots_); run.count > 0; run = set_.claim(ring_slots_)) {
    for (uint32_t i = 0; i < run.count; ++i) {
      const WaitSet::Event& event = run.data[i];
      if (event.token == engine::kWakeToken) {
        woken = true;
        continue;
      }
      Interest* interest = set_.find(WaitSet::descriptor_of(event.token));
      // An event of a file that had this number before: what it left in the set cannot be removed.
      if (interest == nullptr || place::is_direct(*interest) || WaitSet::token_of(*interest) != event.token)
        stale_ = true;
      else if (interest->first == 0)
        drop(interest);
      else
        list[reported++] = {interest->fd, events_of(*interest), 0};
    }
    set_.commit();
  }
  if (reported > 0) return reported;
  if (woken) return kWoken;
  return stale_ ? kGone : kNothing;
}

// Calls `write(entry, bits)` for the entries of the direct list's results, and of the `reported` ones behind it.
template <typename Write>
void ArrayMirror::for_each_result(pollfd* fds, int reported, Write write) {
  constexpr int kAlways = POLLERR | POLLHUP | POLLNVAL;
  unsigned end = direct_.size() + static_cast<unsigned>(reported);
  for (unsigned i = 1; i <= end; ++i) {
    const pollfd& result = direct_[i];
    if (result.revents == 0) continue;
    if (i <= direct_.size()) direct_.last(i) = calls_;
    for (uint32_t at = set_.find(result.fd)->first; at != 0; at = next_[at - 1])
      write(fds[at - 1], result.revents & (shadow_[at - 1].events | kAlways));
  }
}

// Writes every revents of the program's array. Returns how many entries are ready; another thread may write there too.
int ArrayMirror::scatter(pollfd* fds, unsigned count, int reported) {
  clear(fds, count);
  int ready = 0;
  for_each_result(fds, reported, [&](pollfd& entry, int bits) {
    entry.revents = static_cast<short>(bits);
    ready += bits != 0;
  });
  return ready;
}

// The program's own call, without sleeping, and what is known of the direct descriptors.
Answer ArrayMirror::by_own_look(pollfd* fds, unsigned count) {
  int ready = os::poll_now(fds, count);
  if (ready < 0) return done(scatter(fds, count, 0));
  for_each_result(fds, 0, [&](pollfd& entry, int bits) {
    ready += entry.revents == 0 && bits != 0;
    entry.revents = static_cast<short>(entry.revents | bits);
  });
  return done(ready);
}

void ArrayMirror::check_found_by_kernel(const pollfd* fds, unsigned count) {
  // The call was a verification as of its beginning, which is noted: when it looked last is not known.
  if (os::clock_ns(CLOCK_MONOTONIC) - verified_ns_ < tuning.verify_ns) long_sleeps_ = 0;
  if (count == count_) compare_with_kernel(fds, count);
}

// The kernel wrote these results a moment ago: what it saw and the engine does not is watched no longer.
void ArrayMirror::compare_with_kernel(const pollfd* fds, unsigned count) {
  if (watched_ == 0) return;
  int found = set_.wait(Deadline::now(), nullptr);
  if (found < 0) stale_ = true;  // what has the set's number now is another file
  if (found < 0 || static_cast<unsigned>(found) == ring_slots_) return set_.discard();
  for (auto run = set_.claim(ring_slots_); run.count > 0; run = set_.claim(ring_slots_)) {
    for (uint32_t i = 0; i < run.count; ++i) {
      Interest* interest = set_.find(WaitSet::descriptor_of(run.data[i].token));
      if (interest != nullptr && !place::is_direct(*interest)) interest->place |= place::kMarked;
    }
    set_.commit();
  }
  for (unsigned i = 0; i < count; ++i) {
    if (fds[i].revents == 0) continue;
    Interest* interest = set_.find(fds[i].fd);
    if (interest == nullptr) {
      stale_ = true;
    } else if (place::is_direct(*interest)) {
      direct_.last(place::index(*interest)) = calls_;
    } else if ((interest->place & place::kMarked) == 0) {
      // Another thread was faster, or what is registered is a file that is no longer there.
      if (!unwatch(*interest)) stale_ = true;
      make_direct(*interest, calls_);
    }
  }
  set_.for_each([](Interest& interest) {
    if (!place::is_direct(interest)) interest.place &= ~place::kMarked;
  });
}

}  // namespace kev::mirror
