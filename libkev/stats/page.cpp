// The counters file: made, mapped, and handed out slot by slot.
//
// Any number of processes may make the same file at once: every step is one that all of them may take in any
// order (the same magic written at the same place, a size that only grows, a compare-and-swap on the main
// process). Runs in the constructor of other people's processes: raw system calls, no allocation, no errno.
#include "stats/page.hpp"

#include "os/clock.hpp"
#include "os/file.hpp"
#include "os/memory.hpp"
#include "os/pid.hpp"

#include <cerrno>
#include <cstring>

namespace kev::stats {

std::atomic<Slot*> slot{nullptr};

namespace {

std::atomic<Header*> mapped{nullptr};

Slot* mutable_slot(Header* header, unsigned index) {
  return reinterpret_cast<Slot*>(reinterpret_cast<char*>(header) + (1ul + index) * kSlotBytes);
}

bool is_last(const Slot* s) { return s == slot_at(mapped.load(std::memory_order_relaxed), kSlots - 1); }

// strncpy's work, always terminated.
void copy_text(char* to, unsigned size, const char* from) {
  unsigned i = 0;
  for (; from[i] != '\0' && i + 1 < size; ++i) to[i] = from[i];
  to[i] = '\0';
}

// Gives the file its size with every block in place: a hole that is first touched when the disk or the tmpfs is
// full would be a SIGBUS in the program. Where blocks cannot be reserved the zeros are written, from the present
// end on. (What remains: a file system that needs new blocks to overwrite old ones, and somebody truncating the file.
// Of two makers at once on a file system without fallocate, one's first figures may be lost.)
int reserve(int fd) {
  if (os::file_size_limit() < kFileBytes) return -EFBIG;
  int error = os::fallocate(fd, 0, static_cast<long>(kFileBytes));
  if (error != -EOPNOTSUPP && error != -ENOSYS) return error;
  static const char zeros[kSlotBytes] = {};
  for (struct stat status;;) {
    error = os::fstat(fd, &status);
    if (error < 0 || status.st_size >= static_cast<long>(kFileBytes)) return error;
    long n = os::pwrite(fd, zeros, static_cast<size_t>(kSlotBytes - status.st_size % kSlotBytes), status.st_size);
    if (n < 0) return static_cast<int>(n);
  }
}

struct Mark {
  uint64_t magic;
  uint64_t layout;
};

// 0 if the open file is a counters file, or is empty and may become one.
int examine(int fd, struct stat& status) {
  int error = os::fstat(fd, &status);
  if (error < 0) return error;
  if (!S_ISREG(status.st_mode)) return -EEXIST;
  if (status.st_size == 0) return 0;
  Mark mark;
  long n = os::pread(fd, &mark, sizeof mark, 0);
  if (n < 0) return static_cast<int>(n);
  return n == sizeof mark && mark.magic == kMagic && mark.layout == kLayout ? 0 : -EEXIST;
}

// Returns the mapping of `path`, made if need be; null with `error` set otherwise.
Header* open_mapping(const char* path, int& error) {
  // O_NONBLOCK: a FIFO or a device that stands there must not make us wait.
  int fd = os::openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
  error = fd;
  if (fd < 0) return nullptr;
  struct stat status;
  void* memory = nullptr;
  error = examine(fd, status);
  // Who owns the file could cut it short under our feet: only a file of our own is mapped.
  if (error == 0 && status.st_uid != os::geteuid()) error = -EPERM;
  if (error == 0 && status.st_size == 0) {
    Mark mark = {kMagic, kLayout};
    long n = os::file_size_limit() < kFileBytes ? -EFBIG : os::pwrite(fd, &mark, sizeof mark, 0);
    if (n != sizeof mark) error = n < 0 ? static_cast<int>(n) : -ENOSPC;
  }
  if (error == 0 && status.st_size < static_cast<long>(kFileBytes)) error = reserve(fd);
  if (error == 0) memory = os::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0, error);
  os::close(fd);
  return static_cast<Header*>(memory);
}

bool has_counted(const Slot& s) {
  for (const auto& call : s.counters)
    for (const auto& figure : call)
      if (figure.load(std::memory_order_relaxed) != 0) return true;
  for (const auto& figure : s.fallbacks)
    if (figure.load(std::memory_order_relaxed) != 0) return true;
  return false;
}

// This process's slot from before its exec, if it is still empty: a shell's every child would take two otherwise.
// One that has counted stays and is marked as ended.
Slot* left_by_exec(Header* h, unsigned pid) {
  uint32_t used = h->used.load(std::memory_order_relaxed);
  for (unsigned i = 0; i < used && i < kSlots - 1; ++i) {
    Slot* s = mutable_slot(h, i);
    if (s->pid.load(std::memory_order_acquire) != pid || s->ended.load(std::memory_order_relaxed) != 0) continue;
    if (!has_counted(*s)) return s;
    s->ended_ns.store(os::monotonic_ns(), std::memory_order_relaxed);
    s->ended.store(1, std::memory_order_release);
  }
  return nullptr;
}

void claim(Header* h, unsigned pid, unsigned parent, const char* command, State state, const char* note) {
  Slot* s = parent == 0 ? left_by_exec(h, pid) : nullptr;
  if (s == nullptr) {
    uint32_t index = h->used.fetch_add(1, std::memory_order_relaxed);
    s = mutable_slot(h, index < kSlots ? index : kSlots - 1);
    s->parent.store(parent, std::memory_order_relaxed);
  }
  bool others = s == slot_at(h, kSlots - 1);
  copy_text(s->command, sizeof s->command, others ? "(all further processes)" : command);
  copy_text(s->note, sizeof s->note, note);
  s->state.store(state, std::memory_order_relaxed);
  s->started_ns.store(os::monotonic_ns(), std::memory_order_relaxed);
  s->pid.store(pid, std::memory_order_release);
  slot.store(s, std::memory_order_relaxed);
}

}  // namespace

