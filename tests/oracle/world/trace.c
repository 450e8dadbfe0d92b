// Recording what operations came to, in the memory that the driver compares.
#include <errno.h>
#include <string.h>

#include "world.h"

World world;
Shared* shared;

_Thread_local Aside* aside;

void begin_record(unsigned op) {
  if (aside != NULL) return;
  if (shared->records < sizeof shared->record / sizeof *shared->record) {
    shared->record[shared->records].op = op;
    shared->record[shared->records].at = shared->words;
    shared->records++;
  }
}

void say(int value) {
  if (aside != NULL) {
    if (aside->words < sizeof aside->word / sizeof *aside->word) aside->word[aside->words++] = value;
    return;
  }
  if (shared->words < TRACE_WORDS) shared->word[shared->words++] = value;
}

void say_result(long result) {
  say((int)result);
  if (result < 0) say(errno);
}

void say_new(int slot, int fd) {
  say_result(fd);
  if (fd >= 0) world.fd[(unsigned)slot % SLOTS] = fd;
}

void say_bytes(const void* data, long count) {
  say_result(count);
  unsigned hash = 2166136261u;
  for (long i = 0; i < count; ++i) hash = (hash ^ ((const unsigned char*)data)[i]) * 16777619u;
  if (count > 0) say((int)hash);
}

void join_record(unsigned op, const Aside* from) {
  begin_record(op);
  for (unsigned i = 0; i < from->words; ++i) say(from->word[i]);
}
