// The functions that the preload object exports, declared from interpose.def.
//
// kev_poll is the definition of the symbol poll, and so on: names of our own keep libc's declarations (and the inline
// definitions of _FORTIFY_SOURCE) out of the way. A definition whose parameters differ from the list is another
// function, and the symbol test finds the export missing.
#pragma once

#include "preload/types.hpp"

extern "C" {
#define KEV_INTERPOSE(symbol, family, point, result, parameters) \
  [[gnu::visibility("default")]] result kev_##symbol parameters __asm__(#symbol);
#include "preload/interpose.def"
#undef KEV_INTERPOSE
}
