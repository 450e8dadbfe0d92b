// Looks at executables; the contract stands in child.hpp.
#include "preload/child.hpp"

#include <climits>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include "os/file.hpp"
#include "preload/next.hpp"
#include "preload/elf_lookup.hpp"
#include "wait/signal_gate.hpp"

namespace kev::preload {

namespace {

constexpr char kVariable[] = "LD_PRELOAD=";
constexpr size_t kVariableLength = sizeof kVariable - 1;
constexpr char kObjectName[] = "libkev-preload.so";
constexpr int kMaxScripts = 4;  // the kernel's own limit for "#!" in a row

// The loader that this very process was started with.
int visit_main(dl_phdr_info* info, size_t, void* context) {
  auto& interpreter = *static_cast<const char**>(context);
  for (int i = 0; i < info->dlpi_phnum; ++i)
    if (info->dlpi_phdr[i].p_type == PT_INTERP)
      interpreter = reinterpret_cast<const char*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
  return 1;
}

const char* base_name(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

bool is_separator(char c) { return c == ' ' || c == ':'; }

// The next entry of an LD_PRELOAD value, from `at`; its length is 0 at the end.
const char* next_entry(const char* at, size_t& length) {
  while (is_separator(*at)) ++at;
  length = 0;
  while (at[length] != '\0' && !is_separator(at[length])) ++length;
  return at;
}

bool is_object(const char* entry, size_t length) {
  constexpr size_t kNameLength = sizeof kObjectName - 1;
  return length >= kNameLength && memcmp(entry + length - kNameLength, kObjectName, kNameLength) == 0 &&
         (length == kNameLength || entry[length - kNameLength - 1] == '/');
}

const char* find_variable(char* const* envp) {
  for (; envp != nullptr && *envp != nullptr; ++envp)
    if (strncmp(*envp, kVariable, kVariableLength) == 0) return *envp + kVariableLength;
  return nullptr;
}

// Whether `value` names the object, and whether it can be opened by that name.
bool names_object(const char* value, bool& visible) {
  size_t length;
  for (const char* entry = next_entry(value, length); length > 0; entry = next_entry(entry + length, length)) {
    if (!is_object(entry, length)) continue;
    char path[PATH_MAX];
    if (length >= sizeof path) return false;
    memcpy(path, entry, length);
    path[length] = '\0';
    visible = length == sizeof kObjectName - 1 || os::accessible(AT_FDCWD, path, R_OK);
    return true;
  }
  return false;
}

// Reads the interpreter of "#!" from `head` into `path`. False: it is no script.
bool script_interpreter(const char* head, long size, char* path, size_t room) {
  if (size < 2 || head[0] != '#' || head[1] != '!') return false;
  const char* at = head + 2;
  const char* end = head + size;
  while (at < end && (*at == ' ' || *at == '\t')) ++at;
  size_t length = 0;
  while (at + length < end && strchr(" \t\n", at[length]) == nullptr && length + 1 < room) ++length;
  memcpy(path, at, length);
  path[length] = '\0';
  return length > 0;
}

// Whether an ELF file is one for which this process's own loader would load the object. One without an interpreter
// ignores LD_PRELOAD, and may execute others.
bool elf_takes_object(int fd, const ElfW(Ehdr) & header, long size) {
  const char* own_loader = nullptr;
  dl_iterate_phdr(visit_main, &own_loader);
  if (size < static_cast<long>(sizeof header) || own_loader == nullptr) return true;
  constexpr unsigned char kClass = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
  if (header.e_ident[EI_CLASS] != kClass || header.e_machine != arch::kElfMachine) return false;
  ElfW(Phdr) program[32];
  unsigned count = header.e_phnum < 32 ? header.e_phnum : 32;
  long got = os::pread(fd, program, count * sizeof program[0], static_cast<long>(header.e_phoff));
  if (got < static_cast<long>(count * sizeof program[0])) return true;
  for (unsigned i = 0; i < count; ++i) {
    if (program[i].p_type != PT_INTERP) continue;
    char loader[256] = {};
    size_t length = program[i].p_filesz < sizeof loader - 1 ? program[i].p_filesz : sizeof loader - 1;
    if (os::pread(fd, loader, length, static_cast<long>(program[i].p_offset)) < 0) return true;
    return strcmp(base_name(loader), base_name(own_loader)) == 0;
  }
  return true;
}

bool takes_object(const Executable& executable) {
  char path[PATH_MAX];
  const char* name = executable.path;
  int directory = executable.directory;
  for (int scripts = 0; scripts <= kMaxScripts; ++scripts) {
    int fd = name == nullptr ? directory : os::openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return true;
    union {
      char text[256];
      ElfW(Ehdr) elf;
    } head;
    long size = os::pread(fd, &head, sizeof head, 0);
    bool is_elf = size >= SELFMAG && memcmp(head.text, ELFMAG, SELFMAG) == 0;
    bool takes = !is_elf || elf_takes_object(fd, head.elf, size);
    if (name != nullptr) os::close(fd);
    if (is_elf || !script_interpreter(head.text, size, path, sizeof path)) return takes;
    name = path;
    directory = AT_FDCWD;
  }
  return true;
}

}  // namespace

const char* search_path(const char* name, char* buffer, size_t size) {
  if (strchr(name, '/') != nullptr) return name;
  const char* list = getenv("PATH");
  if (list == nullptr) list = "/bin:/usr/bin";
  size_t name_length = strlen(name);
  for (const char* at = list;; ++at) {
    const char* end = strchrnul(at, ':');
    size_t length = static_cast<size_t>(end - at);
    if (length + name_length + 2 <= size) {
      memcpy(buffer, at, length);
      if (length > 0) buffer[length++] = '/';
      memcpy(buffer + length, name, name_length + 1);
      if (os::accessible(AT_FDCWD, buffer, X_OK)) return buffer;
    }
    if (*end == '\0') return name;
    at = end;
  }
}

bool must_drop_object(const Executable& executable, char* const* envp) {
  const char* value = find_variable(envp);
  bool visible = true;
  if (value == nullptr || !names_object(value, visible)) return false;
  bool unknown = executable.path == nullptr && executable.directory == kUnknownExecutable;
  if (unknown || !visible) return true;
  // A handler that leaves by siglongjmp must not leave the file open.
  wait::SignalGate gate;
  gate.close();
  bool takes = takes_object(executable);
  gate.open();
  return !takes;
}

size_t preload_value_size(char* const* envp) {
  size_t size = 0;
  for (; envp != nullptr && *envp != nullptr; ++envp)  // nothing keeps a variable from standing there twice
    if (strncmp(*envp, kVariable, kVariableLength) == 0) size += strlen(*envp) + 1;
  return size;
}

size_t count_entries(char* const* envp) {
  size_t count = 0;
  while (envp != nullptr && envp[count] != nullptr) ++count;
  return count;
}

void without_object(char* const* envp, char** out, char* text) {
  for (; *envp != nullptr; ++envp) {
    if (strncmp(*envp, kVariable, kVariableLength) != 0) {
      *out++ = *envp;
      continue;
    }
    memcpy(text, kVariable, kVariableLength);
    char* write = text + kVariableLength;
    size_t length;
    for (const char* entry = next_entry(*envp + kVariableLength, length); length > 0;
         entry = next_entry(entry + length, length)) {
      if (is_object(entry, length)) continue;
      if (write != text + kVariableLength) *write++ = ':';
      memcpy(write, entry, length);
      write += length;
    }
    *write++ = '\0';
    if (write != text + kVariableLength + 1) *out++ = text;
    text = write;
  }
  *out = nullptr;
}

}  // namespace kev::preload
