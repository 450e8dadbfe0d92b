// The bits that poll() knows; the others of `events` select nothing, and epoll_ctl may take them for its own.
#pragma once

#include <poll.h>

namespace kev::mirror {

inline constexpr int kPollBits =
    POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLMSG | POLLRDHUP;

}  // namespace kev::mirror
