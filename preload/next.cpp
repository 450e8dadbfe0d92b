// Finds the next definitions; the contract stands in next.hpp.
#include "preload/next.hpp"

#include <cstddef>

#include "preload/elf_lookup.hpp"

namespace kev::preload {

constinit Next next = {};
constinit Foreign foreign[static_cast<unsigned>(Family::count_)] = {};

namespace {

struct Entry {
  SymbolName name;
  Family family;
  bool is_point;
  unsigned short offset;  // of the pointer in Next
};

// interpose.def's third column.
constexpr bool point = true;
constexpr bool none = false;

// Hashed by the compiler: a program starts the sooner.
constexpr Entry kEntries[] = {
#define KEV_INTERPOSE(symbol, family, is_point, result, parameters) \
  {SymbolName(#symbol), Family::family, is_point, offsetof(Next, symbol)},
#include "preload/interpose.def"
#undef KEV_INTERPOSE
};
constexpr unsigned kCount = sizeof kEntries / sizeof kEntries[0];

void*& pointer(Next& next, const Entry& entry) {
  return *reinterpret_cast<void**>(reinterpret_cast<char*>(&next) + entry.offset);
}

// The walk through the objects: everything behind our own, in lookup order.
struct Walk {
  Next& found;
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
  for (const Entry& entry : kEntries) {
    void*& address = pointer(walk.found, entry);
    if (address != nullptr) continue;
    address = object.find(entry.name);
    Foreign& family = foreign[static_cast<unsigned>(entry.family)];
    if (address == nullptr) continue;
    --walk.missing;
    if (!libc && entry.is_point && family.object == nullptr) family.object = object.path();
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
  Walk walk = {found, kCount, false};
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
