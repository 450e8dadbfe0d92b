// The ptrace loop: one stop at a time, from whichever thread it comes.
#include "harness/tracer.hpp"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "harness/hang.hpp"
#include "harness/kinds.hpp"
#include "harness/run.hpp"

namespace faults {

namespace {

constexpr uint64_t kReturn = 1ul << 32;  // cancel/stub.hpp: the stub returns to the core

// What is called from within a system call's stop to the next, of one thread.
struct Thread {
  pid_t process = 0;
  Fault fault = {};
  uint64_t exec_mapping = 0;  // an mmap of code is under way: its descriptor + 1
  bool in_call = false;
};

class Tracer {
 public:
  Tracer(const Program& program, const Object& object, const Decide& decide)
      : program_(program), object_(object), decide_(decide) {}

  TracedRun run();

 private:
  void start();
  void follow();
  bool next_stop(pid_t& tid, int& status);
  void on_stop(pid_t tid, int status);
  void on_system_call(pid_t tid, Thread& thread);
  void on_entry(pid_t tid, Thread& thread, const __ptrace_syscall_info& info);
  void on_exit(pid_t tid, Thread& thread);
  bool is_own(pid_t tid, uint64_t site, const __ptrace_syscall_info& info) const;
  void find_object(pid_t process);
  void end_hung();

  const Program& program_;
  const Object& object_;
  const Decide& decide_;
  TracedRun result_;
  pid_t main_ = 0;
  int out_ = -1, err_ = -1;
  std::map<pid_t, Thread> threads_;
  std::map<pid_t, uint64_t> bases_;  // by process: where the object is mapped, 0 not yet
  std::map<std::string, unsigned> of_kind_;
  std::map<uint64_t, unsigned> of_site_;
  timespec end_ = {};
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

std::string contents(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t size;
  for (off_t at = 0; (size = ::pread(fd, buffer, sizeof buffer, at)) > 0; at += size) text.append(buffer, size);
  ::close(fd);
  return text;
}

void on_tick(int) {}

// Interrupts the wait for a stop now and then, so that a hang is noticed.
class Tick {
 public:
  Tick() {
    struct sigaction action = {};
    action.sa_handler = on_tick;
    ::sigaction(SIGALRM, &action, &before_);
    const itimerval interval = {{0, 200'000}, {0, 200'000}};
    ::setitimer(ITIMER_REAL, &interval, nullptr);
  }
  ~Tick() {
    const itimerval never = {};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  struct sigaction before_ = {};
};

void Tracer::start() {
  out_ = static_cast<int>(::memfd_create("out", MFD_CLOEXEC));
  err_ = static_cast<int>(::memfd_create("err", MFD_CLOEXEC));
  std::vector<char*> arguments = pointers(program_.arguments);
  std::vector<char*> environment = pointers(program_.environment);
  int gate[2];
  if (::pipe2(gate, O_CLOEXEC) != 0) return;
  main_ = ::fork();
  if (main_ == 0) {
    ::setpgid(0, 0);
    char byte;
    if (::read(gate[0], &byte, 1) != 1) ::_exit(126);
    ::dup2(::open("/dev/null", O_RDONLY), 0);
    ::dup2(out_, 1);
    ::dup2(err_, 2);
    ::syscall(SYS_close_range, 3u, ~0u, 0u);
    ::execve(arguments[0], arguments.data(), environment.data());
    ::_exit(127);
  }
  constexpr unsigned long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                                     PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  if (::ptrace(PTRACE_SEIZE, main_, 0, kOptions) != 0) result_.err = "cannot trace\n";
  ::ptrace(PTRACE_INTERRUPT, main_, 0, 0);
  if (::write(gate[1], "g", 1) != 1) result_.err = "cannot start\n";
  ::close(gate[0]);
  ::close(gate[1]);
  threads_[main_].process = main_;
  ::clock_gettime(CLOCK_MONOTONIC, &end_);
  end_.tv_sec += program_.seconds;
}

// False: nothing is left, or the time is over.
bool Tracer::next_stop(pid_t& tid, int& status) {
  for (;;) {
    tid = ::waitpid(-1, &status, __WALL);
    if (tid > 0) return true;
    if (errno != EINTR) return false;
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > end_.tv_sec || (now.tv_sec == end_.tv_sec && now.tv_nsec > end_.tv_nsec)) return false;
  }
}

void Tracer::end_hung() {
  std::set<pid_t> processes;
  for (const auto& [tid, thread] : threads_) processes.insert(thread.process);
  for (pid_t process : processes) result_.hang += describe_hang(process, object_);
  for (pid_t process : processes) ::kill(process, SIGKILL);
  int status;
  while (::waitpid(-1, &status, __WALL) > 0 || errno == EINTR) {
  }
  result_.status = preload_test::kHung;
}

void Tracer::follow() {
  pid_t tid;
  int status;
  while (!threads_.empty()) {
    if (!next_stop(tid, status)) {
      if (!threads_.empty()) end_hung();
      return;
    }
    if (WIFSTOPPED(status)) {
      on_stop(tid, status);
      continue;
    }
    if (tid == main_)
      result_.status = WIFEXITED(status) ? WEXITSTATUS(status) : preload_test::kSignalled + WTERMSIG(status);
    threads_.erase(tid);
  }
}

void Tracer::on_stop(pid_t tid, int status) {
  Thread& thread = threads_[tid];
  if (thread.process == 0) thread.process = process_of(tid);
  const int signal = WSTOPSIG(status);
  const int event = status >> 16;
  long passed_on = 0;
  __ptrace_request how = PTRACE_SYSCALL;
  if (signal == (SIGTRAP | 0x80)) {
    on_system_call(tid, thread);
  } else if (event == PTRACE_EVENT_EXEC) {
    unsigned long former = 0;
    ::ptrace(PTRACE_GETEVENTMSG, tid, 0, &former);
    if (static_cast<pid_t>(former) != tid) threads_.erase(static_cast<pid_t>(former));
    bases_[thread.process] = 0;
  } else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
    unsigned long child = 0;
    ::ptrace(PTRACE_GETEVENTMSG, tid, 0, &child);
    // A thread of this process, or a process that has the object where this one has it.
    Thread& fresh = threads_[static_cast<pid_t>(child)];
    fresh.process = process_of(static_cast<pid_t>(child));
    if (fresh.process != thread.process) bases_[fresh.process] = bases_[thread.process];
  } else if (event == PTRACE_EVENT_STOP) {
    if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) how = PTRACE_LISTEN;
  } else {
    passed_on = signal;
  }
  ::ptrace(how, tid, 0, passed_on);
}

void Tracer::on_system_call(pid_t tid, Thread& thread) {
  __ptrace_syscall_info info = {};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0) return;
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
    on_entry(tid, thread, info);
  else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
    on_exit(tid, thread);
}

