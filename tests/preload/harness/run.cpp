// Starts a program and waits for it.
#include "harness/run.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <system_error>

extern char** environ;

namespace preload_test {

namespace {

std::string from_environment(const char* name) {
  const char* value = ::getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set: run the test by meson");
  return value;
}

std::string contents(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t size;
  for (off_t at = 0; (size = ::pread(fd, buffer, sizeof buffer, at)) > 0; at += size) text.append(buffer, size);
  return text;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

std::string joined(std::initializer_list<std::string> entries) {
  std::string list;
  for (const std::string& entry : entries)
    if (!entry.empty()) list += (list.empty() ? "" : ":") + entry;
  return list;
}

// The test's own environment without what is about preloading, and what the command adds.
std::vector<std::string> environment_of(const Command& command, By by, const std::string& counters) {
  std::vector<std::string> list;
  // Meson sets ASAN_OPTIONS since 1.3; what a case asks for would come second, and not be seen.
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (::strncmp(*entry, "LD_PRELOAD=", 11) != 0 && ::strncmp(*entry, "KEV_", 4) != 0 &&
        ::strncmp(*entry, "ASAN_OPTIONS=", 13) != 0)
      list.emplace_back(*entry);
  const std::string object = by == By::preload ? preload_object() : std::string();
  const std::string preload = joined({command.before, object, command.after});
  if (!preload.empty()) list.push_back("LD_PRELOAD=" + preload);
  if (by != By::nothing) list.push_back("KEV_ENGINE=" + command.engine);
  if (by != By::nothing && command.eager) {
    list.emplace_back("KEV_MIRROR_MIN=1");
    list.emplace_back("KEV_PROMOTE_AFTER=1");
  }
  if (!counters.empty()) list.push_back("KEV_STATS=" + counters);
  list.insert(list.end(), command.environment.begin(), command.environment.end());
  return list;
}

// Ends with exit status or signal, or is killed at the deadline.
int status_of(pid_t child, int seconds) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  pollfd set = {pidfd, POLLIN, 0};
  const bool ended = ::poll(&set, 1, seconds * 1000) == 1;
  ::close(pidfd);
  if (!ended) ::kill(-child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!ended) return kHung;
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
}

struct Files {
  int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  int out = static_cast<int>(::memfd_create("out", MFD_CLOEXEC));
  int err = static_cast<int>(::memfd_create("err", MFD_CLOEXEC));
  ~Files() {
    for (int fd : {in, out, err}) ::close(fd);
  }
};

Outcome start(const std::vector<std::string>& words, const std::vector<std::string>& variables, int seconds) {
  Files files;
  std::vector<char*> arguments = pointers(words);
  std::vector<char*> environment = pointers(variables);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::dup2(files.in, 0);
    ::dup2(files.out, 1);
    ::dup2(files.err, 2);
    ::syscall(SYS_close_range, 3u, ~0u, 0u);  // the program's numbers begin at 3
    ::execve(arguments[0], arguments.data(), environment.data());
    ::dprintf(2, "cannot execute %s: %s\n", arguments[0], ::strerror(errno));
    ::_exit(127);
  }
  Outcome outcome;
  outcome.status = status_of(child, seconds);
  outcome.out = contents(files.out);
  outcome.err = contents(files.err);
  return outcome;
}

// A name for a file that does not exist yet, in a folder that goes with the driver: a descendant that outlives a run
// makes its counters anew when they have been read and removed.
std::string fresh_name() {
  static const struct Folder {
    Folder() : path("/tmp/kev-test-" + std::to_string(::getpid())) { ::mkdir(path.c_str(), 0700); }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    std::string path;
  } folder;
  static int count = 0;
  return folder.path + "/" + std::to_string(++count) + ".stats";
}

}  // namespace

Outcome run(const Command& command, By by) {
  const bool counted = command.counted && by != By::nothing;
  const std::string counters = counted ? fresh_name() : std::string();
  std::vector<std::string> words = command.arguments;
  if (by == By::kev_run) words.insert(words.begin(), {kev_run(), "--"});
  Outcome outcome = start(words, environment_of(command, by, counters), command.seconds);
  if (counted && exists(counters)) {
    outcome.report = Report(start({kev_run(), "--report", counters, "--stats-format=json"}, {}, 20).out);
    ::unlink(counters.c_str());
  }
  return outcome;
}

std::string program(const std::string& name) { return from_environment("KEV_TEST_PROGRAMS") + "/kev-test-" + name; }
std::string preload_object() { return from_environment("KEV_PRELOAD"); }
std::string kev_run() { return from_environment("KEV_RUN"); }
bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string line(const Command& command) {
  std::string text;
  for (const std::string& word : command.arguments) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace preload_test
