/* A static program, as a shell in an initial RAM disk is, that executes what it is told to. */
#include <stdio.h>
#include <unistd.h>

int main(int count, char **words) {
  if (count > 1) execv(words[1], words + 1);
  perror("execv");
  return 1;
}
