/* A child that says that it ran and what it was told to preload. Built by other compilers too. */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words) {
  const char *preload = getenv("LD_PRELOAD");
  printf("child with %d words\n", count);
  if (count > 1) printf("preload: %s\n", preload == NULL ? "none" : preload);
  (void)words;
  return 7;
}
