// Opening the counters at start, and the report on stderr at the end.
#include "stats/at_exit.hpp"

#include "os/file.hpp"
#include "os/pid.hpp"
#include "os/poll.hpp"
#include "stats/page.hpp"
#include "stats/writer.hpp"

#include <csignal>

namespace kev::stats {

namespace {

constexpr int kStderr = 2;
constexpr int kPatienceSeconds = 1;  // for a stderr that takes nothing

Destination destination;
struct stat stderr_at_start;
bool stderr_open = false;

bool is_stderr_of_start() {
  struct stat now;
  return stderr_open && os::fstat(kStderr, &now) == 0 && now.st_dev == stderr_at_start.st_dev &&
         now.st_ino == stderr_at_start.st_ino && now.st_mode == stderr_at_start.st_mode;
}

bool others_count(const Header* h, unsigned own) {
  uint32_t used = h->used.load(std::memory_order_relaxed);
  for (unsigned i = 0; i < used && i < kSlots; ++i) {
    const Slot* s = slot_at(h, i);
    unsigned pid = s->pid.load(std::memory_order_acquire);
    if (pid == 0 || pid == own || s->ended.load(std::memory_order_relaxed) != 0) continue;
    if (os::process_runs(pid)) return true;
  }
  return false;
}

// SIGPIPE held back for as long as it lives, and taken off again if the write raised it.
class NoSigpipe {
 public:
  NoSigpipe() { change(SIG_BLOCK, &only_, &before_); }
  ~NoSigpipe() { change(SIG_SETMASK, &before_, nullptr); }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

  void take_off() {
    timespec zero = {0, 0};
    arch::syscall(SYS_rt_sigtimedwait, reinterpret_cast<long>(&only_), 0, reinterpret_cast<long>(&zero), sizeof only_);
  }

 private:
  static void change(int how, const unsigned long* set, unsigned long* old) {
    arch::syscall(SYS_rt_sigprocmask, how, reinterpret_cast<long>(set), reinterpret_cast<long>(old), sizeof *set);
  }

  unsigned long only_ = 1ul << (SIGPIPE - 1);  // the kernel's sigset_t
  unsigned long before_ = 0;
};

struct Stderr {
  NoSigpipe guard{};
  bool failed = false;
};

// A piece is smaller than what a writable pipe takes without blocking.
void write_piece(void* context, const char* text, unsigned length) {
  auto* out = static_cast<Stderr*>(context);
  if (out->failed) return;
  pollfd ready = {kStderr, POLLOUT, 0};
  timespec patience = {kPatienceSeconds, 0};
  out->failed = os::ppoll(&ready, 1, &patience, nullptr) != 1 || (ready.revents & (POLLOUT | POLLERR)) != POLLOUT;
  if (out->failed) return;
  int error = os::write_all(kStderr, text, length);
  out->failed = error < 0;
  if (error == -EPIPE) out->guard.take_off();
}

}  // namespace

int start(const char* setting, const char* runtime_dir, const char* command, bool may_calibrate) {
  bool main = false;
  if (!resolve(setting, os::getpid(), runtime_dir, destination)) return -ENAMETOOLONG;
  stderr_open = destination.on_stderr && os::fstat(kStderr, &stderr_at_start) == 0;
  int error = open_page(destination.path, command, main);
  if (error == 0 && main && may_calibrate) calibrate();
  return error;
}

void finish(config::StatsFormat format, bool may_write) {
  const Header* h = header();
  if (h == nullptr) return;
  mark_ended();
  if (!may_write || !destination.on_stderr || !is_main_process()) return;
  if (!is_stderr_of_start()) return;
  bool keep = others_count(h, os::getpid());
  Stderr out;
  write_report(h, 0, format, write_piece, &out);
  if (keep && format == config::StatsFormat::text) {
    Writer text(write_piece, &out);
    text.put("other processes still count: kev-run --report ").put(destination.path).put('\n');
  }
  if (!keep && !out.failed) os::unlink(destination.path);
}

}  // namespace kev::stats
