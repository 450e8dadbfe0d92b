// close and the other calls by which a descriptor goes.
//
// The system call first, then the note: whoever holds the number looks again at its next wait (process/fd_table.hpp).
#include <arch_syscall.hpp>
#include <climits>
#include <sys/syscall.h>

#include "preload/descriptors.hpp"
#include "preload/point.hpp"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

namespace kev::preload {

namespace {

// Before a range is closed our own descriptors go, and are made again when they are needed.
void leave_numbers() {
  if (process::private_count.load(std::memory_order_relaxed) != 0 && !process::in_vfork_child()) record::revoke_all();
}

int close_number(int fd) {
  if (!has_points(Family::close)) [[unlikely]] return behind<&Next::close>(fd);
  return static_cast<int>(point(SYS_close, fd));
}

[[gnu::noinline]] int close_marked(int fd) {
  if (is_hidden(fd)) [[unlikely]]
    return fail(EBADF);
  int result = close_number(fd);
  went(fd);
  return result;
}

// The number of a stream that is about to be closed, if anyone may hold it. One in memory has none, which is no error.
int number_of(FILE* stream) {
  if (process::fd_table_size.load(std::memory_order_relaxed) == 0) return -1;
  int saved = errno;
  int fd = fileno_unlocked(stream);
  errno = saved;
  return fd;
}

int close_stream(int (*own)(FILE*), FILE* stream) {
  int fd = number_of(stream);
  int result = own(stream);
  went(fd);
  return result;
}

FILE* reopen(FILE* (*own)(const char*, const char*, FILE*), const char* path, const char* mode, FILE* stream) {
  int fd = number_of(stream);
  FILE* result = own(path, mode, stream);
  went(fd);
  if (result != nullptr) came(fileno_unlocked(result));
  return result;
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;
namespace process = kev::process;

extern "C" KEV_HOT int kev_close(int fd) {
  // Looked at once, before the call, so that the common case is short. A mirror that takes up the number just now is
  // told when the number comes back (make.cpp), and otherwise by its verification, as after a raw close.
  if (!process::is_marked(fd)) [[likely]]
    return close_number(fd);
  return close_marked(fd);
}

extern "C" int kev___close(int fd) { return kev_close(fd); }

extern "C" int kev_close_range(unsigned first, unsigned last, int flags) {
  const Next& libc = real();
  bool closes = (static_cast<unsigned>(flags) & CLOSE_RANGE_CLOEXEC) == 0 && first <= last;
  if ((static_cast<unsigned>(flags) & CLOSE_RANGE_UNSHARE) != 0) before_own_table();
  if (closes) leave_numbers();
  // glibc before 2.34 has no close_range; the kernel may.
  int result = libc.close_range != nullptr
                   ? libc.close_range(first, last, flags)
                   : static_cast<int>(kev::arch::syscall(SYS_close_range, static_cast<long>(first),
                                                         static_cast<long>(last), flags));
  if (libc.close_range == nullptr && result < 0) return fail(-result);
  if (closes) range_went(first, last);
  return result;
}

extern "C" void kev_closefrom(int first) {
  const Next& libc = real();
  unsigned from = first < 0 ? 0 : static_cast<unsigned>(first);
  leave_numbers();
  if (libc.closefrom != nullptr)
    libc.closefrom(first);
  else
    kev::arch::syscall(SYS_close_range, static_cast<long>(from), UINT_MAX, 0);
  range_went(from, INT_MAX);
}

extern "C" int kev_fclose(FILE* stream) { return close_stream(real().fclose, stream); }
extern "C" int kev__IO_fclose(FILE* stream) { return close_stream(real()._IO_fclose, stream); }
extern "C" int kev_pclose(FILE* stream) { return close_stream(real().pclose, stream); }

extern "C" int kev_fcloseall(void) {
  const Next& libc = real();
  leave_numbers();  // glibc leaves them open, and the note forgets that they are ours
  int result = libc.fcloseall();
  range_went(0, INT_MAX);
  return result;
}

extern "C" FILE* kev_freopen(const char* path, const char* mode, FILE* stream) {
  return reopen(real().freopen, path, mode, stream);
}

extern "C" FILE* kev_freopen64(const char* path, const char* mode, FILE* stream) {
  return reopen(real().freopen64, path, mode, stream);
}

extern "C" int kev_closedir(DIR* directory) {
  int fd = process::fd_table_size.load(std::memory_order_relaxed) == 0 || directory == nullptr ? -1 : dirfd(directory);
  int result = real().closedir(directory);
  went(fd);
  return result;
}
