// All registrations of a queue, found by (source, ident) or by a reference.
//
// Found without a lock too, from signal handlers: entries are never freed, chains are changed one link at a time, and
// whoever missed his key looks again if the table has changed meanwhile. A handler that interrupts a change sees the
// chain before it or after it; the one change that takes several steps, growing, blocks signals.
// Changes: one thread at a time (the queue's lock). Allocates from malloc, in insert() alone.
#pragma once

#include "queue/entry.hpp"

namespace kev::queue {

class EntryTable {
 public:
  // 0 or -ENOMEM.
  int open();
  void close();

  uint32_t size() const { return size_; }

  Entry* find(uint32_t source, uint64_t ident) const {
    for (;;) {
      uint32_t version = version_.load(std::memory_order_acquire);
      if ((version & 1) != 0) continue;  // by another thread, which blocks signals: it goes on
      Buckets& buckets = *buckets_.load(std::memory_order_acquire);
      uint32_t index = buckets.heads[home(buckets, source, ident)].load(std::memory_order_acquire);  // partner: link()
      while (index != kNone) {
        Entry* entry = slot(index);
        // In this order: whoever sees the source of one that comes anew sees its ident.
        if (entry->source.load(std::memory_order_acquire) == source &&
            entry->ident.load(std::memory_order_relaxed) == ident)
          return entry;
        index = entry->next.load(std::memory_order_acquire);
      }
      std::atomic_thread_fence(std::memory_order_acquire);
      if (version_.load(std::memory_order_relaxed) == version) return nullptr;
    }
  }
  // Null if it is gone.
  Entry* at(Reference reference) const {
    Entry* entry = slot(reference.index);
    return entry->generation.load(std::memory_order_relaxed) == reference.generation ? entry : nullptr;
  }
  Entry* slot(uint32_t index) const {
    unsigned chunk = 31 - static_cast<unsigned>(__builtin_clz(index + kFirst)) - kFirstBits;
    return chunks_[chunk] + (index + kFirst - (kFirst << chunk));
  }

  // A new entry under its key, all its fields at their beginnings. Precondition: find() has none. Null: no memory.
  Entry* insert(uint32_t source, uint64_t ident);

  // Takes it out of the table: its references lead nowhere from now on, its memory stays the caller's.
  void erase(Entry& entry);
  // The memory of an erased entry may be another's.
  void recycle(Entry& entry);

  // Calls `visit` for each registration, in no order; it may erase that one.
  template <typename Visit>
  void for_each(Visit visit) {
    for (uint32_t i = 0; i < used_; ++i)
      if (slot(i)->source.load(std::memory_order_relaxed) != 0) visit(*slot(i));
  }

 private:
  static constexpr unsigned kFirstBits = 5, kChunks = 24;
  static constexpr uint32_t kFirst = 1u << kFirstBits;
  static constexpr uint32_t kHeads = 64;

  struct Buckets {  // of one size; those before it are kept, since somebody may still look at them
    Buckets* before;
    uint32_t bits;
    std::atomic<uint32_t> heads[1];
  };

  static uint32_t home(const Buckets& buckets, uint32_t source, uint64_t ident) {
    uint64_t mixed = (ident ^ uint64_t{source} << 56) * 0x9e3779b97f4a7c15u;
    return static_cast<uint32_t>(mixed >> (64 - buckets.bits));
  }
  static Buckets* make_buckets(uint32_t bits, Buckets* before);
  void link(Buckets& buckets, Entry& entry);
  void grow();

  Entry* chunks_[kChunks] = {};
  uint32_t used_ = 0;       // entries that were ever handed out
  uint32_t available_ = 0;  // entries that there is memory for
  uint32_t free_ = kNone;
  uint32_t size_ = 0;
  std::atomic<Buckets*> buckets_{nullptr};
  std::atomic<uint32_t> version_{0};  // odd: growing
};

}  // namespace kev::queue
