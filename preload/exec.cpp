// exec and posix_spawn: the program's own call, with the object dropped from LD_PRELOAD for a child that cannot
// take it (child.hpp).
//
// Private descriptors are closed on exec by their flag. Everything here may run in a child of vfork.
#include <alloca.h>
#include <cstdarg>
#include <climits>
#include <unistd.h>

#include "os/file.hpp"
#include "preload/child.hpp"
#include "preload/shim.hpp"

namespace kev::preload {

namespace {

// Calls `go` with the environment that `executable` should have.
template <typename Go>
int with_environment(const Executable& executable, char* const* envp, Go go) {
  if (is_filtered() || !must_drop_object(executable, envp)) return go(envp);
  auto** copy = static_cast<char**>(alloca((count_entries(envp) + 1) * sizeof(char*)));
  auto* text = static_cast<char*>(alloca(preload_value_size(envp)));
  without_object(envp, copy, text);
  return go(copy);
}

// A name that is searched for in PATH. `go` is told whether the environment is still the one that was passed.
template <typename Go>
int with_searched(const char* name, char* const* envp, Go go) {
  char buffer[PATH_MAX];
  const char* path = is_filtered() ? name : search_path(name, buffer, sizeof buffer);
  return with_environment({AT_FDCWD, path}, envp, go);
}

// The arguments of execl and its kin as an array, on the caller's stack.
size_t count_arguments(va_list list) {
  size_t count = 1;
  while (va_arg(list, char*) != nullptr) ++count;
  return count;
}

void collect(const char* first, va_list list, char** out) {
  *out++ = const_cast<char*>(first);
  do *out = va_arg(list, char*);
  while (*out++ != nullptr);
}

// A relative path means another file where the child has changed its folder first: then nothing can be told, and a
// child without the object is the safe one.
bool is_elsewhere(const char* path, const posix_spawn_file_actions_t* actions) {
  return actions != nullptr && path[0] != '/';
}

// Makes `arguments` the array of the variable arguments behind `first`.
#define KEV_COLLECT(arguments, first)                                                              \
  va_list list;                                                                                    \
  va_start(list, first);                                                                           \
  size_t count = count_arguments(list);                                                            \
  va_end(list);                                                                                    \
  auto** arguments = static_cast<char**>(alloca((count + 1) * sizeof(char*)));                     \
  va_start(list, first);                                                                           \
  collect(first, list, arguments)

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" int kev_execve(const char* path, char* const* arguments, char* const* envp) {
  const Next& libc = real();
  return with_environment({AT_FDCWD, path}, envp,
                          [&](char* const* environment) { return libc.execve(path, arguments, environment); });
}

extern "C" int kev_execv(const char* path, char* const* arguments) { return kev_execve(path, arguments, environ); }

extern "C" int kev_execvpe(const char* name, char* const* arguments, char* const* envp) {
  const Next& libc = real();
  return with_searched(name, envp,
                       [&](char* const* environment) { return libc.execvpe(name, arguments, environment); });
}

extern "C" int kev_execvp(const char* name, char* const* arguments) { return kev_execvpe(name, arguments, environ); }

extern "C" int kev_execl(const char* path, const char* first, ...) {
  KEV_COLLECT(arguments, first);
  va_end(list);
  return kev_execve(path, arguments, environ);
}

extern "C" int kev_execlp(const char* name, const char* first, ...) {
  KEV_COLLECT(arguments, first);
  va_end(list);
  return kev_execvpe(name, arguments, environ);
}

extern "C" int kev_execle(const char* path, const char* first, ...) {
  KEV_COLLECT(arguments, first);
  char* const* envp = va_arg(list, char* const*);
  va_end(list);
  return kev_execve(path, arguments, envp);
}

extern "C" int kev_fexecve(int fd, char* const* arguments, char* const* envp) {
  const Next& libc = real();
  return with_environment({fd, nullptr}, envp,
                          [&](char* const* environment) { return libc.fexecve(fd, arguments, environment); });
}

extern "C" int kev_execveat(int directory, const char* path, char* const* arguments, char* const* envp, int flags) {
  const Next& libc = real();
  bool by_descriptor = (flags & AT_EMPTY_PATH) != 0 && path != nullptr && *path == '\0';
  return with_environment({directory, by_descriptor ? nullptr : path}, envp, [&](char* const* environment) {
    if (libc.execveat != nullptr) return libc.execveat(directory, path, arguments, environment, flags);
    // glibc before 2.34 has no execveat.
    return fail(kev::os::execveat(directory, path, arguments, environment, flags));
  });
}

extern "C" int kev_posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                               const posix_spawnattr_t* attributes, char* const* arguments, char* const* envp) {
  const Next& libc = real();
  const char* known = is_elsewhere(path, actions) ? nullptr : path;
  return with_environment({known == nullptr ? kUnknownExecutable : AT_FDCWD, known}, envp, [&](char* const* environment) {
    return libc.posix_spawn(pid, path, actions, attributes, arguments, environment);
  });
}

extern "C" int kev_posix_spawnp(pid_t* pid, const char* name, const posix_spawn_file_actions_t* actions,
                                const posix_spawnattr_t* attributes, char* const* arguments, char* const* envp) {
  const Next& libc = real();
  return with_searched(name, envp, [&](char* const* environment) {
    return libc.posix_spawnp(pid, name, actions, attributes, arguments, environment);
  });
}
