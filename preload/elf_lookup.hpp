// Symbol lookup in one loaded object, by its own hash table.
//
// No allocation, no locks, no dlsym. Works on the objects that dl_iterate_phdr() shows.
#pragma once

#include <cstdint>
#include <link.h>

namespace kev::preload {

// A name with its hash, to be looked up in several objects.
struct SymbolName {
  const char* text;
  uint32_t gnu_hash;

  constexpr explicit SymbolName(const char* name) : text(name), gnu_hash(5381) {
    for (; *name != '\0'; ++name) gnu_hash = gnu_hash * 33 + static_cast<unsigned char>(*name);
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
