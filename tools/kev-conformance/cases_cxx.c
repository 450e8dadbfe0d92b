// The table of the C++ cases. They live in cxx_unwind.cpp, which only Meson adds; without it they are shown as
// not built.
#define _GNU_SOURCE 1
#include "support.h"

#pragma weak cxx_destructors
#pragma weak cxx_rethrow
#pragma weak cxx_order
void cxx_destructors(struct result *result);
void cxx_rethrow(struct result *result);
void cxx_order(struct result *result);

#define CXX(name_, run_, title_) \
  {.name = "cxx/" name_, .title = title_, .clause = "Itanium C++ ABI 1.3 (forced unwinding)", .kind = KIND_EXTRA,  \
   .run = run_}

const struct test_case cases_cxx[] = {
  CXX("destructors", cxx_destructors, "the destructors of a cancelled thread's objects run"),
  CXX("rethrow", cxx_rethrow, "catch (...) sees the unwinding and may let it go on"),
  CXX("order", cxx_order, "destructors and cleanup handlers run in the reverse order of their making"),
  {.title = NULL},
};

EMBED_SOURCE(cases_cxx_c);
