// Children of kev-run that the program, which takes over the process, never hears of.
//
// They end without SIGCHLD, so none is pending when the program starts, and waiting for them works even where
// SIGCHLD is ignored.
#pragma once

#include <string>
#include <sys/types.h>

namespace kev::run {

// As fork(); -1 if it fails. The child may only make system calls, exec or _exit.
pid_t start_child();

// The status of waitpid(), or -1.
int await_child(pid_t child);

// Runs `argv` with `envp` and returns all that it wrote on stdout and stderr. False if it could not be started.
bool run_and_read(const char* path, char* const* argv, char* const* envp, std::string& output);

}  // namespace kev::run
