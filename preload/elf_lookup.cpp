// Symbol lookup by hash table (System V gABI; the GNU table as the linkers write it). Contract: elf_lookup.hpp.
#include "preload/elf_lookup.hpp"

#include <cstring>
#include <initializer_list>

namespace kev::preload {

namespace {

constexpr uint16_t kHiddenVersion = 0x8000;

uint32_t sysv_hash(const char* name) {
  uint32_t hash = 0;
  for (; *name != '\0'; ++name) {
    hash = (hash << 4) + static_cast<unsigned char>(*name);
    uint32_t top = hash & 0xf0000000;
    hash = (hash ^ top >> 24) & ~top;
  }
  return hash;
}

}  // namespace

ElfObject::ElfObject(const dl_phdr_info& info) : path_(info.dlpi_name), base_(info.dlpi_addr), info_(info) {
  const ElfW(Dyn)* dynamic = nullptr;
  for (int i = 0; i < info.dlpi_phnum; ++i)
    if (info.dlpi_phdr[i].p_type == PT_DYNAMIC)
      dynamic = reinterpret_cast<const ElfW(Dyn)*>(base_ + info.dlpi_phdr[i].p_vaddr);
  if (dynamic == nullptr) return;
  // The loader has relocated these in place, but not in objects whose dynamic section is read-only (the vdso).
  auto address = [this](ElfW(Addr) value) { return value < base_ ? base_ + value : value; };
  for (; dynamic->d_tag != DT_NULL; ++dynamic) {
    uintptr_t at = address(dynamic->d_un.d_ptr);
    switch (dynamic->d_tag) {
      case DT_SYMTAB: symbols_ = reinterpret_cast<const ElfW(Sym)*>(at); break;
      case DT_STRTAB: strings_ = reinterpret_cast<const char*>(at); break;
      case DT_VERSYM: versions_ = reinterpret_cast<const uint16_t*>(at); break;
      case DT_GNU_HASH: gnu_hash_ = reinterpret_cast<const uint32_t*>(at); break;
      case DT_HASH: sysv_hash_ = reinterpret_cast<const uint32_t*>(at); break;
      default: break;
    }
  }
}

bool ElfObject::is_libc() const {
  const char* slash = strrchr(path_, '/');
  const char* name = slash == nullptr ? path_ : slash + 1;
  for (const char* part : {"libc.so.6", "libpthread.so.0", "librt.so.1"})
    if (strcmp(name, part) == 0) return true;
  return false;
}

bool ElfObject::contains(const void* address) const {
  uintptr_t at = reinterpret_cast<uintptr_t>(address);
  for (int i = 0; i < info_.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info_.dlpi_phdr[i];
    if (header.p_type == PT_LOAD && at - (base_ + header.p_vaddr) < header.p_memsz) return true;
  }
  return false;
}

bool ElfObject::matches(uint32_t index, const SymbolName& name) const {
  const ElfW(Sym)& symbol = symbols_[index];
  if (symbol.st_shndx == SHN_UNDEF || symbol.st_value == 0) return false;
  if (versions_ != nullptr && (versions_[index] & kHiddenVersion) != 0) return false;
  return strcmp(strings_ + symbol.st_name, name.text) == 0;
}

const ElfW(Sym) * ElfObject::find_gnu(const SymbolName& name) const {
  constexpr unsigned kWordBits = 8 * sizeof(ElfW(Addr));
  uint32_t buckets = gnu_hash_[0], first = gnu_hash_[1], bloom_words = gnu_hash_[2], shift = gnu_hash_[3];
  const auto* bloom = reinterpret_cast<const ElfW(Addr)*>(gnu_hash_ + 4);
  const auto* bucket = reinterpret_cast<const uint32_t*>(bloom + bloom_words);
  const uint32_t* chain = bucket + buckets;
  ElfW(Addr) word = bloom[name.gnu_hash / kWordBits % bloom_words];
  ElfW(Addr) bits = ElfW(Addr){1} << name.gnu_hash % kWordBits | ElfW(Addr){1} << (name.gnu_hash >> shift) % kWordBits;
  if ((word & bits) != bits || buckets == 0) return nullptr;
  uint32_t index = bucket[name.gnu_hash % buckets];
  if (index < first) return nullptr;
  for (;; ++index) {
    uint32_t hash = chain[index - first];
    if ((hash | 1) == (name.gnu_hash | 1) && matches(index, name)) return &symbols_[index];
    if ((hash & 1) != 0) return nullptr;
  }
}

const ElfW(Sym) * ElfObject::find_sysv(const SymbolName& name) const {
  uint32_t buckets = sysv_hash_[0];
  const uint32_t* bucket = sysv_hash_ + 2;
  const uint32_t* chain = bucket + buckets;
  if (buckets == 0) return nullptr;
  for (uint32_t index = bucket[sysv_hash(name.text) % buckets]; index != 0; index = chain[index])
    if (matches(index, name)) return &symbols_[index];
  return nullptr;
}

void* ElfObject::find(const SymbolName& name) const {
  if (symbols_ == nullptr || strings_ == nullptr) return nullptr;
  const ElfW(Sym)* symbol = gnu_hash_ != nullptr ? find_gnu(name) : sysv_hash_ != nullptr ? find_sysv(name) : nullptr;
  if (symbol == nullptr) return nullptr;
  uintptr_t address = base_ + symbol->st_value;
  if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC) address = reinterpret_cast<uintptr_t (*)()>(address)();
  return reinterpret_cast<void*>(address);
}

}  // namespace kev::preload
