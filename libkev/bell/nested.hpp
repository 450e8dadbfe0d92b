// Which numbers were put into epoll sets since they were epoll sets themselves.
//
// A bell holds the file of its set, which a close by another thread, or by a bare system call, does not end. Nobody sees
// that, unless the set stands in another one: that would go on reporting it. Such sets get no bell. What is not seen here
// (a set that was put there by another number, or by another process, and is then closed by another thread) is in
// docs/differences.md. Any thread, any context.
#pragma once

#include <atomic>
#include <cstdint>

namespace kev::bell {

class Numbers {
 public:
  static constexpr unsigned kNumbers = 1u << 16;

  // Higher numbers always do.
  bool has(int fd) const {
    unsigned number = static_cast<unsigned>(fd);
    return number >= kNumbers || (words_[number / 64].load(std::memory_order_seq_cst) & bit(number)) != 0;
  }
  // False: it stood there.
  bool add(int fd) {
    return !has(fd) && (words_[static_cast<unsigned>(fd) / 64].fetch_or(bit(static_cast<unsigned>(fd))) &
                        bit(static_cast<unsigned>(fd))) == 0;
  }
  void remove(int fd) {
    unsigned number = static_cast<unsigned>(fd);
    if (number < kNumbers && has(fd)) words_[number / 64].fetch_and(~bit(number));
  }

 private:
  static uint64_t bit(unsigned number) { return uint64_t{1} << number % 64; }

  std::atomic<uint64_t> words_[kNumbers / 64];
};

inline constinit Numbers nested = {};

}  // namespace kev::bell
