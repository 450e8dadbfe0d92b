// Finds the next definitions; the contract stands in next.hpp.
#include "preload/next.hpp"

#include "preload/elf_lookup.hpp"

namespace kev::preload {

constinit Next next = {};
constinit Foreign foreign[static_cast<unsigned>(Family::count_)] = {};

namespace {

struct Entry {
  SymbolName name;
  Family family;
  void** address;
};

template <typename Function>
void** slot(Function*& pointer) {
  return reinterpret_cast<void**>(&pointer);
}

// The walk through the objects: everything behind our own, in lookup order.
struct Walk {
  Entry* entries;
  unsigned count;
  unsigned missing;
  bool behind_us;
};

int visit(dl_phdr_info* info, size_t, void* context) {
  auto& walk = *static_cast<Walk*>(context);
  ElfObject object(*info);
  if (!walk.behind_us) {
    walk.behind_us = object.contains(reinterpret_cast<const void*>(&find_next));
    return 0;
  }
  bool libc = object.is_libc();
  for (unsigned i = 0; i < walk.count; ++i) {
    Entry& entry = walk.entries[i];
    if (*entry.address != nullptr) continue;
    *entry.address = object.find(entry.name);
    Foreign& family = foreign[static_cast<unsigned>(entry.family)];
    if (*entry.address == nullptr) continue;
    --walk.missing;
    if (!libc && family.object == nullptr) family.object = object.path();
  }
  return walk.missing == 0;
}

struct LibcLookup {
  const char* name;
  void* address;
};

int visit_libc(dl_phdr_info* info, size_t, void* context) {
  auto& lookup = *static_cast<LibcLookup*>(context);
  ElfObject object(*info);
  if (object.is_libc()) lookup.address = object.find(SymbolName(lookup.name));
  return lookup.address != nullptr;
}

// Fills in what is still missing of `found`.
void find_missing(Next& found) {
  Entry entries[] = {
#define KEV_INTERPOSE(symbol, family, point, result, parameters) {SymbolName(#symbol), Family::family, slot(found.symbol)},
#include "preload/interpose.def"
#undef KEV_INTERPOSE
  };
  constexpr unsigned kCount = sizeof entries / sizeof entries[0];
  Walk walk = {entries, kCount, kCount, false};
  dl_iterate_phdr(visit, &walk);
}

}  // namespace

void find_next() {
  if (next.poll != nullptr) return;
  Next found = {};
  find_missing(found);
  next = found;
}

void find_late() {
  Next found = next;
  find_missing(found);
  next = found;
}

void* find_in_libc(const char* symbol) {
  LibcLookup lookup = {symbol, nullptr};
  dl_iterate_phdr(visit_libc, &lookup);
  return lookup.address;
}

}  // namespace kev::preload
