#include "share.hpp"

#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

#include "stats/page.hpp"

namespace oracle {

using namespace kev::stats;

Share::Share() {
  char name[] = "/tmp/kev-oracle-stats-XXXXXX";
  int fd = mkstemp(name);
  if (fd >= 0) close(fd);
  path_ = name;
}

Share::~Share() { unlink(path_.c_str()); }

void Share::read() {
  int error = 0;
  const Header* header = map_existing(path_.c_str(), error);
  waits_ = by_core_ = arrays_ = in_memory_ = 0;
  for (uint64_t& fallback : fallbacks_) fallback = 0;
  if (header == nullptr) return;
  uint64_t finished = 0;
  for (unsigned i = 0; i < kSlots; ++i) {
    const kev::stats::Slot* slot = slot_at(header, i);
    auto count = [slot](Call call, Counter counter) {
      return slot->counters[static_cast<unsigned>(call)][static_cast<unsigned>(counter)].load(std::memory_order_relaxed);
    };
    for (Call call : {Call::poll, Call::ppoll, Call::select, Call::pselect}) {
      arrays_ += count(call, Counter::calls);
      by_core_ += count(call, Counter::core);
    }
    for (Call call : {Call::epoll_wait, Call::epoll_pwait, Call::epoll_pwait2}) {
      waits_ += count(call, Counter::calls);
      by_core_ += count(call, Counter::core);
    }
    for (unsigned call = 0; call < kCalls; ++call) in_memory_ += count(static_cast<Call>(call), Counter::memory);
    for (unsigned reason = 0; reason < kFallbacks; ++reason)
      fallbacks_[reason] += slot->fallbacks[reason].load(std::memory_order_relaxed);
  }
  // Begun in the core, and answered by the kernel.
  for (Fallback reason : {Fallback::verify, Fallback::long_sleep, Fallback::unconfirmed})
    finished += fallbacks_[static_cast<unsigned>(reason)];
  waits_ += arrays_;
  by_core_ -= finished < by_core_ ? finished : by_core_;
  munmap(const_cast<Header*>(header), kFileBytes);
}

void Share::print() {
  read();
  printf("waits: %llu, of arrays %llu; by the core %llu (%.0f %%), from memory alone %llu\n", static_cast<unsigned long long>(waits_),
         static_cast<unsigned long long>(arrays_), static_cast<unsigned long long>(by_core_),
         waits_ == 0 ? 0.0 : 100.0 * static_cast<double>(by_core_) / static_cast<double>(waits_),
         static_cast<unsigned long long>(in_memory_));
  constexpr const char* kNames[] = {
#define KEV_FALLBACK(id, key, text) key,
#include "stats/counters.def"
#undef KEV_FALLBACK
  };
  printf("  by the kernel:");
  for (unsigned reason = 0; reason < kFallbacks; ++reason)
    if (fallbacks_[reason] != 0) printf(" %s %llu", kNames[reason], static_cast<unsigned long long>(fallbacks_[reason]));
  printf("\n");
}

bool Share::is_enough(int percent) {
  read();
  return by_core_ * 100 >= waits_ * static_cast<uint64_t>(percent);
}

}  // namespace oracle
