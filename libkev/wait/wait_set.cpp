// The wait core's steps; the contract stands in wait_set.hpp.
#include "wait/wait_set.hpp"

#include <cerrno>

namespace kev::wait {

void WaitSet::attach(engine::Engine& engine, Event* ring, uint32_t ring_slots, Interest* interests,
                     uint32_t interest_slots) {
  engine_ = &engine;
  ring_.attach(ring, ring_slots);
  interests_.attach(interests, interest_slots);
}

int WaitSet::watch(const Interest& interest, uint32_t events) {
  int error = engine_->add(interest.fd, events, token_of(interest));
  if (error == -EEXIST) error = engine_->change(interest.fd, events, token_of(interest));
  return error;
}

int WaitSet::wait(const Deadline& deadline, const sigset_t* mask) {
  // One consumer at a time, and it is this thread: what stands in the ring now was published before.
  uint32_t seen = ring_.index();
  if (!ring_.empty_for(seen)) return static_cast<int>(ring_.ready());
  ring_.rewind();
  Run<Event> room = ring_.reserve();
  int count = engine_->wait(room.data, static_cast<int>(room.count), deadline, mask);
  if (count > 0) ring_.publish(static_cast<uint32_t>(count));
  return count;
}

void WaitSet::discard() {
  ring_.unclaim();
  while (ring_.claim(ring_.capacity()).count != 0) ring_.commit();
}

}  // namespace kev::wait
