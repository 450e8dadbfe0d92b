// Symbol lookup in one loaded object, by its own hash table.
//
// No allocation, no locks, no dlsym. Works on the objects that dl_iterate_phdr() shows.
#pragma once

#include <cstdint>
#include <link.h>

namespace kev::preload {

// A name with its hash, to be looked up in several objects. Holds the text itself: a table of pointers would have to be
// relocated at each start.
struct SymbolName {
  char text[28] = {};
  uint32_t gnu_hash = 5381;

  // Names are shorter than `text`: a longer one is cut off, and not found.
  constexpr explicit SymbolName(const char* name) {
    for (unsigned i = 0; name[i] != '\0' && i + 1 < sizeof text; ++i) {
      text[i] = name[i];
      gnu_hash = gnu_hash * 33 + static_cast<unsigned char>(name[i]);
    }
  }
};

class ElfObject {
 public:
  explicit ElfObject(const dl_phdr_info& info);

  const char* path() const { return path_; }
  // Tells whether this is a part of the C library itself.
  bool is_libc() const;
  bool contains(const void* address) const;

  // The address of the default version of `name`, or null if this object does not define it.
  void* find(const SymbolName& name) const;

 private:
  const ElfW(Sym) * find_gnu(const SymbolName& name) const;
  const ElfW(Sym) * find_sysv(const SymbolName& name) const;
  bool matches(uint32_t index, const SymbolName& name) const;

  const char* path_;
  uintptr_t base_;
  const dl_phdr_info& info_;
  const ElfW(Sym) * symbols_ = nullptr;
  const char* strings_ = nullptr;
  const uint16_t* versions_ = nullptr;
  const uint32_t* gnu_hash_ = nullptr;
  const uint32_t* sysv_hash_ = nullptr;
};

}  // namespace kev::preload
