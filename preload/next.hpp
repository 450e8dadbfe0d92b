// The definitions that stand behind ours: what each interposed name means without us.
//
// Found by walking the loaded objects in lookup order, like dlsym(RTLD_NEXT), but without dlsym: its version differs
// between libcs, and it may allocate. A pointer is null where libc has no such function.
#pragma once

#include "preload/types.hpp"

namespace kev::preload {

struct Next {
#define KEV_INTERPOSE(symbol, family, point, result, parameters) result(*symbol) parameters;
#include "preload/interpose.def"
#undef KEV_INTERPOSE
};

enum class Family : unsigned char {
  poll, select, epoll, close, make, io, net, sleep, child, signal, queue, aio, thread, process, filter, raw, count_
};

// What is behind each family, if it is not libc alone.
struct Foreign {
  const char* object = nullptr;  // path of the object that defines one of the family's points before libc does
};

extern Next next;
extern Foreign foreign[static_cast<unsigned>(Family::count_)];

// Fills `next`. Idempotent; any thread. Called by the constructor, and by calls that come before it.
void find_next();

// Looks again for what was not there: libpthread and librt (glibc before 2.34) may come with a plug-in.
void find_late();

// Looks `symbol` up in libc alone (libc.so.6, libpthread.so.0), its default version; null if it is not there.
void* find_in_libc(const char* symbol);

inline const char* foreign_object(Family family) { return foreign[static_cast<unsigned>(family)].object; }

}  // namespace kev::preload
