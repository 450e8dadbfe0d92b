// kev_version(): the one question that every release of libkev.so.1 answers.
#include <kev/version.h>

extern "C" __attribute__((visibility("default"))) unsigned kev_version(void) { return KEV_VERSION; }
