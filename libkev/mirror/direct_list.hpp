// The descriptors that a mirror asks of the kernel itself, as the array that poll() is given.
//
// Entry 0 is the engine's descriptor: whether anything watched has an event. Behind the list there is room for what
// the engine reported, so that both are asked by one call. In memory that the caller provides. One thread at a time.
#pragma once

#include <cstdint>
#include <poll.h>

namespace kev::mirror {

class DirectList {
 public:
  // `entries` has room for the list, entry 0 and what comes behind; `last` for as many as the list.
  void attach(pollfd* entries, uint32_t* last) {
    entries_ = entries;
    last_ = last;
    size_ = 0;
  }

  unsigned size() const { return size_; }
  bool is_empty() const { return size_ == 0; }

  // Entries 1 to size() are the list's.
  pollfd* all() { return entries_; }
  pollfd& operator[](unsigned index) { return entries_[index]; }
  pollfd* behind() { return entries_ + size_ + 1; }

  // The call in which the entry was ready last.
  uint32_t& last(unsigned index) { return last_[index - 1]; }

  // Returns the new entry's index.
  unsigned add(int fd, short events, uint32_t last_ready) {
    entries_[++size_] = {fd, events, 0};
    last(size_) = last_ready;
    return size_;
  }

  // Takes an entry out. The last one moves to its index: returns its descriptor, or -1.
  int remove(unsigned index) {
    unsigned end = size_--;
    if (index == end) return -1;
    entries_[index] = entries_[end];
    last(index) = last(end);
    return entries_[index].fd;
  }

 private:
  pollfd* entries_ = nullptr;
  uint32_t* last_ = nullptr;
  unsigned size_ = 0;
};

}  // namespace kev::mirror
