// The comparison's loops; the contract stands in compare.hpp.
#include "mirror/compare.hpp"

#include <bit>
#include <cstddef>
#include <cstring>

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace kev::mirror {

namespace {

// An entry is 8 bytes, of which the known one's revents are 0: what differs in those is what stands in the given ones.
static_assert(sizeof(pollfd) == 8 && offsetof(pollfd, revents) == 6 && std::endian::native == std::endian::little);
constexpr unsigned kReventsShift = 48;

// Written for the compiler's vectoriser: whole blocks have a fixed length.
[[gnu::always_inline]] inline uint64_t differences(const pollfd* given, const pollfd* known, unsigned count) {
  uint64_t all = 0;
  for (unsigned i = 0; i < count; ++i) {
    uint64_t one, other;
    memcpy(&one, &given[i], sizeof one);
    memcpy(&other, &known[i], sizeof other);
    all |= one ^ other;
  }
  return all;
}

[[gnu::always_inline]] inline bool compare(const pollfd* given, const pollfd* known, unsigned count, uint8_t* blocks) {
  uint64_t all = 0;
  auto note = [&](unsigned begin, uint64_t found) {
    all |= found;
    bool has_changed = found << (64 - kReventsShift) != 0;
    blocks[begin / kBlock] = static_cast<uint8_t>((found >> kReventsShift != 0 ? kHasRevents : 0) |
                                                  (has_changed ? kHasChanged : 0));
  };
  unsigned begin = 0;
  for (; begin + kBlock <= count; begin += kBlock) note(begin, differences(given + begin, known + begin, kBlock));
  if (begin < count) note(begin, differences(given + begin, known + begin, count - begin));
  return all << (64 - kReventsShift) != 0;
}

bool by_baseline(const pollfd* given, const pollfd* known, unsigned count, uint8_t* blocks) {
  return compare(given, known, count, blocks);
}

using Compare = bool (*)(const pollfd*, const pollfd*, unsigned, uint8_t*);

#ifdef __x86_64__
[[gnu::target("avx2")]] bool by_avx2(const pollfd* given, const pollfd* known, unsigned count, uint8_t* blocks) {
  return compare(given, known, count, blocks);
}

// By the instruction: the compiler's own question brings a constructor along.
bool has_avx2() {
  unsigned a, b, c, d;
  constexpr unsigned kOsxsave = 1u << 27, kAvx2 = 1u << 5, kYmmState = 6;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kOsxsave) == 0) return false;
  unsigned state, high;
  asm volatile("xgetbv" : "=a"(state), "=d"(high) : "c"(0));
  if ((state & kYmmState) != kYmmState) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & kAvx2) != 0;
}

Compare widest() { return has_avx2() ? by_avx2 : by_baseline; }
#else
Compare widest() { return by_baseline; }
#endif

// Below this the wider loop saves less than finding it costs.
constexpr unsigned kWide = 2 * kBlock;

}  // namespace

bool compare_blocks(const pollfd* given, const pollfd* known, unsigned count, uint8_t* blocks) {
  if (count < kWide) return by_baseline(given, known, count, blocks);
  static constinit Compare chosen = nullptr;  // the same whichever thread finds it
  Compare compare = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
  if (compare == nullptr) __atomic_store_n(&chosen, compare = widest(), __ATOMIC_RELAXED);
  return compare(given, known, count, blocks);
}

}  // namespace kev::mirror
