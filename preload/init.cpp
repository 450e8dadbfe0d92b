// The preload object's beginning and end: what is decided at start, and the report at exit.
//
// Runs before main() and after it; other objects' constructors may have called us before, and may after. Makes no
// system call that the loader has not made if a seccomp filter is inherited that nobody vouches for.
#include <atomic>
#include <cstring>
#include <initializer_list>
#include <pthread.h>
#include <unistd.h>

#include "bell/refusal.hpp"
#include "bell/silence.hpp"
#include "cancel/canceller.hpp"
#include "cancel/libc.hpp"
#include "config/options.hpp"
#include "config/probed.hpp"
#include "record/registry.hpp"
#include "mirror/tuning.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"
#include "preload/descriptors.hpp"
#include "preload/shim.hpp"
#include "process/generation.hpp"
#include "process/quiet.hpp"
#include "process/status.hpp"
#include "process/vfork.hpp"
#include "stats/at_exit.hpp"
#include "stats/page.hpp"

namespace kev::preload {

constinit Shim shim;

namespace {

using KeyCreate = int (*)(pthread_key_t*, void (*)(void*));
using SetSpecific = int (*)(pthread_key_t, const void*);

constinit config::Options options;
constinit bool filter_installed = false;  // by the program itself
constinit SetSpecific set_specific = nullptr;
constinit pthread_key_t exit_key = 0;
using ExitFunction = void (*)(void*);
constinit std::atomic<ExitFunction> exit_function{nullptr};

template <typename Function>
void find(Function& pointer, const char* symbol) {
  pointer = reinterpret_cast<Function>(find_in_libc(symbol));
}

// Writes pieces to stderr, ignoring failure: there is nobody to tell.
void say(std::initializer_list<const char*> pieces) {
  char line[512];
  size_t length = 0;
  for (const char* piece : pieces)
    for (; *piece != '\0' && length < sizeof line; ++piece) line[length++] = *piece;
  os::write_all(STDERR_FILENO, line, length);
}

// A name that is no option of ours is kev-run's to report: here every process of a tree would say it again.
void complain(const config::Complaint& complaint) {
  if (complaint.allowed == nullptr) return;
  char name[64] = {};
  memcpy(name, complaint.name, complaint.name_length < sizeof name ? complaint.name_length : sizeof name - 1);
  say({"kev: ", name, "=", complaint.value, " is not allowed (", complaint.allowed, "); ignored\n"});
}

bool arm_thread_exit(void (*function)(void*), void* argument) {
  exit_function.store(function, std::memory_order_relaxed);
  return set_specific(exit_key, argument) == 0;
}

void at_exit_of_thread(void* argument) {
  exit_function.load(std::memory_order_relaxed)(argument);
}

// Cancellation is the C library's, and so are the threads.
void connect_threads() {
  cancel::libc.cancel = next.pthread_cancel;
  cancel::libc.setcancelstate = next.pthread_setcancelstate;
  find(cancel::libc.testcancel, "pthread_testcancel");
  find(cancel::libc.setcanceltype, "pthread_setcanceltype");
  find(cancel::libc.getcpuclockid, "pthread_getcpuclockid");
  find(cancel::libc.register_cancel, "__pthread_register_cancel");
  find(cancel::libc.unregister_cancel, "__pthread_unregister_cancel");
  find(cancel::libc.unwind_next, "__pthread_unwind_next");
}

// Which cancellation points are made here: all, where nobody stands behind us who wants to see them.
void activate_points() {
  for (unsigned family = 0; family < static_cast<unsigned>(Family::count_); ++family)
    shim.points[family] = foreign_object(static_cast<Family>(family)) == nullptr;
  shim.cancels = true;
  const char* (*version)() = nullptr;
  find(version, "gnu_get_libc_version");
  shim.libc_has_random = version != nullptr && strverscmp(version(), "2.41") >= 0;
}

// A key of libc's tells when a thread ends. A program without libpthread (glibc before 2.34) has no threads.
void prepare_thread_exit() {
  KeyCreate key_create;
  find(key_create, "pthread_key_create");
  find(set_specific, "pthread_setspecific");
  if (key_create == nullptr || set_specific == nullptr) return;
  if (key_create(&exit_key, at_exit_of_thread) == 0) record::at_thread_exit = arm_thread_exit;
}

const char* find_variable(char* const* envp, const char* name) {
  size_t length = strlen(name);
  for (; *envp != nullptr; ++envp)
    if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=') return *envp + length + 1;
  return nullptr;
}

// What an inherited filter leaves to us. Without /proc nobody can tell.
struct Permitted {
  bool core = true;
  bool statistics = true;
  bool rings = true;  // not under a filter, whatever others have survived: io_uring's calls are those that filters are for
};

Permitted permitted(char* const* envp) {
  constexpr unsigned long kUnknown = ~0ul;
  constexpr const char* kStatistics[] = {"openat", "fstat", "fallocate", "ftruncate", "pwrite64", "mmap",  "close",
                                         "getpid", "geteuid", "clock_gettime", "ppoll", "write", "unlinkat"};
  Permitted result;
  if (process::status_number("Seccomp:", kUnknown) == 0) return result;
  result.rings = false;
  const char* value = find_variable(envp, config::kProbedVariable);
  unsigned filters = static_cast<unsigned>(process::status_number("Seccomp_filters:", kUnknown));
  for (const char* call : config::kProbes) result.core = result.core && config::probed(value, filters, call);
  for (const char* call : kStatistics) result.statistics = result.statistics && config::probed(value, filters, call);
  return result;
}

void open_statistics(const char* command, char* const* envp) {
  int error = stats::start(options.stats, find_variable(envp, "XDG_RUNTIME_DIR"), command, /*may_calibrate=*/!process::is_quiet());
  if (error < 0)
    say({"kev: cannot count: KEV_STATS=", options.stats,
         error == -EEXIST ? " is not a file of counters\n" : " cannot be used\n"});
}

void go_native() {
  shim.mirrors = false;
  bool counting = stats::counting();
  shim.poll_slow_from = counting ? 0 : ~0ul;
  shim.select_slow_from = counting ? 0 : 0x7fffffff;
  shim.bells = false;
  shim.epoll_direct = !counting;
}

const char* first_foreign() {
  for (Family family : {Family::poll, Family::select})
    if (const char* object = foreign_object(family)) return object;
  return nullptr;
}

// Decides what this process does. `state` and the returned note go into the report.
const char* activate(stats::State& state, const Permitted& permit) {
  const char* other = first_foreign();
  state = options.engine == config::Engine::off ? stats::State::off
          : other != nullptr                    ? stats::State::foreign
                                                : stats::State::active;
  if (state == stats::State::off) return "engine=off";
  activate_points();
  if (state == stats::State::foreign) return other;
  if (!record::start()) {
    state = stats::State::refused;
    return "no memory, or a kernel before 4.14";
  }
  mirror::tuning = options.engine == config::Engine::auto_ ? mirror::Tuning{} : mirror::kEager;
  mirror::tuning.minimum = options.mirror_min;
  mirror::tuning.promote_after = options.promote_after;
  mirror::tuning.verify_ns = int64_t{options.verify_usec} * 1000;
  bell::arm_after = options.bell_after;
  bell::verify_ns = mirror::tuning.verify_ns;
  bell::spin_ns = int64_t{options.spin_usec} * 1000;
  prepare_thread_exit();
  shim.mirrors = true;
  shim.bells = options.engine == config::Engine::auto_ && shim.points[static_cast<unsigned>(Family::epoll)];
  if (!permit.rings) shim.bells = false;
  if (!shim.bells) bell::refusal.store(EPERM, std::memory_order_relaxed);
  if (stats::counting()) return "";
  shim.poll_slow_from = options.mirror_min;
  shim.select_slow_from = static_cast<int>(options.mirror_min);
  return "";
}

[[gnu::constructor]] void begin(int, char** argv, char** envp) {
  find_next();
  find(os::clock_function, "clock_gettime");
  connect_threads();
  options = config::from_environment(envp, complain);
  Permitted permit = permitted(envp);
  process::quiet.store(!permit.core, std::memory_order_relaxed);
  if (options.stats != nullptr && permit.statistics) open_statistics(argv[0] == nullptr ? "" : argv[0], envp);
  go_native();
  stats::State state;
  const char* note = "";
  if (process::is_quiet())
    state = stats::State::seccomp;
  else
    note = activate(state, permit);
  if (stats::counting()) stats::set_state(state, note);
  if (options.verbose && permit.statistics) say({"kev: ", state == stats::State::active ? "active" : "passes through: ", note, "\n"});
}

[[gnu::destructor]] void end() { before_exit(); }

}  // namespace

const Next& real_threads() {
  if (real().pthread_cancel == nullptr) {
    find_late();
    connect_threads();
  }
  return next;
}

void check_process() {
  if (!record::is_started() || !process::is_forked_child()) return;
  cancel::after_fork();
  record::after_fork();
  // Under a filter the child goes on counting in its parent's slot.
  stats::Slot* slot = stats::slot.load(std::memory_order_relaxed);
  if (slot != nullptr && !process::is_quiet()) stats::claim_slot_after_fork(slot->pid.load(std::memory_order_relaxed));
}

void before_exit() {
  if (!stats::counting()) return;
  check_process();
  stats::finish(options.stats_format, /*may_write=*/!filter_installed);
}

void before_filter() {
  if (process::in_vfork_child()) {
    drop_copies();
    kev_vfork_depth |= process::kFilteredChild;
    return;
  }
  if (shim.cancels) cancel::before_filter();
  process::quiet.store(true, std::memory_order_relaxed);
  filter_installed = true;
  go_native();
  record::stop();
}

void before_own_table() {
  if (process::in_vfork_child()) return;
  if (stats::counting() && shim.mirrors) stats::set_state(stats::State::refused, "a thread has a descriptor table of its own");
  go_native();
  record::stop();
}

}  // namespace kev::preload
