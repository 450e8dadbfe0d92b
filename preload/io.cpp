// Reading, writing, moving and flushing data by descriptor: each is one system call, and a cancellation point.
//
// splice, tee and the like are glibc's own additions to POSIX's list.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/point.hpp"

using namespace kev::preload;

KEV_POINT(read, io, ssize_t, (int fd, void* buffer, size_t size), (fd, buffer, size), (SYS_read, fd, buffer, size))
KEV_ALIAS(__read, ssize_t, (int fd, void* buffer, size_t size), kev_read(fd, buffer, size))
KEV_POINT(write, io, ssize_t, (int fd, const void* buffer, size_t size), (fd, buffer, size),
          (SYS_write, fd, buffer, size))
KEV_ALIAS(__write, ssize_t, (int fd, const void* buffer, size_t size), kev_write(fd, buffer, size))
KEV_POINT(readv, io, ssize_t, (int fd, const iovec* parts, int count), (fd, parts, count),
          (SYS_readv, fd, parts, count))
KEV_POINT(writev, io, ssize_t, (int fd, const iovec* parts, int count), (fd, parts, count),
          (SYS_writev, fd, parts, count))

KEV_POINT(pread, io, ssize_t, (int fd, void* buffer, size_t size, off_t at), (fd, buffer, size, at),
          (SYS_pread64, fd, buffer, size, at))
KEV_ALIAS(pread64, ssize_t, (int fd, void* buffer, size_t size, off_t at), kev_pread(fd, buffer, size, at))
KEV_ALIAS(__pread64, ssize_t, (int fd, void* buffer, size_t size, off_t at), kev_pread(fd, buffer, size, at))
KEV_POINT(pwrite, io, ssize_t, (int fd, const void* buffer, size_t size, off_t at), (fd, buffer, size, at),
          (SYS_pwrite64, fd, buffer, size, at))
KEV_ALIAS(pwrite64, ssize_t, (int fd, const void* buffer, size_t size, off_t at), kev_pwrite(fd, buffer, size, at))
KEV_ALIAS(__pwrite64, ssize_t, (int fd, const void* buffer, size_t size, off_t at), kev_pwrite(fd, buffer, size, at))

// The kernel takes the offset in two words, of which the second counts on 32-bit machines alone.
KEV_POINT(preadv, io, ssize_t, (int fd, const iovec* parts, int count, off_t at), (fd, parts, count, at),
          (SYS_preadv, fd, parts, count, at, 0))
KEV_ALIAS(preadv64, ssize_t, (int fd, const iovec* parts, int count, off_t at), kev_preadv(fd, parts, count, at))
KEV_POINT(pwritev, io, ssize_t, (int fd, const iovec* parts, int count, off_t at), (fd, parts, count, at),
          (SYS_pwritev, fd, parts, count, at, 0))
KEV_ALIAS(pwritev64, ssize_t, (int fd, const iovec* parts, int count, off_t at), kev_pwritev(fd, parts, count, at))
// Where the kernel lacks these, libc knows what else to do.
#define KEV_POINT_OR_LIBC(symbol, parameters, arguments, words)                                          \
  extern "C" KEV_HOT ssize_t kev_##symbol parameters {                                                   \
    long result = has_points(Family::io) ? kev::preload::raw_point words : -ENOSYS;                      \
    if (result == -ENOSYS) return behind<&Next::symbol> arguments;                                       \
    return result_of(result);                                                                            \
  }
KEV_POINT_OR_LIBC(preadv2, (int fd, const iovec* parts, int count, off_t at, int flags),
                  (fd, parts, count, at, flags), (SYS_preadv2, fd, parts, count, at, 0, flags))
KEV_POINT_OR_LIBC(pwritev2, (int fd, const iovec* parts, int count, off_t at, int flags),
                  (fd, parts, count, at, flags), (SYS_pwritev2, fd, parts, count, at, 0, flags))
#undef KEV_POINT_OR_LIBC
KEV_ALIAS(preadv64v2, ssize_t, (int fd, const iovec* parts, int count, off_t at, int flags),
          kev_preadv2(fd, parts, count, at, flags))
