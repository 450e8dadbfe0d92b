// select's three sets as a poll array, and that array's mirror.
//
// Keeps a copy of the sets that the program passed last time, and the list of their descriptors; while the sets
// stay the same, word by word, so does the list. The program's sets are written only when a wait is done, so that
// they can still be passed to the program's own call. One thread at a time, like the array mirror.
#pragma once

#include <sys/select.h>

#include "mirror/array_mirror.hpp"

namespace kev::mirror {

// select's sets; each may be null. A program may pass larger ones than fd_set (nfds above FD_SETSIZE).
struct Sets {
  using Word = unsigned long;
  static constexpr unsigned kWordBits = 8 * sizeof(Word);

  Word* in;
  Word* out;
  Word* except;

  static unsigned words(int nfds) { return (static_cast<unsigned>(nfds) + kWordBits - 1) / kWordBits; }

  Word word(const Word* set, unsigned i) const { return set == nullptr ? 0 : set[i]; }
  Word any(unsigned i) const { return word(in, i) | word(out, i) | word(except, i); }

  // How many descriptors below `nfds` stand in any of the sets. Stops counting at `enough`.
  unsigned count(int nfds, unsigned enough) const;
};

class SelectMirror {
 public:
  void belong_to(std::atomic<uintptr_t>& holder) { array_.belong_to(holder); }
  bell::Ring& ring() { return array_.ring(); }
  bool is_open() const { return array_.is_open(); }

  // Makes room for sets of `nfds` bits. 0 or -errno.
  int open(int nfds, int wake_fd);
  void close();
  void disconnect() { array_.disconnect(); }
  bool fits(int nfds) const { return Sets::words(nfds) <= words_room_; }

  // As ArrayMirror::sync and wait, for sets.
  bool sync(const Sets& sets, int nfds, stats::Fallback& reason);
  Answer wait(const Sets& sets, int nfds, const wait::Deadline& deadline, const sigset_t* mask,
              wait::SignalGate& gate);
  void check_found_by_kernel(const Sets& sets);
  void verify_next() { array_.verify_next(); }
  void start_over_next_time() { array_.start_over_next_time(); }
  void wake() { array_.wake(); }
  unsigned registrations() const { return array_.registrations(); }
  unsigned size() const { return list_count_; }  // descriptors, at the last sync()
  unsigned direct() const { return array_.direct(); }
  unsigned spent_on_watching() const { return array_.spent_on_watching(); }

 private:
  bool same(const Sets& sets, unsigned words) const;
  void list(const Sets& sets, int nfds);
  static void clear(const Sets& sets, int nfds);
  int write_back(const Sets& sets);
  void restore(const Sets& sets, unsigned i);

  ArrayMirror array_;
  void* block_ = nullptr;
  size_t block_bytes_ = 0;
  Sets::Word* shadow_ = nullptr;  // [3][words_room_]: in, out, except
  pollfd* list_ = nullptr;
  uint8_t* blocks_ = nullptr;     // [blocks_of(bits)] which of the list have results (compare.hpp)
  unsigned words_room_ = 0;
  unsigned list_count_ = 0;
  int nfds_ = 0;
};

}  // namespace kev::mirror
