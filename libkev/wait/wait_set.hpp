// The wait core: an interest set, the engine that watches it, and the ready ring that its events land in.
//
//   add/change/remove -> InterestSet + Engine        wait() -> Engine -> ReadyRing        claim()/commit() -> caller
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

  // Memory for the ring (a power of two) and the table; both outlive the set. `engine` is open.
  void attach(engine::Engine& engine, Event* ring, uint32_t ring_slots, Interest* interests, uint32_t interest_slots);

  // Watches `fd`, which must not be watched yet. The token of its events is token_of(interest). A registration
  // that the engine already has for this very descriptor is taken over. Returns the entry, or null with `error`
  // set to the engine's -errno. `generation` is kept in the entry and comes back in the token.
  Interest* add(int fd, uint32_t events, uint32_t generation, int& error);

  // Changes what is watched for. 0 or -errno.
  int change(Interest& interest, uint32_t events);

  // Registers the descriptor again after its number changed hands. 0 or -errno, with the entry as it was.
  int renew(Interest& interest, uint32_t generation);

  // Forgets `interest`. A registration that is gone already (closed descriptor) is no error.
  void remove(Interest* interest);

  Interest* find(int fd) { return interests_.find(fd); }
  uint32_t size() const { return interests_.size(); }
  template <typename Visit>
  void for_each(Visit visit) {
    interests_.for_each(visit);
  }
  // Forgets all for which `gone` holds, calling `last` for each before.
  template <typename Gone, typename Last>
  void remove_if(Gone gone, Last last) {
    interests_.erase_if(gone, [&](const Interest& interest) {
      last(interest);
      engine_->remove(interest.fd);
    });
  }

  // Forgets all interests and events, for an engine that was closed.
  void clear() {
    interests_.clear();
    ring_.rewind();
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
