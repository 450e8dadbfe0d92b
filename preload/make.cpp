// The calls by which a descriptor comes.
//
// Each may take a number that some mirror still holds for another file; each gives way to the program at its
// descriptor limit. Nothing else about them changes.
#include <cstdarg>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "preload/descriptors.hpp"
#include "preload/point.hpp"

namespace kev::preload {

namespace {

// Makes a call that returns a stream or directory, once more without our descriptors if there was no room.
template <typename Number, typename Call>
auto make_stream(Number number, Call call) {
  int saved = errno;
  auto* stream = call();
  if (stream == nullptr && gave_way(errno)) {
    errno = saved;
    stream = call();
  }
  if (stream != nullptr) came(number(stream));
  return stream;
}

// The mode is there only if a file may be made.
bool has_mode(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

template <typename Call>
int make_set(Call call) {
  int fd = make(call);
  if (fd >= 0) call::epoll_was_made(fd);
  return fd;
}

int duplicate_to(int (*own)(int, int), int from, int to) {
  if (is_hidden(from)) return fail(EBADF);
  leave_number(to);
  return make([&] { return own(from, to); });
}

int control(int (*own)(int, int, void*), int fd, int command, void* argument) {
  if (is_hidden(fd)) return fail(EBADF);
  if ((command == F_SETLKW || command == F_OFD_SETLKW) && has_points(Family::make))
    return static_cast<int>(point(SYS_fcntl, fd, command, argument));
  if (command != F_DUPFD && command != F_DUPFD_CLOEXEC) return own(fd, command, argument);
  leave_numbers_from(static_cast<int>(reinterpret_cast<long>(argument)));
  return make([&] { return own(fd, command, argument); });
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

// The functions whose parameters are handed on as they are.
#define KEV_MAKES(symbol, parameters, arguments) \
  extern "C" int kev_##symbol parameters {       \
    const Next& libc = real();                   \
    return make([&] { return libc.symbol arguments; }); \
  }
KEV_MAKES(socket, (int domain, int type, int protocol), (domain, type, protocol))
KEV_MAKES(eventfd, (unsigned value, int flags), (value, flags))
KEV_MAKES(timerfd_create, (int clock, int flags), (clock, flags))
KEV_MAKES(signalfd, (int fd, const sigset_t* mask, int flags), (fd, mask, flags))
KEV_MAKES(inotify_init, (void), ())
KEV_MAKES(inotify_init1, (int flags), (flags))
KEV_MAKES(memfd_create, (const char* name, unsigned flags), (name, flags))
KEV_MAKES(mkstemp, (char* pattern), (pattern))
KEV_MAKES(mkstemp64, (char* pattern), (pattern))
KEV_MAKES(mkostemp, (char* pattern, int flags), (pattern, flags))
KEV_MAKES(mkostemp64, (char* pattern, int flags), (pattern, flags))
#undef KEV_MAKES

extern "C" int kev_epoll_create(int size) { return make_set([&] { return real().epoll_create(size); }); }
extern "C" int kev_epoll_create1(int flags) { return make_set([&] { return real().epoll_create1(flags); }); }

// Those that may wait, and so are cancellation points: the descriptor that was made is returned.
#define KEV_MAKES_POINT(symbol, parameters, arguments, words)                     \
  extern "C" int kev_##symbol parameters {                                        \
    return make([&]() -> int {                                                    \
      if (!has_points(Family::make)) [[unlikely]] return real().symbol arguments; \
      return static_cast<int>(point words);                                       \
    });                                                                           \
  }
KEV_MAKES_POINT(accept, (int fd, sockaddr* address, socklen_t* length), (fd, address, length),
                (SYS_accept, fd, address, length))
KEV_MAKES_POINT(accept4, (int fd, sockaddr* address, socklen_t* length, int flags), (fd, address, length, flags),
                (SYS_accept4, fd, address, length, flags))
#ifdef SYS_creat
KEV_MAKES_POINT(creat, (const char* path, mode_t mode), (path, mode), (SYS_creat, path, mode))
#else
KEV_MAKES_POINT(creat, (const char* path, mode_t mode), (path, mode),
                (SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode))
#endif
KEV_MAKES_POINT(open_by_handle_at, (int mount, file_handle* handle, int flags), (mount, handle, flags),
                (SYS_open_by_handle_at, mount, handle, flags))
#undef KEV_MAKES_POINT
KEV_ALIAS(creat64, int, (const char* path, mode_t mode), kev_creat(path, mode))

// The open calls with their optional mode. `known` are the arguments before it.
#define KEV_OPENS(symbol, parameters, known, directory)                                  \
  extern "C" int kev_##symbol parameters {                                               \
    mode_t mode = 0;                                                                     \
    if (has_mode(flags)) {                                                               \
      va_list list;                                                                      \
      va_start(list, flags);                                                             \
      mode = va_arg(list, mode_t);                                                       \
      va_end(list);                                                                      \
    }                                                                                    \
    return make([&]() -> int {                                                           \
      if (!has_points(Family::make)) [[unlikely]] return behind<&Next::symbol>(KEV_EACH known, mode); \
      return static_cast<int>(point(SYS_openat, directory, path, flags, mode));          \
    });                                                                                  \
  }
#define KEV_EACH(...) __VA_ARGS__
KEV_OPENS(open, (const char* path, int flags, ...), (path, flags), AT_FDCWD)
KEV_OPENS(__open, (const char* path, int flags, ...), (path, flags), AT_FDCWD)
KEV_OPENS(__open64, (const char* path, int flags, ...), (path, flags), AT_FDCWD)
KEV_OPENS(open64, (const char* path, int flags, ...), (path, flags), AT_FDCWD)
KEV_OPENS(openat, (int directory, const char* path, int flags, ...), (directory, path, flags), directory)
KEV_OPENS(openat64, (int directory, const char* path, int flags, ...), (directory, path, flags), directory)
#undef KEV_EACH
#undef KEV_OPENS

// The checked forms: where a mode is missing, libc ends the program.
#define KEV_CHECKED(symbol, parameters, arguments, unchecked)  \
  extern "C" int kev_##symbol parameters {                     \
    return has_mode(flags) ? real().symbol arguments : unchecked arguments; \
  }