bool Tracer::is_own(pid_t tid, uint64_t site, const __ptrace_syscall_info& info) const {
  if (info.entry.nr == SYS_vfork) return false;
  if (site != object_.stub_return()) return true;
  if (info.entry.nr != SYS_ppoll || info.entry.args[1] != 1) return false;
  const uint64_t how = static_cast<uint64_t>(::ptrace(PTRACE_PEEKDATA, tid, info.stack_pointer + 24, 0));
  const long entry = ::ptrace(PTRACE_PEEKDATA, tid, info.entry.args[0], 0);
  return (how & kReturn) != 0 && descriptor_name(tid, static_cast<int>(entry)) == "anon_inode:[eventpoll]";
}

void Tracer::on_entry(pid_t tid, Thread& thread, const __ptrace_syscall_info& info) {
  thread.fault = {};
  const uint64_t* arguments = reinterpret_cast<const uint64_t*>(info.entry.args);
  const uint64_t base = bases_[thread.process];
  if (base == 0) {
    if (info.entry.nr == SYS_mmap && (arguments[2] & PROT_EXEC) != 0) thread.exec_mapping = 1;
    return;
  }
  const uint64_t site = info.instruction_pointer - base;
  if (!object_.has_code_at(site) || !is_own(tid, site, info)) return;
  OwnCall call;
  call.kind = kind_of(tid, info.entry.nr, arguments);
  if (site == object_.stub_return()) call.kind += " (asleep)";
  call.site = site;
  call.of_kind = of_kind_[call.kind]++;
  call.of_site = of_site_[site]++;
  thread.fault = decide_(call);
  result_.calls.push_back(call);
  if (thread.fault.error == 0) return;
  ++result_.injected;
  if (!thread.fault.is_made) ::ptrace(PTRACE_POKEUSER, tid, offsetof(user_regs_struct, orig_rax), -1L);
}

void Tracer::on_exit(pid_t tid, Thread& thread) {
  if (thread.fault.error != 0)
    ::ptrace(PTRACE_POKEUSER, tid, offsetof(user_regs_struct, rax), -static_cast<long>(thread.fault.error));
  thread.fault = {};
  if (thread.exec_mapping != 0) find_object(thread.process);
  thread.exec_mapping = 0;
}

void Tracer::find_object(pid_t process) {
  std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(object_.path()) == std::string::npos) continue;
    bases_[process] = ::strtoull(line.c_str(), nullptr, 16);
    return;
  }
}

TracedRun Tracer::run() {
  Tick tick;
  start();
  follow();
  ::kill(-main_, SIGKILL);  // what the program left behind
  result_.out = contents(out_);
  result_.err += contents(err_);
  return result_;
}

}  // namespace

bool can_trace() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const bool can = ::ptrace(PTRACE_SEIZE, child, 0, 0) == 0;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, __WALL);
  return can;
}

TracedRun trace(const Program& program, const Object& object, const Decide& decide) {
  return Tracer(program, object, decide).run();
}

}  // namespace faults
