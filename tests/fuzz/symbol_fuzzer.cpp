// The walk through an object's hash tables: both kinds are built from names in the input, and every name is looked up.
//
// The tables of a loaded object are the loader's to judge; here they are right, whatever their sizes. The input is the
// number of buckets, of filter words (as a power of two) and the filter's shift, each a byte, and then lines: a name,
// or "!name" for one of a hidden version, or "?name" for one that is not defined.
#include <elf.h>

#include "input.hpp"
#include "preload/elf_lookup.hpp"

using namespace kev::preload;

namespace {

struct Symbol {
  std::string name;
  bool hidden, undefined;
  uint32_t hash;
};

uint32_t gnu_hash(const std::string& name) {
  uint32_t hash = 5381;
  for (unsigned char c : name) hash = hash * 33 + c;
  return hash;
}

// As the gABI writes it.
uint32_t sysv_hash(const std::string& name) {
  uint32_t hash = 0;
  for (unsigned char c : name) {
    hash = (hash << 4) + c;
    uint32_t top = hash & 0xf0000000;
    if (top != 0) hash ^= top >> 24;
    hash &= ~top;
  }
  return hash;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  uint32_t buckets = input.byte() % 16 + 1, words = 1u << input.byte() % 4, shift = input.byte() % 32;
  std::vector<Symbol> symbols;
  for (const std::string& line : input.lines()) {
    bool hidden = line[0] == '!', undefined = line[0] == '?';
    std::string name = hidden || undefined ? line.substr(1) : line;
    if (!name.empty() && symbols.size() < 1000) symbols.push_back({name, hidden, undefined, gnu_hash(name)});
  }
  // The GNU table keeps the symbols of a bucket together, those that are not defined before all.
  std::vector<Symbol> sorted;
  for (const Symbol& symbol : symbols)
    if (symbol.undefined) sorted.push_back(symbol);
  uint32_t first = static_cast<uint32_t>(sorted.size()) + 1;
  for (uint32_t bucket = 0; bucket < buckets; ++bucket)
    for (const Symbol& symbol : symbols)
      if (!symbol.undefined && symbol.hash % buckets == bucket) sorted.push_back(symbol);

  std::string strings(1, '\0');
  std::vector<ElfW(Sym)> table(1);
  std::vector<uint16_t> versions(1);
  for (const Symbol& symbol : sorted) {
    ElfW(Sym) entry = {};
    entry.st_name = static_cast<uint32_t>(strings.size());
    entry.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    entry.st_shndx = symbol.undefined ? SHN_UNDEF : 1;
    entry.st_value = 1000 + table.size();
    table.push_back(entry);
    versions.push_back(symbol.hidden ? 0x8002 : 2);
    strings.append(symbol.name.c_str(), symbol.name.size() + 1);
  }
  strings.shrink_to_fit();

  std::vector<uint64_t> bloom(words);
  std::vector<uint32_t> bucket(buckets), chain;
  for (uint32_t i = first; i < table.size(); ++i) {
    uint32_t hash = sorted[i - 1].hash;
    bloom[hash / 64 % words] |= uint64_t{1} << hash % 64 | uint64_t{1} << (hash >> shift) % 64;
    if (bucket[hash % buckets] == 0) bucket[hash % buckets] = i;
    bool last = i + 1 == table.size() || sorted[i].hash % buckets != hash % buckets;
    chain.push_back((hash & ~1u) | last);
  }
  std::vector<uint64_t> aligned(2 + words + (buckets + chain.size() + 1) / 2);
  auto* gnu = reinterpret_cast<uint32_t*>(aligned.data());
  gnu[0] = buckets, gnu[1] = first, gnu[2] = words, gnu[3] = shift;
  std::memcpy(gnu + 4, bloom.data(), words * 8);
  std::memcpy(gnu + 4 + 2 * words, bucket.data(), buckets * 4);
  if (!chain.empty()) std::memcpy(gnu + 4 + 2 * words + buckets, chain.data(), chain.size() * 4);

  std::vector<uint32_t> sysv(2 + buckets + table.size());
  sysv[0] = buckets, sysv[1] = static_cast<uint32_t>(table.size());
  for (uint32_t i = 1; i < table.size(); ++i) {
    uint32_t& head = sysv[2 + sysv_hash(sorted[i - 1].name) % buckets];
    sysv[2 + buckets + i] = head;
    head = i;
  }

  auto address = [](const void* at) { return reinterpret_cast<ElfW(Addr)>(at); };
  for (bool by_gnu : {true, false}) {
    ElfW(Dyn) dynamic[] = {
        {DT_SYMTAB, {address(table.data())}}, {DT_STRTAB, {address(strings.data())}},
        {DT_VERSYM, {address(versions.data())}},
        {by_gnu ? DT_GNU_HASH : DT_HASH, {by_gnu ? address(gnu) : address(sysv.data())}}, {DT_NULL, {0}}};
    ElfW(Phdr) header = {};
    header.p_type = PT_DYNAMIC;
    header.p_vaddr = address(dynamic);
    dl_phdr_info info = {};
    info.dlpi_name = "object";
    info.dlpi_phdr = &header;
    info.dlpi_phnum = 1;
    ElfObject object(info);
    std::vector<std::string> names = {"poll", "", "epoll_wait"};
    for (const Symbol& symbol : symbols) names.push_back(symbol.name);
    for (const std::string& name : names) {
      uintptr_t found = reinterpret_cast<uintptr_t>(object.find(SymbolName(name.c_str())));
      bool defined = false;
      for (const Symbol& symbol : symbols)
        defined = defined || (symbol.name == name && !symbol.hidden && !symbol.undefined);
      // A name that is too long for the object's own table is cut off, and may be another that is there.
      if (name.size() < sizeof SymbolName::text) HOLDS((found != 0) == defined);
      if (found == 0) continue;
      HOLDS(found > 1000 && found - 1000 < table.size());
      const Symbol& symbol = sorted[found - 1000 - 1];
      HOLDS(symbol.name == name.substr(0, sizeof SymbolName::text - 1) && !symbol.hidden && !symbol.undefined);
    }
  }
  return 0;
}
