#include "world_process.hpp"

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/futex.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace oracle {

namespace {

uint32_t load(const uint32_t& word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }

void wait_for_change(const uint32_t& word, uint32_t old, long ns) {
  timespec timeout = {ns / 1'000'000'000, ns % 1'000'000'000};
  syscall(SYS_futex, &word, FUTEX_WAIT, old, &timeout, nullptr, 0);
}

// The system call in which each thread of a process that hangs is, on stderr.
void tell_where(int pid) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
    std::string call;
    std::getline(std::ifstream(task.path() / "syscall"), call);
    fprintf(stderr, "hangs: process %d, thread %s: %s\n", pid, task.path().filename().c_str(), call.c_str());
  }
}

}  // namespace

WorldProcess::WorldProcess(const WorldOptions& options) : options_(options) {
  char folder[] = "/tmp/kev-oracle-XXXXXX";
  if (mkdtemp(folder) == nullptr) throw std::runtime_error("no folder in /tmp");
  folder_ = folder;
  std::string path = folder_ + "/shared";
  int fd = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, sizeof(Shared)) != 0) throw std::runtime_error("cannot make " + path);
  void* at = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at == MAP_FAILED) throw std::runtime_error("cannot map " + path);
  shared_ = static_cast<Shared*>(at);
  start();
}

WorldProcess::~WorldProcess() {
  stop();
  munmap(shared_, sizeof(Shared));
  for (const char* name : {"/shared", "/file", "/fifo", "/touched"}) unlink((folder_ + name).c_str());
  rmdir(folder_.c_str());
}

void WorldProcess::start() {
  shared_->go = shared_->done = shared_->quit = 0;
  std::string path = folder_ + "/shared";
  const char* argv[] = {options_.program.c_str(), path.c_str(), folder_.c_str(), nullptr};
  std::vector<char*> environment;
  for (char** at = environ; *at != nullptr; ++at)
    if (strncmp(*at, "LD_PRELOAD=", 11) != 0 && strncmp(*at, "KEV_", 4) != 0) environment.push_back(*at);
  for (std::string& setting : options_.environment) environment.push_back(setting.data());
  environment.push_back(nullptr);

  // The world has the numbers 0, 1 and 2, and nothing to say on them.
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd < 3; ++fd)
    if (fd < 2 || std::getenv("ORACLE_STDERR") == nullptr)
      posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  int error = posix_spawn(&pid_, argv[0], &actions, nullptr, const_cast<char**>(argv), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + options_.program);
}

void WorldProcess::stop() {
  shared_->quit = 1;
  __atomic_add_fetch(&shared_->go, 1, __ATOMIC_RELEASE);
  syscall(SYS_futex, &shared_->go, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  waitpid(pid_, nullptr, 0);
}

void WorldProcess::begin(const Sequence& sequence) {
  shared_->count = static_cast<uint32_t>(sequence.ops.size());
  shared_->by_clone = sequence.by_clone;
  memcpy(shared_->op, sequence.ops.data(), sequence.ops.size() * sizeof(Op));
  __atomic_add_fetch(&shared_->go, 1, __ATOMIC_RELEASE);
  syscall(SYS_futex, &shared_->go, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

Trace WorldProcess::finish() {
  constexpr int kPerSecond = 10;
  Trace trace;
  uint32_t expected = load(shared_->go);
  uint32_t words = 0;
  for (int quiet = 0; load(shared_->done) != expected;) {
    wait_for_change(shared_->done, expected - 1, 1'000'000'000 / kPerSecond);
    if (load(shared_->done) == expected) break;
    quiet = load(shared_->words) == words ? quiet + 1 : 0;
    words = load(shared_->words);
    int status;
    if (waitpid(pid_, &status, WNOHANG) == pid_) throw std::runtime_error("a world ended: status " + std::to_string(status));
    int32_t pid = __atomic_load_n(&shared_->pid, __ATOMIC_ACQUIRE);
    if (quiet > options_.hang_seconds * kPerSecond && pid > 0 && !trace.hung) {
      trace.hung = true;
      trace.at = shared_->current;
      tell_where(pid);
      kill(-pid, SIGKILL);
    }
    if (quiet > 3 * options_.hang_seconds * kPerSecond) {
      tell_where(pid_);
      if (pid > 0) tell_where(pid);
      throw std::runtime_error("a world does not answer: go " + std::to_string(expected) + ", done " +
                               std::to_string(load(shared_->done)) + ", child " + std::to_string(pid));
    }
  }
  trace.status = shared_->status;
  if (!trace.hung) trace.at = shared_->current;
  for (uint32_t i = 0; i < shared_->records; ++i) {
    uint32_t end = i + 1 < shared_->records ? shared_->record[i + 1].at : shared_->words;
    Trace::Record record = {shared_->record[i].op, {}};
    for (uint32_t at = shared_->record[i].at; at < end && at < TRACE_WORDS; ++at) record.words.push_back(shared_->word[at]);
    trace.records.push_back(std::move(record));
  }
  return trace;
}

}  // namespace oracle