KEV_ALIAS(pwritev64v2, ssize_t, (int fd, const iovec* parts, int count, off_t at, int flags),
          kev_pwritev2(fd, parts, count, at, flags))

// The checked forms: where the buffer is too small, libc ends the program.
extern "C" ssize_t kev___read_chk(int fd, void* buffer, size_t size, size_t bytes) {
  return size > bytes ? real().__read_chk(fd, buffer, size, bytes) : kev_read(fd, buffer, size);
}
extern "C" ssize_t kev___pread_chk(int fd, void* buffer, size_t size, off_t at, size_t bytes) {
  return size > bytes ? real().__pread_chk(fd, buffer, size, at, bytes) : kev_pread(fd, buffer, size, at);
}
extern "C" ssize_t kev___pread64_chk(int fd, void* buffer, size_t size, off_t at, size_t bytes) {
  return kev___pread_chk(fd, buffer, size, at, bytes);
}

KEV_POINT(splice, io, ssize_t, (int in, off_t* in_at, int out, off_t* out_at, size_t size, unsigned flags),
          (in, in_at, out, out_at, size, flags), (SYS_splice, in, in_at, out, out_at, size, flags))
KEV_POINT(tee, io, ssize_t, (int in, int out, size_t size, unsigned flags), (in, out, size, flags),
          (SYS_tee, in, out, size, flags))
KEV_POINT(vmsplice, io, ssize_t, (int fd, const iovec* parts, size_t count, unsigned flags),
          (fd, parts, count, flags), (SYS_vmsplice, fd, parts, count, flags))
KEV_POINT(copy_file_range, io, ssize_t, (int in, off_t* in_at, int out, off_t* out_at, size_t size, unsigned flags),
          (in, in_at, out, out_at, size, flags), (SYS_copy_file_range, in, in_at, out, out_at, size, flags))
KEV_POINT(fallocate, io, int, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size),
          (SYS_fallocate, fd, mode, at, size))
KEV_ALIAS(fallocate64, int, (int fd, int mode, off_t at, off_t size), kev_fallocate(fd, mode, at, size))

KEV_POINT(fsync, io, int, (int fd), (fd), (SYS_fsync, fd))
KEV_POINT(fdatasync, io, int, (int fd), (fd), (SYS_fdatasync, fd))
KEV_POINT(msync, io, int, (void* from, size_t size, int flags), (from, size, flags), (SYS_msync, from, size, flags))
KEV_POINT(sync_file_range, io, int, (int fd, off_t at, off_t size, unsigned flags), (fd, at, size, flags),
          (SYS_sync_file_range, fd, at, size, flags))
KEV_POINT(tcdrain, io, int, (int fd), (fd), (SYS_ioctl, fd, TCSBRK, 1))

// libc's look for a record lock never waits, and waiting for one is fcntl()'s call.
extern "C" int kev_lockf(int fd, int command, off_t size) {
  if (command != F_LOCK || !has_points(Family::io)) return real().lockf(fd, command, size);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_CUR;
  lock.l_len = size;
  return static_cast<int>(point(SYS_fcntl, fd, F_SETLKW, &lock));
}
KEV_ALIAS(lockf64, int, (int fd, int command, off_t size), kev_lockf(fd, command, size))

// An eventfd's reads and writes inside libc.
extern "C" int kev_eventfd_read(int fd, eventfd_t* value) {
  if (!has_points(Family::io)) return real().eventfd_read(fd, value);
  return point(SYS_read, fd, value, sizeof *value) == static_cast<long>(sizeof *value) ? 0 : -1;
}
extern "C" int kev_eventfd_write(int fd, eventfd_t value) {
  if (!has_points(Family::io)) return real().eventfd_write(fd, value);
  return point(SYS_write, fd, &value, sizeof value) == static_cast<long>(sizeof value) ? 0 : -1;
}

// glibc 2.41 and newer may fill the buffer without entering the kernel; where it does not, the kernel waits for entropy
// once after it has booted, and nothing that is lost is missed.
extern "C" ssize_t kev_getrandom(void* buffer, size_t size, unsigned flags) {
  if (!has_points(Family::io) || shim.libc_has_random) return real().getrandom(buffer, size, flags);
  return point(SYS_getrandom, buffer, size, flags);
}
