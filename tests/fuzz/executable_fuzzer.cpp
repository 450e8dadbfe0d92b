// An executable file's bytes, as kev-run reads them before it starts the program, and the object before each exec.
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "input.hpp"
#include "preload/child.hpp"
#include "preload/kev_run/elf_file.hpp"

using kev::run::ElfFile;
using kev::run::Format;

namespace {

bool same(const ElfFile& a, const ElfFile& b) {
  return a.format == b.format && a.error == b.error && a.is_go == b.is_go && a.loader == b.loader &&
         a.sanitizer == b.sanitizer && a.foreign == b.foreign && a.first_line == b.first_line;
}

// What a function that was called before has left on the stack.
[[gnu::noinline]] void fill_stack(uint32_t value) {
  uint32_t stack[4096];
  std::fill(std::begin(stack), std::end(stack), value);
  asm volatile("" : : "r"(stack) : "memory");
}

bool must_drop(const char* path, uint32_t stack) {
  static char preload[] = "LD_PRELOAD=libkev-preload.so";
  static char* environment[] = {preload, nullptr};
  fill_stack(stack);
  return kev::preload::must_drop_object({AT_FDCWD, path}, environment);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int fd = ::memfd_create("executable", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  HOLDS(::ftruncate(fd, 0) == 0 && ::pwrite(fd, data, size, 0) == static_cast<ssize_t>(size));

  ElfFile file = kev::run::read_executable(path);
  HOLDS(same(file, kev::run::read_executable(path)));
  HOLDS(file.format != Format::unreadable);
  bool is_elf = size >= 4 && std::memcmp(data, "\177ELF", 4) == 0;
  HOLDS(is_elf == (file.format == Format::elf || file.format == Format::foreign_elf));
  HOLDS((file.format == Format::script) == (size >= 2 && data[0] == '#' && data[1] == '!'));
  HOLDS((file.format == Format::foreign_elf) == !file.foreign.empty());
  HOLDS(file.loader.size() <= 256 && file.loader.find('\0') == std::string::npos);
  HOLDS(file.sanitizer.empty() || file.sanitizer.rfind("libasan.so", 0) == 0);
  HOLDS(!file.is_go || file.loader.empty());
  HOLDS(file.first_line.size() < 256 && file.first_line.find('\n') == std::string::npos);

  bool drops = must_drop(path.c_str(), 0);
  HOLDS(drops == must_drop(path.c_str(), PT_INTERP));
  // A program of another machine cannot take the object. (The kernel starts none of the other byte order.)
  HOLDS(file.format != Format::foreign_elf || size < sizeof(Elf64_Ehdr) || data[EI_DATA] != ELFDATA2LSB || drops);
  return 0;
}
