// The page that forked children find cleared; the contract stands in generation.hpp.
#include "process/generation.hpp"

#include <sys/mman.h>

#include "os/memory.hpp"

namespace kev::process {

constinit std::atomic<unsigned>* generation_word = nullptr;

bool mark_generation() {
  constexpr unsigned long kPage = 4096;
  void* page = os::map_private(kPage);
  if (page == nullptr) return false;
  if (os::madvise(page, kPage, MADV_WIPEONFORK) != 0) {
    os::munmap(page, kPage);
    return false;
  }
  generation_word = static_cast<std::atomic<unsigned>*>(page);
  mark_generation_again();
  return true;
}

}  // namespace kev::process
