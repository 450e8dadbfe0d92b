// The main program of a printed sequence.
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

static const char* const names[] = {
#define OP(name, ...) #name,
#include "../op.def"
#undef OP
    "(end)",
};

static void print(void) {
  for (unsigned i = 0; i < shared->records; ++i) {
    unsigned op = shared->record[i].op;
    printf("%3u %s:", op, names[op < shared->count ? shared->op[op].kind : OP_COUNT]);
    unsigned end = i + 1 < shared->records ? shared->record[i + 1].at : shared->words;
    for (unsigned at = shared->record[i].at; at < end; ++at) printf(" %d", shared->word[at]);
    printf("\n");
  }
}

int replay(int argc, char** argv, const Op* op, unsigned count, int by_clone) {
  int status = exec_continues(argc, argv);
  if (status >= 0) return status;

  static char files[] = "/tmp/kev-oracle-XXXXXX";
  static char path[sizeof files + 16];
  if (mkdtemp(files) == NULL) return 98;
  snprintf(path, sizeof path, "%s/shared", files);
  FILE* file = fopen(path, "w");
  if (file == NULL || ftruncate(fileno(file), sizeof(Shared)) != 0 || fclose(file) != 0) return 98;
  have_own_network();
  attach(path);
  folder = files;
  memcpy(shared->op, op, count * sizeof *op);
  shared->count = count;
  status = in_child(by_clone);
  print();
  printf("status %d\n", status);

  static const char* const made[] = {"shared", "file", "fifo", "touched"};
  for (unsigned i = 0; i < sizeof made / sizeof *made; ++i) {
    snprintf(path, sizeof path, "%s/%s", files, made[i]);
    unlink(path);
  }
  rmdir(files);
  return 0;
}
