// The wait core: an interest set, the engine that watches it, and the ready ring that its events land in.
//
//   insert/watch/unwatch -> InterestSet + Engine     wait() -> Engine -> ReadyRing        claim()/commit() -> caller
//
// wait() consumes nothing: events stand in the ring until they are claimed, so that a wait can be cancelled at any
// moment. One thread at a time (the ring's consumer is the waiter); wake() from any thread and from handlers.
#pragma once

#include <csignal>

#include "engine/engine.hpp"
#include "wait/deadline.hpp"
#include "wait/interest_set.hpp"
#include "wait/ready_ring.hpp"

namespace kev::wait {

class WaitSet {
 public:
  using Event = engine::Event;

  // Memory for the ring (a power of two) and the table; both outlive the set.
  void attach(engine::Engine& engine, Event* ring, uint32_t ring_slots, Interest* interests, uint32_t interest_slots);

  // Makes an entry for `fd`, which has none yet. Nothing is watched for it.
  Interest& insert(int fd) { return *interests_.insert(fd); }

  // Watches the entry's descriptor; its events come under token_of(interest). A registration that the engine already
  // has for this very descriptor is taken over. 0 or -errno.
  int watch(const Interest& interest, uint32_t events);

  // Watches it no longer. -errno: the engine had nothing registered for the number's present file.
  int unwatch(const Interest& interest) { return engine_->remove(interest.fd); }

  // Forgets the entry; the engine is not told.
  void erase(Interest* interest) { interests_.erase(interest); }
  // The same for all for which `gone` holds, calling `last` for each before.
  template <typename Gone, typename Last>
  void erase_if(Gone gone, Last last) {
    interests_.erase_if(gone, last);
  }

  Interest* find(int fd) const { return interests_.find(fd); }
  uint32_t size() const { return interests_.size(); }
  template <typename Visit>
  void for_each(Visit visit) {
    interests_.for_each(visit);
  }

  static uint64_t token_of(const Interest& interest) {
    return uint64_t{interest.generation} << 32 | static_cast<uint32_t>(interest.fd);
  }
  static int descriptor_of(uint64_t token) { return static_cast<int>(static_cast<uint32_t>(token)); }
  static uint32_t generation_of(uint64_t token) { return static_cast<uint32_t>(token >> 32); }

  // Returns the number of events that stand in the ring, sleeping while there are none; 0 at the deadline;
  // -EINTR, kCancelled and other errors as Engine::wait.
  int wait(const Deadline& deadline, const sigset_t* mask);

  Run<const Event> claim(uint32_t max) { return ring_.claim(max); }
  void commit() { ring_.commit(); }

  // Drops events that were left in the ring by a wait that did not come back to take them.
  void discard();

  // Makes one wait() return with an event of engine::kWakeToken.
  int wake() { return engine_->wake(); }

 private:
  engine::Engine* engine_ = nullptr;
  InterestSet interests_;
  ReadyRing<Event> ring_;
};

}  // namespace kev::wait
