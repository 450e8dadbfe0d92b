// A program with an allocator of its own that polls and closes before it hands out memory.
#include <fcntl.h>
#include <sys/mman.h>

#include "support/process.hpp"
#include "support/watched.hpp"

namespace {

alignas(16) char arena[64 << 20];
size_t used = 0;
long calls = 0;
bool inside = false;
pollfd entries[24];

void touch_everything() {
  if (inside) return;
  inside = true;
  ++calls;
  const int saved = errno;
  if (entries[0].fd == 0)
    for (pollfd& entry : entries) entry = {-1, POLLIN, 0};
  if (calls % 16 == 0) entries[0].fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::poll(entries, 24, 0);
  if (entries[0].fd > 0) ::close(entries[0].fd);
  entries[0].fd = -1;
  errno = saved;
  inside = false;
}

}  // namespace

extern "C" void* malloc(size_t size) {
  touch_everything();
  const size_t need = (size + 31) & ~size_t{15};
  const size_t at = __atomic_fetch_add(&used, need, __ATOMIC_RELAXED);
  if (at + need > sizeof arena) return nullptr;
  *reinterpret_cast<size_t*>(arena + at) = size;
  return arena + at + 16;
}
extern "C" void free(void*) { touch_everything(); }
extern "C" void* calloc(size_t count, size_t size) {
  void* memory = malloc(count * size);
  return memory == nullptr ? nullptr : ::memset(memory, 0, count * size);
}
extern "C" void* realloc(void* old, size_t size) {
  void* memory = malloc(size);
  if (memory != nullptr && old != nullptr) {
    const size_t had = *reinterpret_cast<size_t*>(static_cast<char*>(old) - 16);
    ::memcpy(memory, old, had < size ? had : size);
  }
  return memory;
}

using namespace scenario;

SCENARIO(polls_in_malloc) {
  Watched watched;
  watched.exercise();
  const pid_t child = ::fork();
  if (child == 0) {
    watched.exercise();
    ::_exit(0);
  }
  expect_success(child);
  FILE* stream = ::fopen("/dev/null", "r");
  CHECK(stream != nullptr && ::fclose(stream) == 0);
  watched.exercise();
  CHECK(calls > 5);
}

SCENARIO_MAIN
