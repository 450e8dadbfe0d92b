// Which descriptors may be watched in the program's stead.
//
// Some polls consume what they report (/proc/self/mounts, PSI triggers), epoll refuses regular files, a set above
// an epoll descriptor would add a nesting level to it, a signalfd is ready for its reader and not for its file. A tty's
// poll takes what its other side wrote on to it first; to an epoll set it comes when a kernel thread gets to it.
// Only kinds whose poll is known to be a plain look may enter a mirror: sockets, pipes and FIFOs, eventfd, timerfd,
// inotify and pidfd. Everything else is polled by the program's own call.
#pragma once

namespace kev::mirror {

enum class Kind : unsigned char { watchable, kernel_only, closed };

// Looks at `fd` by fstat and, for anonymous inodes, by its name in /proc/self/fd. Async-signal-safe.
Kind kind_of(int fd);

}  // namespace kev::mirror
