// select() by the core.
#include "cancel/sleep.hpp"
#include "call/poll.hpp"
#include "mirror/tuning.hpp"
#include "process/private_fds.hpp"

namespace kev::call {

namespace {

struct SelectCall {
  using Mirror = mirror::SelectMirror;
  static constexpr unsigned kSlots = record::kSelectSlots;
  static constexpr int64_t kOwnNs = 400;  // what a call costs here besides its system calls, about

  int nfds;       // as far as the kernel looks at the sets
  int own_nfds;   // as the program has it
  fd_set* in;
  fd_set* out;
  fd_set* except;

  mirror::Sets sets() const {
    return {reinterpret_cast<mirror::Sets::Word*>(in), reinterpret_cast<mirror::Sets::Word*>(out),
            reinterpret_cast<mirror::Sets::Word*>(except)};
  }
  Slot* slots(ThreadRecord& record) const { return record.select_slot; }
  mirror::SelectMirror* mirrors(ThreadRecord& record) const { return record.select_mirror; }
  mirror::Key key() const { return {{in, out, except}}; }
  size_t extent() const { return mirror::Sets::words(own_nfds) * sizeof(mirror::Sets::Word); }
  unsigned size(const mirror::SelectMirror& mirror) const { return mirror.size(); }
  unsigned asked() const {
    unsigned found = 0;
    for (mirror::Sets set : {mirror::Sets{sets().in, nullptr, nullptr}, mirror::Sets{nullptr, sets().out, nullptr},
                             mirror::Sets{nullptr, nullptr, sets().except}})
      found += set.count(nfds, UINT_MAX);
    return found;
  }
  bool within_limit() const { return true; }
  bool worthwhile() const { return sets().count(nfds, mirror::tuning.minimum) >= mirror::tuning.minimum && nothing_beyond(); }
  // The kernel clips the sets to the size of its descriptor table, and so do we; should it have grown unseen, bits that
  // were not looked at would be taken for ready.
  bool nothing_beyond() const {
    for (unsigned i = mirror::Sets::words(nfds); i < mirror::Sets::words(own_nfds); ++i)
      if (sets().any(i) != 0) {
        process::table_size_now();
        return false;
      }
    return true;
  }
  bool fits(const mirror::SelectMirror& mirror) const { return mirror.is_open() && mirror.fits(nfds); }
  void claim_numbers() const {}  // those that are not open fail the call
  int open(mirror::SelectMirror& mirror, int wake_fd) const { return mirror.open(nfds, wake_fd); }
  bool sync(mirror::SelectMirror& mirror, stats::Fallback& reason) const { return mirror.sync(sets(), nfds, reason); }
  Answer wait(mirror::SelectMirror& mirror, const wait::Deadline& deadline, const sigset_t* mask,
              wait::SignalGate& gate) const {
    return mirror.wait(sets(), nfds, deadline, mask, gate);
  }
  void check(mirror::SelectMirror& mirror, int result) const {
    if (result < 0)
      mirror.start_over_next_time();
    else
      mirror.check_found_by_kernel(sets());
  }
  int own(const wait::Deadline& deadline, const sigset_t* mask, unsigned seen) const {
    return cancel::sleep(own_nfds, in, out, except, deadline, mask, seen);
  }
};

}  // namespace

int select(int nfds, fd_set* in, fd_set* out, fd_set* except, const wait::Deadline& deadline, const sigset_t* mask) {
  int table = process::table_size();
  SelectCall call = {nfds < table ? nfds : table, nfds, in, out, except};
  // The kernel writes the sets one after the other: what one that is passed twice holds then is its own affair.
  bool same_twice = (in != nullptr && (in == out || in == except)) || (out != nullptr && out == except);
  // A larger count than a set has bits, and than the kernel has descriptors, says nothing of how much memory there is.
  bool unknown_size = nfds > table && nfds > FD_SETSIZE;
  if (same_twice || unknown_size || nfds > static_cast<int>(mirror::kMaxEntries)) return not_ours(call, stats::Fallback::argument);
  cancel::check();
  return wait_by_mirror(call, deadline, mask);
}

void select_failed(const fd_set* in, const fd_set* out, const fd_set* except) {
  note_own_call(SelectCall{0, 0, const_cast<fd_set*>(in), const_cast<fd_set*>(out), const_cast<fd_set*>(except)},
                [](Slot& slot) { slot.begin_anew(); });
}

void select_found(const fd_set* in, const fd_set* out, const fd_set* except, int result) {
  note_own_call(SelectCall{0, 0, const_cast<fd_set*>(in), const_cast<fd_set*>(out), const_cast<fd_set*>(except)},
                [result](Slot& slot) { slot.found = static_cast<unsigned>(result); });
}

}  // namespace kev::call
