// System calls that no shim sees: made by the instruction itself. What the harness does on its own account, and the share
// of operations that bypass libc.
#ifndef ORACLE_RAW_H
#define ORACLE_RAW_H

#include <sys/syscall.h>

#include "../../support/raw_syscall.h"

#define RAW_PICK(a, b, c, d, e, f, g, ...) g
#define RAW0(n) raw6(n, 0, 0, 0, 0, 0, 0)
#define RAW1(n, a) raw6(n, (long)(a), 0, 0, 0, 0, 0)
#define RAW2(n, a, b) raw6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define RAW3(n, a, b, c) raw6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define RAW4(n, a, b, c, d) raw6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define RAW5(n, a, b, c, d, e) raw6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
// raw(SYS_x, arguments...)
#define raw(...) RAW_PICK(__VA_ARGS__, RAW5, RAW4, RAW3, RAW2, RAW1, RAW0)(__VA_ARGS__)

#endif
