// Whether a program about to be executed can take the preload object, and the environment for one that cannot.
//
// Children that the object cannot be loaded into (another class or machine, another C library, a root directory in
// which its path is not visible) would print a line or fail: it is dropped from their LD_PRELOAD. Works in a child of
// vfork: no allocation, raw system calls, everything on the caller's stack.
#pragma once

#include <cstddef>

namespace kev::preload {

// The `directory` of an executable without a path of which nothing can be told.
inline constexpr int kUnknownExecutable = -1;

// How an executable is named: by path (relative to `directory`), or by descriptor with `path` null.
struct Executable {
  int directory;
  const char* path;
};

// Looks a name without a slash up in `PATH`, as execvp does. Returns `name` itself if nothing is found or it has a
// slash, else the path in `buffer`.
const char* search_path(const char* name, char* buffer, size_t size);

// Tells whether the object must be dropped from `envp` for this executable. True for one that is unknown.
bool must_drop_object(const Executable& executable, char* const* envp);

// The size of the text that without_object() writes.
size_t preload_value_size(char* const* envp);
size_t count_entries(char* const* envp);

// Copies the pointers of `envp` to `out` (count_entries() + 1 of them), with LD_PRELOAD written anew into `text`, or
// left out if nothing remains of it.
void without_object(char* const* envp, char** out, char* text);

}  // namespace kev::preload