KEV_CHECKED(__open_2, (const char* path, int flags), (path, flags), kev_open)
KEV_CHECKED(__open64_2, (const char* path, int flags), (path, flags), kev_open)
KEV_CHECKED(__openat_2, (int directory, const char* path, int flags), (directory, path, flags), kev_openat)
KEV_CHECKED(__openat64_2, (int directory, const char* path, int flags), (directory, path, flags), kev_openat)
#undef KEV_CHECKED

extern "C" int kev_dup(int fd) { return is_hidden(fd) ? fail(EBADF) : make([&] { return real().dup(fd); }); }

extern "C" int kev_dup2(int from, int to) { return duplicate_to(real().dup2, from, to); }
extern "C" int kev___dup2(int from, int to) { return duplicate_to(real().__dup2, from, to); }

extern "C" int kev_dup3(int from, int to, int flags) {
  const Next& libc = real();
  if (is_hidden(from)) return fail(EBADF);
  leave_number(to);
  return make([&] { return libc.dup3(from, to, flags); });
}

extern "C" int kev_fcntl(int fd, int command, void* argument) { return control(real().fcntl, fd, command, argument); }
extern "C" int kev___fcntl(int fd, int command, void* argument) {
  return control(real().__fcntl, fd, command, argument);
}
extern "C" int kev_fcntl64(int fd, int command, void* argument) {
  return control(real().fcntl64, fd, command, argument);
}

extern "C" int kev_socketpair(int domain, int type, int protocol, int* fds) {
  const Next& libc = real();
  return make_pair(fds, [&] { return libc.socketpair(domain, type, protocol, fds); });
}

extern "C" int kev_pipe(int* fds) {
  const Next& libc = real();
  return make_pair(fds, [&] { return libc.pipe(fds); });
}

extern "C" int kev_pipe2(int* fds, int flags) {
  const Next& libc = real();
  return make_pair(fds, [&] { return libc.pipe2(fds, flags); });
}

extern "C" FILE* kev_fopen(const char* path, const char* mode) {
  return make_stream(fileno_unlocked, [&] { return real().fopen(path, mode); });
}
extern "C" FILE* kev_fopen64(const char* path, const char* mode) {
  return make_stream(fileno_unlocked, [&] { return real().fopen64(path, mode); });
}
extern "C" FILE* kev_popen(const char* command, const char* mode) {
  return make_stream(fileno_unlocked, [&] { return real().popen(command, mode); });
}
extern "C" FILE* kev_tmpfile(void) { return make_stream(fileno_unlocked, [] { return real().tmpfile(); }); }
extern "C" FILE* kev_tmpfile64(void) { return make_stream(fileno_unlocked, [] { return real().tmpfile64(); }); }
extern "C" DIR* kev_opendir(const char* path) { return make_stream(dirfd, [&] { return real().opendir(path); }); }
