// poll, ppoll and their checked forms.
//
// An array below the limit is the program's own call. A larger one is offered to the core; what the core does not take
// is the program's own call, with the program's own arguments.
#include <cerrno>

#include "call/poll.hpp"
#include "mirror/tuning.hpp"
#include "preload/own.hpp"
#include "preload/wait_count.hpp"

namespace kev::preload {

namespace {

struct Request {
  stats::Call call;
  pollfd* fds;
  nfds_t count;
  const timespec* timeout;  // null: for ever
  const sigset_t* mask;
};

bool sleeps(const timespec* timeout) { return timeout == nullptr || timeout->tv_sec != 0 || timeout->tv_nsec != 0; }

// `own` makes the program's own call.
template <typename Own>
[[gnu::noinline]] int wait(const Request& request, Own own) {
  check_process();
  WaitStart start = count_start(sleeps(request.timeout));
  int result = call::kNotOurs;
  bool eligible = shim.mirrors && request.count >= mirror::tuning.minimum &&
                  (request.timeout == nullptr || wait::timespec_valid(*request.timeout));
  if (eligible)
    result = call::poll(request.fds, request.count, wait::Deadline::from(request.timeout), request.mask);
  else if (shim.mirrors)
    stats::add(request.count < mirror::tuning.minimum ? stats::Fallback::small : stats::Fallback::argument);
  bool by_core = call::is_ours(result);
  if (!by_core) {
    bool tell = result == call::kNotOursTell;
    result = own();
    if (tell && result >= 0) call::poll_found(request.fds, result);
    if (result < 0 && eligible && errno != EINTR) call::poll_failed(request.fds);
  }
  count_end(request.call, start, by_core, request.count, result);
  return by_core && result < 0 ? fail(-result) : result;
}

[[gnu::noinline]] int wait_ms(pollfd* fds, nfds_t count, int timeout_ms) {
  timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
  Request request = {stats::Call::poll, fds, count, timeout_ms < 0 ? nullptr : &timeout, nullptr};
  return wait(request, [&] { return own_poll(fds, count, timeout_ms); });
}

// A buffer of `bytes` (__builtin_object_size) holds `count` entries.
bool holds(size_t bytes, nfds_t count) { return bytes / sizeof(pollfd) >= count; }

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" KEV_HOT int kev_poll(pollfd* fds, nfds_t count, int timeout_ms) {
  if (count < shim.poll_slow_from || kev::mirror::bypass.covers(fds)) [[likely]]
    return own_poll(fds, count, timeout_ms);
  return wait_ms(fds, count, timeout_ms);
}

extern "C" int kev___poll(pollfd* fds, nfds_t count, int timeout_ms) { return kev_poll(fds, count, timeout_ms); }

extern "C" int kev___poll_chk(pollfd* fds, nfds_t count, int timeout_ms, size_t bytes) {
  // libc ends the program.
  if (!holds(bytes, count)) return real().__poll_chk(fds, count, timeout_ms, bytes);
  return kev_poll(fds, count, timeout_ms);
}

extern "C" KEV_HOT int kev_ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (count < shim.poll_slow_from || kev::mirror::bypass.covers(fds)) [[likely]]
    return own_ppoll(fds, count, timeout, mask);
  MaskCopy copy;
  mask = copy.without_libcs(mask);
  return wait({kev::stats::Call::ppoll, fds, count, timeout, mask},
              [&] { return own_ppoll(fds, count, timeout, mask); });
}

extern "C" int kev___ppoll_chk(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask,
                               size_t bytes) {
  if (!holds(bytes, count)) return real().__ppoll_chk(fds, count, timeout, mask, bytes);
  return kev_ppoll(fds, count, timeout, mask);
}
