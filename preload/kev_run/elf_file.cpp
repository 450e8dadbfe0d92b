// Reading ELF headers and #! lines. Every offset comes from a file that may be damaged: a read that does not fit
// yields nothing.
#include "elf_file.hpp"

#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

namespace kev::run {

namespace {

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#endif
constexpr unsigned kMostHeaders = 256;
constexpr unsigned kMostBytes = 1 << 20;

class File {
 public:
  explicit File(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return fd_ >= 0; }
  bool read(void* to, size_t size, uint64_t offset) const { return read_some(to, size, offset) == size; }
  size_t read_some(void* to, size_t size, uint64_t offset) const {
    ssize_t n = ::pread(fd_, to, size, static_cast<off_t>(offset));
    return n < 0 ? 0 : static_cast<size_t>(n);
  }
  std::string text_at(uint64_t offset) const {
    char text[256];
    size_t n = read_some(text, sizeof text, offset);
    return std::string(text, ::strnlen(text, n));
  }

 private:
  int fd_;
};

// Where the byte that is loaded at `address` stands in the file; 0 if nowhere.
uint64_t file_offset(const std::vector<Elf64_Phdr>& headers, uint64_t address) {
  for (const Elf64_Phdr& h : headers)
    if (h.p_type == PT_LOAD && address >= h.p_vaddr && address - h.p_vaddr < h.p_filesz)
      return address - h.p_vaddr + h.p_offset;
  return 0;
}

std::string needed_sanitizer(const File& file, const std::vector<Elf64_Phdr>& headers, const Elf64_Phdr& dynamic) {
  if (dynamic.p_filesz > kMostBytes) return "";
  std::vector<Elf64_Dyn> entries(dynamic.p_filesz / sizeof(Elf64_Dyn));
  if (!file.read(entries.data(), entries.size() * sizeof(Elf64_Dyn), dynamic.p_offset)) return "";
  uint64_t strings = 0;
  for (const Elf64_Dyn& entry : entries)
    if (entry.d_tag == DT_STRTAB) strings = file_offset(headers, entry.d_un.d_ptr);
  if (strings == 0) return "";
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag != DT_NEEDED) continue;
    std::string name = file.text_at(strings + entry.d_un.d_val);
    if (name.rfind("libasan.so", 0) == 0) return name;
  }
  return "";
}

bool has_go_section(const File& file, const Elf64_Ehdr& header) {
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum == 0 || header.e_shstrndx >= header.e_shnum)
    return false;
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  if (!file.read(sections.data(), sections.size() * sizeof(Elf64_Shdr), header.e_shoff)) return false;
  uint64_t names = sections[header.e_shstrndx].sh_offset;
  for (const Elf64_Shdr& section : sections)
    if (file.text_at(names + section.sh_name) == ".go.buildinfo") return true;
  return false;
}

void read_elf(const File& file, ElfFile& out) {
  Elf64_Ehdr header;
  out.format = Format::foreign_elf;
  unsigned char ident[EI_NIDENT];
  if (!file.read(ident, sizeof ident, 0) || ident[EI_CLASS] != ELFCLASS64) {
    out.foreign = "is a 32-bit program";
    return;
  }
  if (!file.read(&header, sizeof header, 0) || ident[EI_DATA] != ELFDATA2LSB || header.e_machine != kMachine) {
    out.foreign = "is for another kind of processor";
    return;
  }
  out.format = Format::elf;
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMostHeaders) return;
  std::vector<Elf64_Phdr> headers(header.e_phnum);
  if (!file.read(headers.data(), headers.size() * sizeof(Elf64_Phdr), header.e_phoff)) return;
  for (const Elf64_Phdr& h : headers) {
    if (h.p_type == PT_INTERP) out.loader = file.text_at(h.p_offset);
    if (h.p_type == PT_DYNAMIC) out.sanitizer = needed_sanitizer(file, headers, h);
  }
  if (out.loader.empty()) out.is_go = has_go_section(file, header);
}

}  // namespace

ElfFile read_executable(const std::string& path) {
  ElfFile out;
  errno = 0;
  File file(path);
  if (!file.is_open()) {
    out.format = Format::unreadable;
    out.error = errno;
    return out;
  }
  char begin[256];  // as much as the kernel looks at
  size_t n = file.read_some(begin, sizeof begin, 0);
  if (n >= SELFMAG && std::memcmp(begin, ELFMAG, SELFMAG) == 0) {
    read_elf(file, out);
  } else if (n >= 2 && begin[0] == '#' && begin[1] == '!') {
    out.format = Format::script;
    std::string line(begin + 2, n - 2);
    out.first_line = line.substr(0, line.find('\n'));
  }
  return out;
}

}  // namespace kev::run
