// select and pselect.
//
// As poll.cpp. select writes back the time that remained, pselect does not.
#include <cerrno>

#include "call/poll.hpp"
#include "mirror/tuning.hpp"
#include "preload/own.hpp"
#include "preload/wait_count.hpp"

namespace kev::preload {

namespace {

struct Request {
  stats::Call call;
  int nfds;
  fd_set* in;
  fd_set* out;
  fd_set* except;
};

// `own` makes the program's own call. `deadline` is not looked at unless `valid`.
template <typename Own>
[[gnu::noinline]] int wait(const Request& request, const wait::Deadline& deadline, bool valid, const sigset_t* mask,
                           Own own) {
  check_process();
  WaitStart start = count_start(!deadline.is_now());
  int result = call::kNotOurs;
  bool large = request.nfds >= 0 && static_cast<unsigned>(request.nfds) >= mirror::tuning.minimum;
  bool eligible = shim.mirrors && large && valid;
  if (eligible)
    result = call::select(request.nfds, request.in, request.out, request.except, deadline, mask);
  else if (shim.mirrors)
    stats::add(valid ? stats::Fallback::small : stats::Fallback::argument);
  bool by_core = call::is_ours(result);
  if (!by_core) {
    bool tell = result == call::kNotOursTell;
    result = own();
    if (tell && result >= 0) call::select_found(request.in, request.out, request.except, result);
    if (result < 0 && eligible && errno != EINTR) call::select_failed(request.in, request.out, request.except);
  }
  count_end(request.call, start, by_core, request.nfds > 0 ? static_cast<unsigned>(request.nfds) : 0, result);
  return result;
}

[[gnu::noinline]] int select_slow(const Request& request, timeval* timeout) {
  bool valid = timeout == nullptr || (timeout->tv_sec >= 0 && timeout->tv_usec >= 0 && timeout->tv_usec < 1'000'000);
  timespec time = {};
  if (timeout != nullptr && valid) time = {timeout->tv_sec, timeout->tv_usec * 1000};
  wait::Deadline deadline = wait::Deadline::from(timeout == nullptr || !valid ? nullptr : &time);
  // What remains of a time beyond the deadline's range is the kernel's to say.
  if (timeout != nullptr && deadline.is_never()) valid = false;
  bool own_call = false;
  int result = wait(request, deadline, valid, nullptr, [&] {
    own_call = true;
    return own_select(request.nfds, request.in, request.out, request.except, timeout);
  });
  if (own_call) return result;
  if (timeout != nullptr && !deadline.is_now()) {
    timespec left = {};
    deadline.remaining(left);
    *timeout = {left.tv_sec, left.tv_nsec / 1000};
  }
  return result < 0 ? fail(-result) : result;
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" KEV_HOT int kev_select(int nfds, fd_set* in, fd_set* out, fd_set* except, timeval* timeout) {
  if (nfds < shim.select_slow_from || kev::mirror::bypass.covers(in)) [[likely]]
    return own_select(nfds, in, out, except, timeout);
  return select_slow({kev::stats::Call::select, nfds, in, out, except}, timeout);
}

extern "C" int kev___select(int nfds, fd_set* in, fd_set* out, fd_set* except, timeval* timeout) {
  return kev_select(nfds, in, out, except, timeout);
}

extern "C" KEV_HOT int kev_pselect(int nfds, fd_set* in, fd_set* out, fd_set* except, const timespec* timeout,
                           const sigset_t* mask) {
  if (nfds < shim.select_slow_from || kev::mirror::bypass.covers(in)) [[likely]]
    return own_pselect(nfds, in, out, except, timeout, mask);
  MaskCopy copy;
  mask = copy.without_libcs(mask);
  bool valid = timeout == nullptr || kev::wait::timespec_valid(*timeout);
  bool own_call = false;
  int result = wait({kev::stats::Call::pselect, nfds, in, out, except},
                    kev::wait::Deadline::from(valid ? timeout : nullptr), valid, mask, [&] {
                      own_call = true;
                      return own_pselect(nfds, in, out, except, timeout, mask);
                    });
  return result < 0 && !own_call ? fail(-result) : result;
}
