// poll() by the core.
#include "call/poll.hpp"

#include "cancel/sleep.hpp"
#include "mirror/tuning.hpp"
#include "os/file.hpp"
#include "process/private_fds.hpp"

namespace kev::call {

namespace {

struct PollCall {
  using Mirror = mirror::ArrayMirror;
  static constexpr unsigned kSlots = record::kPollSlots;
  static constexpr int64_t kOwnNs = 200;  // what a call costs here besides its system calls, about

  pollfd* fds;
  unsigned count;

  Slot* slots(ThreadRecord& record) const { return record.poll_slot; }
  mirror::ArrayMirror* mirrors(ThreadRecord& record) const { return record.poll_mirror; }
  mirror::Key key() const { return {{fds}}; }
  size_t extent() const { return count * sizeof(pollfd); }
  unsigned size(const mirror::ArrayMirror&) const { return count; }
  unsigned asked() const { return count; }
  bool worthwhile() const { return true; }
  bool within_limit() const { return count <= os::descriptor_limit(); }
  bool fits(const mirror::ArrayMirror& mirror) const { return mirror.is_open() && count <= mirror.capacity(); }
  // A number that is not open must not become one of ours: the program would not be told POLLNVAL.
  void claim_numbers() const {
    int highest = -1;
    for (unsigned i = 0; i < count; ++i) highest = fds[i].fd > highest ? fds[i].fd : highest;
    process::program_has(highest);
  }
  // The same of one below that highest: where there is no room above, ours may come to stand at it.
  int open(mirror::ArrayMirror& mirror, int wake_fd) const {
    int error = mirror.open(count, wake_fd);
    if (error < 0 || !holds(mirror.descriptor())) return error;
    mirror.close();
    return -EBUSY;
  }
  bool holds(int fd) const {
    for (unsigned i = 0; i < count; ++i)
      if (fds[i].fd == fd) return true;
    return false;
  }
  bool sync(mirror::ArrayMirror& mirror, stats::Fallback& reason) const { return mirror.sync(fds, count, reason); }
  Answer wait(mirror::ArrayMirror& mirror, const wait::Deadline& deadline, const sigset_t* mask,
              wait::SignalGate& gate) const {
    return mirror.wait(fds, count, deadline, mask, gate);
  }
  void check(mirror::ArrayMirror& mirror, int result) const {
    if (result < 0)
      mirror.start_over_next_time();
    else
      mirror.check_found_by_kernel(fds, count);
  }
  int own(const wait::Deadline& deadline, const sigset_t* mask, unsigned seen) const {
    return cancel::sleep(fds, count, deadline, mask, seen);
  }
};

}  // namespace

int poll(pollfd* fds, nfds_t count, const wait::Deadline& deadline, const sigset_t* mask) {
  PollCall call = {fds, static_cast<unsigned>(count)};
  if (count > mirror::kMaxEntries) return not_ours(call, stats::Fallback::argument);
  cancel::check();
  return wait_by_mirror(call, deadline, mask);
}

void poll_failed(const pollfd* fds) {
  note_own_call(PollCall{const_cast<pollfd*>(fds), 0}, [](Slot& slot) { slot.begin_anew(); });
}

void poll_found(const pollfd* fds, int result) {
  note_own_call(PollCall{const_cast<pollfd*>(fds), 0},
                [result](Slot& slot) { slot.found = static_cast<unsigned>(result); });
}

}  // namespace kev::call
