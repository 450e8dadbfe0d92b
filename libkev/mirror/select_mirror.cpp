// Translates between select's sets and a poll array; the contract stands in select_mirror.hpp.
#include "mirror/select_mirror.hpp"

#include <bit>
#include <cerrno>
#include <initializer_list>

#include "mirror/compare.hpp"
#include "os/memory.hpp"

namespace kev::mirror {

using stats::Fallback;
using Word = Sets::Word;

namespace {

// What makes a descriptor ready for each set, as the kernel's select() has it.
constexpr short kInBits = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR | POLLNVAL;
constexpr short kOutBits = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR | POLLNVAL;
constexpr short kExceptBits = POLLPRI | POLLNVAL;
// Of these, what can be asked for.
constexpr short kInEvents = POLLRDNORM | POLLRDBAND | POLLIN;
constexpr short kOutEvents = POLLWRBAND | POLLWRNORM | POLLOUT;
constexpr short kExceptEvents = POLLPRI;

// The bits of word `i` that lie below `nfds`.
Word below(int nfds, unsigned i) {
  unsigned first = i * Sets::kWordBits;
  unsigned left = static_cast<unsigned>(nfds) - first;
  return left >= Sets::kWordBits ? ~Word{0} : (Word{1} << left) - 1;
}

}  // namespace

unsigned Sets::count(int nfds, unsigned enough) const {
  unsigned found = 0;
  for (unsigned i = 0; i < words(nfds) && found < enough; ++i)
    found += static_cast<unsigned>(std::popcount(any(i) & below(nfds, i)));
  return found;
}

int SelectMirror::open(int nfds, int wake_fd) {
  unsigned words = Sets::words(nfds);
  unsigned bits = words * Sets::kWordBits;
  size_t bytes = 3 * words * sizeof(Word) + bits * sizeof(pollfd) + blocks_of(bits);
  void* block = os::map_private(bytes);
  if (block == nullptr) return -ENOMEM;
  int error = array_.open(bits, wake_fd, ArrayMirror::Closed::fails_the_call);
  if (error < 0) {
    os::munmap(block, bytes);
    return error;
  }
  block_bytes_ = bytes;
  list_ = static_cast<pollfd*>(block);
  shadow_ = reinterpret_cast<Word*>(list_ + bits);
  blocks_ = reinterpret_cast<uint8_t*>(shadow_ + 3 * words);
  words_room_ = words;
  list_count_ = 0;
  nfds_ = 0;
  block_ = block;
  return 0;
}

void SelectMirror::close() {
  array_.close();
  if (block_ == nullptr) return;
  void* block = block_;
  block_ = nullptr;
  words_room_ = 0;
  os::munmap(block, block_bytes_);
}

bool SelectMirror::same(const Sets& sets, unsigned words) const {
  for (unsigned i = 0; i < words; ++i)
    if (sets.word(sets.in, i) != shadow_[i] || sets.word(sets.out, i) != shadow_[words_room_ + i] ||
        sets.word(sets.except, i) != shadow_[2 * words_room_ + i])
      return false;
  return true;
}

void SelectMirror::list(const Sets& sets, int nfds) {
  unsigned count = 0;
  for (unsigned i = 0; i < Sets::words(nfds); ++i) {
    Word in = shadow_[i] = sets.word(sets.in, i);
    Word out = shadow_[words_room_ + i] = sets.word(sets.out, i);
    Word except = shadow_[2 * words_room_ + i] = sets.word(sets.except, i);
    for (Word left = (in | out | except) & below(nfds, i); left != 0; left &= left - 1) {
      int bit = std::countr_zero(left);
      Word mask = Word{1} << bit;
      int events = ((in & mask) != 0 ? kInEvents : 0) | ((out & mask) != 0 ? kOutEvents : 0) |
                   ((except & mask) != 0 ? kExceptEvents : 0);
      list_[count++] = {static_cast<int>(i * Sets::kWordBits) + bit, static_cast<short>(events), 0};
    }
  }
  list_count_ = count;
  nfds_ = nfds;
}

bool SelectMirror::sync(const Sets& sets, int nfds, Fallback& reason) {
  if (nfds != nfds_ || !same(sets, Sets::words(nfds))) list(sets, nfds);
  return array_.sync(list_, list_count_, reason);
}

Answer SelectMirror::wait(const Sets& sets, int nfds, const wait::Deadline& deadline, const sigset_t* mask,
                          wait::SignalGate& gate) {
  Answer answer = array_.wait(list_, list_count_, deadline, mask, gate);
  if (answer.kind != Answer::Kind::done || answer.result < 0) return answer;
  bool found = answer.result > 0;
  if (found) {
    compare_blocks(list_, array_.shadow(), list_count_, blocks_);
    // A closed number is an error for select, which the program's own call returns.
    int all = 0;
    for_each_in_blocks(blocks_, kHasRevents, list_count_, [&](unsigned i) { all |= list_[i].revents; });
    if ((all & POLLNVAL) != 0) return finish(Fallback::closed);
  }
  clear(sets, nfds);
  if (found) answer.result = write_back(sets);
  // Ready for poll(), but not for any set that it stands in: select would go on sleeping.
  if (found && answer.result == 0) {
    for (unsigned i = 0; i < Sets::words(nfds); ++i) restore(sets, i);
    return finish(Fallback::unconfirmed);
  }
  return answer;
}

void SelectMirror::check_found_by_kernel(const Sets& sets) {
  for (unsigned i = 0; i < list_count_; ++i) {
    unsigned fd = static_cast<unsigned>(list_[i].fd);
    list_[i].revents = (sets.any(fd / Sets::kWordBits) >> fd % Sets::kWordBits & 1) != 0 ? POLLIN : 0;
  }
  array_.check_found_by_kernel(list_, list_count_);
}

void SelectMirror::clear(const Sets& sets, int nfds) {
  for (unsigned i = 0; i < Sets::words(nfds); ++i)
    for (Word* set : {sets.in, sets.out, sets.except})
      if (set != nullptr) set[i] = 0;
}

// Writes the result into the program's sets, of which the kernel writes whole words. Returns the number of bits set.
int SelectMirror::write_back(const Sets& sets) {
  int bits = 0;
  for_each_in_blocks(blocks_, kHasRevents, list_count_, [&](unsigned i) {
    if (list_[i].revents == 0) return;
    unsigned word = static_cast<unsigned>(list_[i].fd) / Sets::kWordBits;
    Word mask = Word{1} << (static_cast<unsigned>(list_[i].fd) % Sets::kWordBits);
    auto put = [&](Word* set, unsigned which, short wanted) {
      if (set == nullptr || (shadow_[which * words_room_ + word] & mask) == 0) return;
      if ((list_[i].revents & wanted) == 0) return;
      set[word] |= mask;
      ++bits;
    };
    put(sets.in, 0, kInBits);
    put(sets.out, 1, kOutBits);
    put(sets.except, 2, kExceptBits);
  });
  return bits;
}

void SelectMirror::restore(const Sets& sets, unsigned i) {
  if (sets.in != nullptr) sets.in[i] = shadow_[i];
  if (sets.out != nullptr) sets.out[i] = shadow_[words_room_ + i];
  if (sets.except != nullptr) sets.except[i] = shadow_[2 * words_room_ + i];
}

}  // namespace kev::mirror
