// Operations on the arrays and sets that the waits are given.
#include <string.h>

#include "world.h"

static unsigned array_of(int32_t a) { return (unsigned)a % ARRAYS; }

void op_entry(const int32_t* a) {
  struct pollfd* entry = &world.array[array_of(a[0])][(unsigned)a[1] % ENTRIES];
  *entry = (struct pollfd){fd_of(a[2]), (short)a[3], 0x55};
  say(0);
}

void op_entry_number(const int32_t* a) {
  world.array[array_of(a[0])][(unsigned)a[1] % ENTRIES] = (struct pollfd){a[2], (short)a[3], 0x55};
  say(0);
}

// The slots in their order, from one on, with every other place left out.
void op_entries(const int32_t* a) {
  unsigned array = array_of(a[0]);
  int length = a[1] < 0 || a[1] > ENTRIES ? ENTRIES : a[1];
  for (int i = 0; i < length; ++i)
    world.array[array][i] = (struct pollfd){i % 2 == 1 ? -1 : fd_of(a[2] + i / 2), (short)a[3], 0x55};
  world.length[array] = length;
  say(length);
}

void op_length(const int32_t* a) {
  world.length[array_of(a[0])] = a[1] < 0 || a[1] > ENTRIES ? ENTRIES : a[1];
  say(0);
}

void op_shuffle(const int32_t* a) {
  unsigned array = array_of(a[0]);
  unsigned state = (unsigned)a[1];
  for (int i = world.length[array] - 1; i > 0; --i) {
    state = state * 1664525u + 1013904223u;
    unsigned with = (state >> 8) % (unsigned)(i + 1);
    struct pollfd kept = world.array[array][i];
    world.array[array][i] = world.array[array][with];
    world.array[array][with] = kept;
  }
  say(0);
}

void op_copy(const int32_t* a) {
  unsigned from = array_of(a[0]);
  unsigned to = array_of(a[1]);
  if (from != to) memcpy(world.array[to], world.array[from], sizeof world.array[to]);
  world.length[to] = world.length[from];
  say(0);
}

static fd_set* wanted(const int32_t* a) { return &world.wanted[(unsigned)a[0] % SETS][(unsigned)a[1] % 3]; }

static bool fits(int fd) { return fd >= 0 && fd < FD_SETSIZE; }

void op_bit(const int32_t* a) {
  if (fits(fd_of(a[2]))) FD_SET(fd_of(a[2]), wanted(a));
  say(0);
}

void op_unbit(const int32_t* a) {
  if (fits(fd_of(a[2]))) FD_CLR(fd_of(a[2]), wanted(a));
  say(0);
}

void op_bit_number(const int32_t* a) {
  if (fits(a[2])) FD_SET(a[2], wanted(a));
  say(0);
}

void op_clear(const int32_t* a) {
  memset(world.wanted[(unsigned)a[0] % SETS], 0, sizeof world.wanted[0]);
  say(0);
}
