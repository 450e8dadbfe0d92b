// How things are taken from the ring; the contract stands in queue.hpp.
//
// An event of a registration that was deleted is dropped here: its reference leads nowhere. One that is claimed is not
// delivered yet: a oneshot goes when it is committed.
#include <cstring>

#include "queue/queue.hpp"

namespace kev::queue {

namespace {

// The registration that a claimed event belongs to, also if it was deleted since and owes its notice; or null.
Entry* claimed_entry(Queue& queue, Reference reference) {
  Entry* entry = queue.table.slot(reference.index);
  uint32_t generation = entry->generation.load(std::memory_order_relaxed);
  if (generation == reference.generation) return entry;
  return entry->dying && generation == reference.generation + 1 ? entry : nullptr;
}

void name(Entry& entry, kev_event& event) {
  event.ident = entry.ident.load(std::memory_order_relaxed);
  event.udata = entry.udata;
}

// Field by field, as it was written a moment ago: wider loads would have to wait for the stores.
void copy_posted(const kev_event& from, kev_event& to) {
  to.result = from.result;
  to.data[0] = from.data[0];
  to.data[1] = from.data[1];
  to.data[2] = from.data[2];
  to.flags = from.flags;
}

bool fill(Queue& queue, Entry& entry, kev_event& event, Detail* detail) {
  event.result = 0;
  std::memset(event.data, 0, sizeof event.data);
  event.flags = 0;
  event.what = 0;
  uint32_t source = entry.source.load(std::memory_order_relaxed);
  event.source = static_cast<uint16_t>(source);
  entry.queued = false;
  switch (source) {
    case KEV_SOURCE_FD: return fill_fd(queue, entry, event);
    case KEV_SOURCE_TIMER: return fill_timer(queue, entry, event);
    case KEV_SOURCE_USER: return fill_user(queue, entry, event);
    case KEV_SOURCE_PROCESS: return fill_process(queue, entry, event, detail);
    default: return fill_futex(queue, entry, event);
  }
}

// What was given back is claimed again: with what its registration has had to say since.
void take_back(Entry& entry, kev_event& event) {
  if (event.source == KEV_SOURCE_FD) {
    event.what |= entry.bits;
    entry.bits = 0;
    entry.queued = false;
  } else if (event.source != KEV_SOURCE_SIGNAL && event.source != KEV_SOURCE_USER) {
    entry.queued = false;
  }
}

// Makes the event at `position` in `event`. False: it is of no registration that still is. Who claims it holds it next.
[[gnu::always_inline]] inline bool make(Queue& queue, uint64_t position, const Record& record, kev_event& event,
                                        Detail* detail) {
  kev_event& in_ring = queue.events[queue.ring.place(position)];
  if (&event != &in_ring) event.time_ns = in_ring.time_ns;
  Entry* entry = queue.table.slot(record.reference.index);
  if (entry->generation.load(std::memory_order_relaxed) != record.reference.generation) return false;
  if (record.kind == Kind::notice) {
    uint64_t time = event.time_ns;
    event = {};
    event.time_ns = time;
    name(*entry, event);
    event.source = static_cast<uint16_t>(entry->what);
    event.flags = KEV_E_DELETED | KEV_E_LAST;
    return true;
  }
  if (entry->spent) return false;
  name(*entry, event);
  if (record.kind == Kind::standing) {
    if (!fill(queue, *entry, event, detail)) return false;
  } else {
    if (record.kind == Kind::posted) {
      if (&event != &in_ring) copy_posted(in_ring, event);
      uint32_t source = entry->source.load(std::memory_order_relaxed);
      event.source = static_cast<uint16_t>(source);
      event.what = source == KEV_SOURCE_USER ? KEV_POSTED : KEV_RAISED;
    } else {
      uint64_t time = event.time_ns;
      event = in_ring;
      event.time_ns = time;
      take_back(*entry, event);
    }
    if (detail == nullptr) event.flags &= static_cast<uint16_t>(~KEV_E_MORE);
  }
  if (entry->has(KEV_ONESHOT)) event.flags |= KEV_E_LAST;
  return true;
}

// Until it is finished.
void hold(Queue& queue, const Record& record) {
  if (record.kind == Kind::notice) return;
  Entry& entry = *queue.table.slot(record.reference.index);
  ++entry.claims;
  entry.spent = entry.has(KEV_ONESHOT);
}

// Claimed and committed in one.
void deliver(Queue& queue, const Record& record) {
  Entry& entry = *queue.table.slot(record.reference.index);
  if (record.kind == Kind::notice) {
    entry.dying = false;
    queue.table.recycle(entry);
  } else if (entry.has(KEV_ONESHOT)) {
    entry.spent = true;
    retire(queue, entry);
  }
}

void finish(Queue& queue, Entry& entry) {
  --entry.claims;
  if (entry.spent && !entry.dying)
    retire(queue, entry);
  else if (entry.dying && entry.claims == 0)
    publish(queue, entry);
}

void finish(Queue& queue, const Record& record) {
  if (record.kind == Kind::notice) {
    Entry& entry = *queue.table.slot(record.reference.index);
    entry.dying = false;
    queue.table.recycle(entry);
    return;
  }
  if (Entry* entry = claimed_entry(queue, record.reference)) finish(queue, *entry);
}

ClaimRecord& record_at(Queue& queue, uint64_t position) { return queue.claims[queue.ring.place(position)]; }

// The first events that were given back; null if there are none.
ClaimRecord* first_returned(Queue& queue) {
  if (queue.returned.load(std::memory_order_relaxed) == 0) return nullptr;
  uint64_t head = queue.ring.head();
  uint64_t from = head > queue.ring.capacity() ? head - queue.ring.capacity() : 0;
  for (uint64_t position = from; position < head; ++position) {
    ClaimRecord& record = record_at(queue, position);
    if (record.count != 0 && record.returned && record.position == position) return &record;
  }
  return nullptr;
}

void shorten(Queue& queue, ClaimRecord& record, uint32_t by) {
  ClaimRecord rest = record;
  record.count = 0;
  queue.returned.store(queue.returned.load(std::memory_order_relaxed) - by, std::memory_order_relaxed);
  rest.position += by;
  rest.count -= by;
  if (rest.count != 0) record_at(queue, rest.position) = rest;
}

}  // namespace

bool hand_over(Queue& queue, Entry& entry, kev_event& out) {
  name(entry, out);
  out.time_ns = 0;
  if (!fill(queue, entry, out, nullptr)) return false;
  if (!entry.has(KEV_ONESHOT)) return true;
  out.flags |= KEV_E_LAST;
  entry.spent = true;
  retire(queue, entry);
  return true;
}

unsigned count_ready(Queue& queue, unsigned most, uint32_t* looked_at) {
  unsigned count = queue.returned.load(std::memory_order_relaxed);
  uint64_t position = queue.ring.head();
  for (; count < most; ++position) {
    Record* record = queue.ring.published(position);
    if (record == nullptr) break;
    Entry* entry = queue.table.at(record->reference);
    if (entry != nullptr && !entry->spent) ++count;
  }
  if (looked_at != nullptr) *looked_at = static_cast<uint32_t>(position - queue.ring.head());
  return count;
}

void sweep(Queue& queue) {
  uint64_t position = queue.ring.head();
  for (;; ++position) {
    Record* record = queue.ring.published(position);
    if (record == nullptr) break;
    Entry* entry = queue.table.at(record->reference);
    if (entry != nullptr && !entry->spent) break;
    queue.ring.commit(position);
  }
  queue.ring.claim_to(position);
}

unsigned take(Queue& queue, kev_event* out, unsigned max) {
  unsigned count = 0;
  while (count < max) {
    ClaimRecord* back = first_returned(queue);
    if (back == nullptr) break;
    uint64_t position = back->position;
    const Record record = *queue.ring.published(position);
    shorten(queue, *back, 1);
    if (make(queue, position, record, out[count], nullptr)) {
      deliver(queue, record);
      ++count;
    }
    queue.ring.commit(position);
  }
  uint64_t position = queue.ring.head();
  for (; count < max; ++position) {
    Record* slot = queue.ring.published(position);
    if (slot == nullptr) break;
    const Record& record = *slot;
    if (make(queue, position, record, out[count], nullptr)) {
      deliver(queue, record);
      ++count;
    }
    queue.ring.commit(position);
  }
  queue.ring.claim_to(position);
  queue.delivered += count;
  return count;
}

unsigned claim(Queue& queue, unsigned max, kev_claim& claim, const void* owner) {
  ClaimRecord* back = first_returned(queue);
  uint64_t position = back != nullptr ? back->position : queue.ring.head();
  uint64_t first = position;
  unsigned count = 0;
  unsigned available = back != nullptr ? back->count : ~0u;
  while (count < max && available-- > 0) {
    Record* record = queue.ring.published(position);
    if (record == nullptr || (count != 0 && queue.ring.place(position) == 0)) break;
    uint32_t place = queue.ring.place(position);
    bool made = make(queue, position, *record, queue.events[place], queue.details ? &queue.details[place] : nullptr);
    if (made) {
      hold(queue, *record);
      if (count++ == 0) first = position;
    } else if (count != 0) {
      break;  // a claim is one run: this one is dropped by the next
    } else {
      queue.ring.commit(position);
    }
    ++position;
  }
  if (back != nullptr)
    shorten(queue, *back, static_cast<uint32_t>(position - back->position));
  else
    queue.ring.claim_to(position);
  if (count == 0) return 0;
  record_at(queue, first) = {first, count, false, owner};
  ++queue.claims_standing;
  queue.delivered += count;
  claim = {&queue.events[queue.ring.place(first)], count, 0, first};
  return count;
}

ClaimRecord* find_claim(Queue& queue, const kev_claim& claim) {
  ClaimRecord& record = record_at(queue, claim.token);
  bool is_it = record.count != 0 && !record.returned && record.position == claim.token && record.count == claim.count;
  return is_it ? &record : nullptr;
}

void commit(Queue& queue, ClaimRecord& record) {
  for (uint32_t i = 0; i < record.count; ++i) {
    uint64_t position = record.position + i;
    finish(queue, *queue.ring.published(position));
    queue.ring.commit(position);
  }
  record.count = 0;
  --queue.claims_standing;
}

void unclaim(Queue& queue, ClaimRecord& record, uint32_t from) {
  ClaimRecord rest = record;
  record.count = from;
  commit(queue, record);
  rest.position += from;
  rest.count -= from;
  rest.returned = true;
  if (rest.count == 0) return;
  record_at(queue, rest.position) = rest;
  queue.returned.store(queue.returned.load(std::memory_order_relaxed) + rest.count, std::memory_order_seq_cst);
  queue.delivered -= rest.count;
  for (uint32_t i = 0; i < rest.count; ++i) {
    Record& given_back = *queue.ring.published(rest.position + i);
    if (given_back.kind == Kind::notice) continue;
    Entry* entry = claimed_entry(queue, given_back.reference);
    if (entry == nullptr) continue;
    if (given_back.kind == Kind::standing && !entry->dying) entry->queued = true;
    given_back.kind = Kind::returned;
    entry->spent = false;
    finish(queue, *entry);
  }
}

}  // namespace kev::queue
