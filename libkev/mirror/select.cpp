// select() by the core.
#include "cancel/sleep.hpp"
#include "mirror/poll.hpp"
#include "mirror/tuning.hpp"

namespace kev::mirror {

namespace {

struct SelectCall {
  static constexpr unsigned kSlots = kSelectSlots;

  int nfds;
  fd_set* in;
  fd_set* out;
  fd_set* except;

  Sets sets() const {
    return {reinterpret_cast<Sets::Word*>(in), reinterpret_cast<Sets::Word*>(out),
            reinterpret_cast<Sets::Word*>(except)};
  }
  Slot* slots(ThreadRecord& record) const { return record.select_slot; }
  SelectMirror* mirrors(ThreadRecord& record) const { return record.select_mirror; }
  Key key() const { return {{in, out, except}}; }
  bool worthwhile() const { return sets().count(nfds, tuning.minimum) >= tuning.minimum; }
  bool fits(const SelectMirror& mirror) const { return mirror.is_open() && mirror.fits(nfds); }
  int open(SelectMirror& mirror, int wake_fd) const { return mirror.open(nfds, wake_fd); }
  bool sync(SelectMirror& mirror, stats::Fallback& reason) const { return mirror.sync(sets(), nfds, reason); }
  Answer wait(SelectMirror& mirror, const wait::Deadline& deadline, const sigset_t* mask) const {
    return mirror.wait(sets(), nfds, deadline, mask);
  }
  void check_found(SelectMirror& mirror) const { mirror.check_found_by_kernel(sets()); }
  int own(const wait::Deadline& deadline, const sigset_t* mask) const {
    return cancel::sleep(nfds, in, out, except, deadline, mask);
  }
};

}  // namespace

int select(int nfds, fd_set* in, fd_set* out, fd_set* except, const wait::Deadline& deadline, const sigset_t* mask) {
  SelectCall call = {nfds, in, out, except};
  // The kernel writes the sets one after the other: what one that is passed twice holds then is its own affair.
  bool same_twice = (in != nullptr && (in == out || in == except)) || (out != nullptr && out == except);
  if (same_twice || static_cast<unsigned>(nfds) > kMaxEntries) return not_ours(call, stats::Fallback::argument);
  cancel::check();
  return wait_by_mirror(call, deadline, mask);
}

void select_failed(const fd_set* in, const fd_set* out, const fd_set* except) {
  call_failed(SelectCall{0, const_cast<fd_set*>(in), const_cast<fd_set*>(out), const_cast<fd_set*>(except)});
}

}  // namespace kev::mirror
