// The ways in which a descriptor's number can lose its file.
//
// Those that go through a function of libc are `seen`: whoever watches the descriptor knows of it before the next call.
// The others (the system-call instruction itself, a process that shares the table) leave no trace.
#pragma once

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include <thread>

#include "support/descriptor.hpp"
#include "support/raw.hpp"

namespace conformance {

struct Closer {
  const char* name;
  bool seen;
  void (*close)(int fd);
};

inline void PrintTo(const Closer& closer, std::ostream* out) { *out << closer.name; }

inline int close_in_shared_table(void* fd) {
  raw_close(*static_cast<int*>(fd));
  return 0;
}

inline const Closer kClosers[] = {
    {"Close", true, [](int fd) { ::close(fd); }},
    {"SyscallFunction", true, [](int fd) { ::syscall(SYS_close, fd); }},
    {"CloseRange", true, [](int fd) { ::close_range(static_cast<unsigned>(fd), static_cast<unsigned>(fd), 0); }},
    {"CloseRangeBySyscallFunction", true, [](int fd) { ::syscall(SYS_close_range, fd, fd, 0); }},
    {"Fclose", true, [](int fd) { ::fclose(::fdopen(fd, "r+")); }},
    {"FcloseOfWriter", true, [](int fd) { ::fclose(::fdopen(fd, "w")); }},
    {"AnotherThread", true, [](int fd) { std::thread([fd] { ::close(fd); }).join(); }},
    {"RawInstruction", false, [](int fd) { raw_close(fd); }},
    {"RawInstructionOfAnotherThread", false, [](int fd) { std::thread([fd] { raw_close(fd); }).join(); }},
    {"RawCloseRange", false, [](int fd) { raw_call(SYS_close_range, fd, fd, 0); }},
    {"ProcessSharingTheTable", false,
     [](int fd) {
       alignas(16) static char stack[65536];
       const pid_t pid = ::clone(close_in_shared_table, stack + sizeof stack, CLONE_FILES | SIGCHLD, &fd);
       EXPECT_LT(0, pid);
       EXPECT_EQ(pid, ::waitpid(pid, nullptr, 0));
     }},
};

// The ways in which a number gets another file at once; `to` is the number, `from` a descriptor of the new file.
struct Replacer {
  const char* name;
  bool seen;
  void (*replace)(int from, int to);
};

inline void PrintTo(const Replacer& replacer, std::ostream* out) { *out << replacer.name; }

inline const Replacer kReplacers[] = {
    {"Dup2", true, [](int from, int to) { ::dup2(from, to); }},
    {"Dup3", true, [](int from, int to) { ::dup3(from, to, O_CLOEXEC); }},
    {"SyscallDup3", true, [](int from, int to) { ::syscall(SYS_dup3, from, to, 0); }},
    {"CloseThenFcntl", true,
     [](int from, int to) {
       ::close(to);
       EXPECT_EQ(to, ::fcntl(from, F_DUPFD, to));
     }},
    {"Dup2OfAnotherThread", true, [](int from, int to) { std::thread([=] { ::dup2(from, to); }).join(); }},
    {"RawDup3", false, [](int from, int to) { raw_dup3(from, to); }},
    {"RawCloseThenFcntl", false,
     [](int from, int to) {
       raw_close(to);
       EXPECT_EQ(to, ::fcntl(from, F_DUPFD_CLOEXEC, to));
     }},
};

}  // namespace conformance