bool expand_path(const char* pattern, unsigned pid, char* out, unsigned size) {
  unsigned n = 0;
  for (const char* at = pattern; *at != '\0'; ++at) {
    char digits[10];
    unsigned count = 0;
    if (at[0] == '%' && at[1] == 'p') {
      unsigned rest = pid;
      do digits[count++] = static_cast<char>('0' + rest % 10);
      while ((rest /= 10) != 0);
      ++at;
    } else {
      if (at[0] == '%' && at[1] == '%') ++at;
      digits[count++] = *at;
    }
    if (n + count >= size) return false;
    while (count > 0) out[n++] = digits[--count];
  }
  if (n >= size) return false;
  out[n] = '\0';
  return true;
}

bool resolve(const char* value, unsigned pid, const char* runtime_dir, Destination& out) {
  static constexpr char kOnStderr[] = "stderr:";
  static constexpr char kName[] = "/kev-%p.stats";
  out.on_stderr = true;
  if (value[0] == '\0' || std::strcmp(value, "1") == 0) {
    const char* folder = runtime_dir != nullptr && runtime_dir[0] == '/' ? runtime_dir : "/tmp";
    unsigned long length = std::strlen(folder);
    if (length >= sizeof out.path) return false;
    std::memcpy(out.path, folder, length + 1);
    return expand_path(kName, pid, out.path + length, static_cast<unsigned>(sizeof out.path - length));
  }
  if (std::strncmp(value, kOnStderr, sizeof kOnStderr - 1) == 0) {
    const char* path = value + sizeof kOnStderr - 1;
    unsigned long length = std::strlen(path);
    if (length == 0 || length >= sizeof out.path) return false;
    std::memcpy(out.path, path, length + 1);
    return true;
  }
  out.on_stderr = false;
  return expand_path(value, pid, out.path, sizeof out.path);
}

int open_page(const char* path, const char* command, bool& created) {
  created = false;
  int error = 0;
  Header* h = open_mapping(path, error);
  if (h == nullptr) return error;
  unsigned pid = os::getpid();
  uint32_t nobody = 0;
  h->main_pid.compare_exchange_strong(nobody, pid, std::memory_order_relaxed);
  created = h->main_pid.load(std::memory_order_relaxed) == pid;
  mapped.store(h, std::memory_order_relaxed);
  claim(h, pid, 0, command, State::active, "");
  return 0;
}

int create_page(const char* path, bool measure) {
  int fd = os::openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd >= 0) {
    struct stat status;
    int error = examine(fd, status);
    os::close(fd);
    if (error < 0) return error;
    if (status.st_size != 0) {
      error = os::unlink(path);
      if (error < 0 && error != -ENOENT) return error;
    }
  } else if (fd != -ENOENT) {
    return fd;
  }
  int error = 0;
  Header* h = open_mapping(path, error);
  if (h == nullptr) return error;
  h->main_pid.store(os::getpid(), std::memory_order_relaxed);
  if (measure) calibrate(*h);
  os::munmap(h, kFileBytes);
  return 0;
}

void claim_slot_after_fork(unsigned parent) {
  Header* h = mapped.load(std::memory_order_relaxed);
  const Slot* before = slot.load(std::memory_order_relaxed);
  if (h == nullptr || before == nullptr) return;
  claim(h, os::getpid(), parent, before->command, before->state.load(std::memory_order_relaxed), before->note);
}

void set_state(State state, const char* note) {
  Slot* s = slot.load(std::memory_order_relaxed);
  if (s == nullptr) return;
  if (note != nullptr) copy_text(s->note, sizeof s->note, note);
  s->state.store(state, std::memory_order_relaxed);
}

void mark_ended() {
  Slot* s = slot.load(std::memory_order_relaxed);
  if (s == nullptr || is_last(s)) return;
  s->ended_ns.store(os::monotonic_ns(), std::memory_order_relaxed);
  s->ended.store(1, std::memory_order_release);
}

bool is_main_process() {
  const Header* h = header();
  return h != nullptr && h->main_pid.load(std::memory_order_relaxed) == os::getpid();
}

const Header* header() { return mapped.load(std::memory_order_relaxed); }

const Slot* slot_at(const Header* header, unsigned index) {
  return reinterpret_cast<const Slot*>(reinterpret_cast<const char*>(header) + (1ul + index) * kSlotBytes);
}

const Header* map_existing(const char* path, int& error) {
  int fd = os::openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  error = fd < 0 ? fd : 0;
  if (fd < 0) return nullptr;
  struct stat status;
  void* memory = nullptr;
  error = examine(fd, status);
  if (error == -EEXIST || (error == 0 && status.st_size < static_cast<long>(kFileBytes))) error = -EINVAL;
  if (error == 0) memory = os::mmap(nullptr, kFileBytes, PROT_READ, MAP_SHARED, fd, 0, error);
  os::close(fd);
  return static_cast<const Header*>(memory);
}

}  // namespace kev::stats
