// --loader=LD.SO --library-path=DIRS: the program becomes itself again under another dynamic loader, so that a C
// library is tested that is not installed. Also tells how this program is started once more, which under such a loader
// is not its own path alone.
//
// /proc/self/exe is then the loader, and AT_EXECFN differs from C library to C library: the path of the program, the
// loader and its library path are handed over in the environment.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "loader.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SELF_VARIABLE "CONFORMANCE_SELF"
#define LOADER_VARIABLE "CONFORMANCE_LOADER"
#define LIBRARY_PATH_VARIABLE "CONFORMANCE_LIBRARY_PATH"

static int complain(const char *what, const char *why) {
  fprintf(stderr, "kev-conformance: --loader: %s: %s\n", what, why);
  return 2;
}

bool loader_self_path(char *path, size_t size) {
  const char *handed = getenv(SELF_VARIABLE);
  if (handed != NULL && loader_is_given()) return (size_t)snprintf(path, size, "%s", handed) < size;
  ssize_t length = readlink("/proc/self/exe", path, size);
  if (length <= 0 || (size_t)length >= size) return false;
  path[length] = 0;
  return true;
}

bool loader_is_given(void) {
  return getenv(LOADER_VARIABLE) != NULL;
}

unsigned loader_self_command(const char *command[LOADER_COMMAND_MAX]) {
  static char self[PATH_MAX];
  unsigned count = 0;
  const char *loader = getenv(LOADER_VARIABLE);
  const char *library_path = getenv(LIBRARY_PATH_VARIABLE);
  if (!loader_self_path(self, sizeof self)) return 0;
  if (loader != NULL) {
    command[count++] = loader;
    if (library_path != NULL && *library_path != 0) {
      command[count++] = "--library-path";
      command[count++] = library_path;
    }
  }
  command[count++] = self;
  return count;
}

// The C library's own parts, which must come from the folders that the user gave.
static bool is_c_library(const char *base) {
  static const char *const parts[] = {
    "ld-", "ld.so", "libc.", "libc-", "libpthread", "libdl", "librt", "libm.", "libm-", "libutil", "libresolv",
    "libanl", "libnss_", "libthread_db", "libmvec", "linux-vdso",
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (strncmp(base, parts[i], strlen(parts[i])) == 0) return true;
  return false;
}

static bool holds_folder(const char *list, const char *folder, size_t length) {
  for (const char *at = list; *at != 0;) {
    size_t part = strcspn(at, ":");
    if (part == length && memcmp(at, folder, length) == 0) return true;
    at += part + (at[part] == ':');
  }
  return false;
}

// Appends the folder of one loaded library. An uninstalled loader has a cache and a standard path of its own, where
// it would not find what else this program needs (the C++ library, libunwind).
static int append_folder(struct dl_phdr_info *info, size_t size, void *list) {
  (void)size;
  char *folders = list;
  const char *slash = info->dlpi_name == NULL ? NULL : strrchr(info->dlpi_name, '/');
  if (slash == NULL || slash == info->dlpi_name || is_c_library(slash + 1)) return 0;
  size_t length = (size_t)(slash - info->dlpi_name);
  if (holds_folder(folders, info->dlpi_name, length)) return 0;
  size_t used = strlen(folders);
  if (used + length + 2 <= LOADER_PATH_MAX)
    snprintf(folders + used, LOADER_PATH_MAX - used, "%s%.*s", used > 0 ? ":" : "", (int)length, info->dlpi_name);
  return 0;
}

// The loader that this program was linked for; false if it is static.
static bool own_interpreter(const char *self, char *name, size_t size) {
  FILE *file = fopen(self, "re");
  ElfW(Ehdr) header;
  ElfW(Phdr) segment;
  bool found = false;
  if (file == NULL) return false;
  if (fread(&header, sizeof header, 1, file) == 1) {
    for (unsigned i = 0; i < header.e_phnum && !found; i++) {
      long at = (long)(header.e_phoff + (size_t)i * header.e_phentsize);
      if (fseek(file, at, SEEK_SET) != 0 || fread(&segment, sizeof segment, 1, file) != 1) break;
      if (segment.p_type != PT_INTERP || segment.p_filesz >= size) continue;
      found = fseek(file, (long)segment.p_offset, SEEK_SET) == 0 && fread(name, segment.p_filesz, 1, file) == 1;
      name[segment.p_filesz] = 0;
    }
  }
  fclose(file);
  return found;
}

static bool is_musl(const char *loader) {
  const char *slash = strrchr(loader, '/');
  const char *base = slash == NULL ? loader : slash + 1;
  return strncmp(base, "ld-musl", 7) == 0 || strcmp(base, "libc.so") == 0;
}

// Whether an argument (and, if it is written in two words, the next one) asked for the loader.
static unsigned words_of_loader_option(const char *argument) {
  static const char *const names[] = {"--loader", "--library-path"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t length = strlen(names[i]);
    if (strncmp(argument, names[i], length) != 0) continue;
    if (argument[length] == '=') return 1;
    if (argument[length] == 0) return 2;
  }
  return 0;
}

int loader_exec(const struct options *given) {
  static char self[PATH_MAX], loader[PATH_MAX], interpreter[PATH_MAX], folders[LOADER_PATH_MAX];
  if (!loader_self_path(self, sizeof self)) return complain("/proc/self/exe", "cannot be read");
  if (realpath(given->loader, loader) == NULL || access(loader, X_OK) != 0)
    return complain(given->loader, strerror(errno));
  if (!own_interpreter(self, interpreter, sizeof interpreter))
    return complain(self, "is static and takes no loader: build the program with the C library to be tested");
  if (is_musl(interpreter) != is_musl(loader))
    return complain(loader, "is not of the C library that this program was built with: build it with that one");

  snprintf(folders, sizeof folders, "%s", given->library_path == NULL ? "" : given->library_path);
  dl_iterate_phdr(append_folder, folders);
  if (setenv(SELF_VARIABLE, self, 1) != 0 || setenv(LOADER_VARIABLE, loader, 1) != 0 ||
      setenv(LIBRARY_PATH_VARIABLE, folders, 1) != 0)
    return complain("environment", strerror(errno));

  size_t argument_count = 0;
  while (given->arguments[argument_count] != NULL) argument_count++;
  const char **command = calloc(argument_count + LOADER_COMMAND_MAX + 1, sizeof *command);
  if (command == NULL) return complain("arguments", strerror(errno));
  unsigned count = loader_self_command(command);
  bool after_options = false;
  for (size_t i = 1; i < argument_count; i++) {
    unsigned words = after_options ? 0 : words_of_loader_option(given->arguments[i]);
    if (strcmp(given->arguments[i], "--") == 0) after_options = true;
    if (words == 0) command[count++] = given->arguments[i];
    if (words == 2) i++;
  }
  execv(loader, (char **)command);
  return complain(loader, strerror(errno));
}
