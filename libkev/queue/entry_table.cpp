// Chunks of entries and the chains that lead to them; the contract stands in entry_table.hpp.
#include "queue/entry_table.hpp"

#include <cerrno>
#include <cstdlib>
#include <new>

#include "wait/signal_gate.hpp"

namespace kev::queue {

EntryTable::Buckets* EntryTable::make_buckets(uint32_t bits, Buckets* before) {
  auto* buckets = static_cast<Buckets*>(std::malloc(sizeof(Buckets) + sizeof(uint32_t) * ((size_t{1} << bits) - 1)));
  if (buckets == nullptr) return nullptr;
  buckets->before = before;
  buckets->bits = bits;
  for (size_t i = 0; i < size_t{1} << bits; ++i) ::new (&buckets->heads[i]) std::atomic<uint32_t>(kNone);
  return buckets;
}

int EntryTable::open() {
  Buckets* buckets = make_buckets(6, nullptr);
  buckets_.store(buckets, std::memory_order_relaxed);
  return buckets == nullptr ? -ENOMEM : 0;
}

void EntryTable::close() {
  for (Buckets* buckets = buckets_.load(std::memory_order_relaxed); buckets != nullptr;) {
    Buckets* before = buckets->before;
    std::free(buckets);
    buckets = before;
  }
  buckets_.store(nullptr, std::memory_order_relaxed);
  for (Entry*& chunk : chunks_) {
    std::free(static_cast<void*>(chunk));
    chunk = nullptr;
  }
  used_ = available_ = size_ = 0;
  free_ = kNone;
}

void EntryTable::link(Buckets& buckets, Entry& entry) {
  std::atomic<uint32_t>& head = buckets.heads[home(buckets, entry.source.load(std::memory_order_relaxed),
                                                   entry.ident.load(std::memory_order_relaxed))];
  entry.next.store(head.load(std::memory_order_relaxed), std::memory_order_relaxed);
  head.store(entry.index, std::memory_order_release);  // partner: find()
}

void EntryTable::grow() {
  Buckets* old = buckets_.load(std::memory_order_relaxed);
  Buckets* larger = make_buckets(old->bits + 2, old);
  if (larger == nullptr) return;  // longer chains, then
  wait::SignalGate gate;
  gate.close();
  uint32_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_seq_cst);
  for_each([&](Entry& entry) { link(*larger, entry); });
  buckets_.store(larger, std::memory_order_release);
  version_.store(version + 2, std::memory_order_release);
  gate.open();
}

Entry* EntryTable::insert(uint32_t source, uint64_t ident) {
  Entry* entry;
  if (free_ != kNone) {
    entry = slot(free_);
    free_ = entry->next_pending;
  } else {
    if (used_ == available_) {
      unsigned chunk = 0;
      while (chunk < kChunks && chunks_[chunk] != nullptr) ++chunk;
      if (chunk == kChunks) return nullptr;
      size_t count = size_t{kFirst} << chunk;
      void* memory = std::aligned_alloc(alignof(Entry), count * sizeof(Entry));
      if (memory == nullptr) return nullptr;
      Entry* entries = static_cast<Entry*>(memory);
      for (size_t i = 0; i < count; ++i) (::new (entries + i) Entry)->index = available_ + static_cast<uint32_t>(i);
      chunks_[chunk] = entries;
      available_ += static_cast<uint32_t>(count);
    }
    entry = slot(used_++);
  }
  entry->flags.store(0, std::memory_order_relaxed);
  entry->enabled.store(true, std::memory_order_relaxed);
  entry->udata = 0;
  entry->what = entry->bits = entry->claims = 0;
  entry->queued = entry->pending = entry->spent = entry->dying = entry->has_first = false;
  entry->polled = false;
  entry->reports = 0;
  entry->previous_pending = entry->next_pending = kNone;
  entry->sum.store(Entry::sum_word(entry->generation.load(std::memory_order_relaxed), 0), std::memory_order_relaxed);
  entry->period = 0;
  entry->expirations = 0;
  entry->futex_next = kNone;
  if (size_ >= size_t{1} << buckets_.load(std::memory_order_relaxed)->bits) grow();
  entry->ident.store(ident, std::memory_order_relaxed);
  entry->source.store(source, std::memory_order_release);  // partner: find()
  link(*buckets_.load(std::memory_order_relaxed), *entry);
  ++size_;
  version_.store(version_.load(std::memory_order_relaxed) + 2, std::memory_order_release);
  return entry;
}

void EntryTable::erase(Entry& entry) {
  Buckets& buckets = *buckets_.load(std::memory_order_relaxed);
  std::atomic<uint32_t>* link = &buckets.heads[home(buckets, entry.source.load(std::memory_order_relaxed),
                                                    entry.ident.load(std::memory_order_relaxed))];
  while (link->load(std::memory_order_relaxed) != entry.index)
    link = &slot(link->load(std::memory_order_relaxed))->next;
  link->store(entry.next.load(std::memory_order_relaxed), std::memory_order_release);
  entry.source.store(0, std::memory_order_relaxed);
  entry.generation.store(entry.generation.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  version_.store(version_.load(std::memory_order_relaxed) + 2, std::memory_order_release);
  --size_;
}

void EntryTable::recycle(Entry& entry) {
  entry.next_pending = free_;
  free_ = entry.index;
}

}  // namespace kev::queue
