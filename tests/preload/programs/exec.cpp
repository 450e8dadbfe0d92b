// Executes a child in every way that there is, and says how it ended.
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <string>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

extern char** environ;

namespace {

// exec WAY PATH [WORD]: the child's file must stand in PATH's folder.
const char* path;
const char* name;
char* words[3];

void execute(const std::string& way) {
  if (way == "execve") ::execve(path, words, environ);
  if (way == "execv") ::execv(path, words);
  if (way == "execvp") ::execvp(name, words);
  if (way == "execvpe") ::execvpe(name, words, environ);
  if (way == "execl") ::execl(path, words[0], words[1], nullptr);
  if (way == "execlp") ::execlp(name, words[0], words[1], nullptr);
  if (way == "execle") ::execle(path, words[0], words[1], nullptr, environ);
  if (way == "fexecve") ::fexecve(::open(path, O_RDONLY), words, environ);
  if (way == "execveat") ::execveat(AT_FDCWD, path, words, environ, 0);
  if (way == "relative") {
    CHECK(::chdir(std::string(path, static_cast<size_t>(name - path)).c_str()) == 0);
    ::execve(name, words, environ);
  }
}

pid_t start(const std::string& way) {
  pid_t child = -1;
  if (way == "posix_spawn") {
    CHECK(::posix_spawn(&child, path, nullptr, nullptr, words, environ) == 0);
  } else if (way == "posix_spawnp") {
    CHECK(::posix_spawnp(&child, name, nullptr, nullptr, words, environ) == 0);
  } else if (way == "spawn_elsewhere") {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addchdir_np(&actions, std::string(path, static_cast<size_t>(name - path)).c_str());
    const std::string there = "./" + std::string(name);
    CHECK(::posix_spawn(&child, there.c_str(), &actions, nullptr, words, environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
  } else if (way == "vfork") {
    child = ::vfork();
    if (child == 0) {
      ::execve(path, words, environ);
      ::_exit(99);
    }
  } else {
    child = ::fork();
    if (child == 0) {
      execute(way);
      ::dprintf(2, "%s failed: %d\n", way.c_str(), errno);
      ::_exit(99);
    }
  }
  return child;
}

void prepare(char** arguments) {
  path = arguments[0];
  name = ::strrchr(path, '/') + 1;
  words[0] = const_cast<char*>(name);
  words[1] = arguments[1];
  const std::string folder(path, static_cast<size_t>(name - path) - 1);
  CHECK(::setenv("PATH", (folder + ":/usr/bin:/bin").c_str(), 1) == 0);
}

int status_of(pid_t child) {
  int status = -1;
  CHECK(::waitpid(child, &status, 0) == child && WIFEXITED(status));
  return WEXITSTATUS(status);
}

}  // namespace

SCENARIO(every_way) {
  prepare(arguments);
  for (const char* way : {"execve", "execv", "execvp", "execvpe", "execl", "execlp", "execle", "fexecve", "execveat",
                          "relative", "posix_spawn", "posix_spawnp", "spawn_elsewhere", "vfork"})
    say("%s %d\n", way, status_of(start(way)));
  const int status = ::system(words[1] == nullptr ? path : (std::string(path) + " " + words[1]).c_str());
  say("system %d\n", WEXITSTATUS(status));
  FILE* stream = ::popen(path, "r");
  CHECK(stream != nullptr);
  char text[64] = {};
  while (::fgets(text, sizeof text, stream) != nullptr) say("popen %s", text);
  say("pclose %d\n", WEXITSTATUS(::pclose(stream)));
}

SCENARIO(execve) {
  prepare(arguments);
  say("%d\n", status_of(start("execve")));
}

// The environment holds the variable twice, the second time at length.
SCENARIO(variable_twice) {
  prepare(arguments);
  const char* preload = ::getenv("LD_PRELOAD");
  std::string first = std::string("LD_PRELOAD=") + (preload == nullptr ? "" : preload);
  std::string second = "LD_PRELOAD=";
  const std::string quiet = std::string(path, static_cast<size_t>(name - path)) + "kev-test-quiet-1.so:";
  while (second.size() < 30'000) second += quiet;
  char* variables[] = {first.data(), second.data(), nullptr};
  const pid_t child = ::fork();
  if (child == 0) {
    ::execve(path, words, variables);
    ::_exit(98);
  }
  say("%d\n", status_of(child));
}

SCENARIO(in_other_root) {
  const char* root = arguments[0];
  const pid_t child = ::fork();
  if (child == 0) {
    CHECK(::chroot(root) == 0 && ::chdir("/") == 0);
    ::execl("/child", "child", nullptr);
    ::_exit(98);
  }
  say("%d\n", status_of(child));
}

// Errors are the kernel's own.
SCENARIO(errors) {
  char file[] = "/tmp/kev-test-XXXXXX";
  const int fd = ::mkstemp(file);
  CHECK(fd >= 0 && ::write(fd, "\x7f""ELF nothing", 12) == 12);
  ::fchmod(fd, 0700);
  ::close(fd);
  char word[] = "x";
  char* one[] = {word, nullptr};
  auto show = [](const char* what, int result) { say("%s %d %d\n", what, result, errno); };
  show("ENOENT", ::execve("/nonexistent", one, environ));
  show("EACCES", ::execve("/etc/passwd", one, environ));
  show("directory", ::execv("/tmp", one));
  show("ENOEXEC", ::execv(file, one));
  show("ENOTDIR", ::execve("/etc/passwd/x", one, environ));
  show("EFAULT", ::execve(reinterpret_cast<char*>(8), one, environ));
  const char* volatile nothing = nullptr;
  show("EFAULT", ::execve(nothing, one, environ));
  show("empty", ::execve("", one, environ));
  show("empty", ::execvp("", one));
  show("search", ::execvp("no-such-program-anywhere", one));
  show("search", ::execlp("no-such-program-anywhere", "x", nullptr));
  show("fexecve", ::fexecve(-1, one, environ));
  show("fexecve", ::fexecve(0, one, nullptr));
  show("execveat", ::execveat(-1, "x", one, environ, 0));
  show("execveat", ::execveat(AT_FDCWD, "/bin/true", one, environ, 0x40000000));
  show("long", ::execve(std::string(5000, 'x').c_str(), one, environ));
  pid_t child = -1;
  say("spawn %d\n", ::posix_spawn(&child, "/nonexistent", nullptr, nullptr, one, environ));
  say("spawn %d\n", ::posix_spawn(&child, "/etc/passwd", nullptr, nullptr, one, environ));
  say("spawn %d\n", ::posix_spawn(&child, file, nullptr, nullptr, one, environ));
  say("spawnp %d\n", ::posix_spawnp(&child, "no-such-program-anywhere", nullptr, nullptr, one, environ));
  ::unlink(file);
}

SCENARIO_MAIN
