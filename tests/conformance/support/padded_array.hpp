// The array that the poll cases use: a few subjects scattered over an arbitrary number of idle entries, at one address
// for as long as it lives, polled again and again by one of the four functions that libc offers for it.
//
// Whoever answers for a repeated array must answer as if it were new every time, so each case is run on arrays of
// several sizes, and each answer is checked whole: count, every entry's revents (filled with garbage before), errno.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "support/descriptor.hpp"
#include "support/raw.hpp"
#include "support/stopwatch.hpp"

extern "C" {
int __poll_chk(pollfd* fds, nfds_t count, int timeout, __SIZE_TYPE__ bytes);
int __ppoll_chk(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask, __SIZE_TYPE__ bytes);
}

namespace conformance {

enum class Via { poll, ppoll, poll_chk, ppoll_chk };

inline int poll_via(Via via, pollfd* fds, nfds_t count, int timeout_ms) {
  const timespec time{timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
  const timespec* limit = timeout_ms < 0 ? nullptr : &time;
  const std::size_t bytes = count * sizeof(pollfd);
  switch (via) {
    case Via::ppoll: return ::ppoll(fds, count, limit, nullptr);
    case Via::poll_chk: return ::__poll_chk(fds, count, timeout_ms, bytes);
    case Via::ppoll_chk: return ::__ppoll_chk(fds, count, limit, nullptr, bytes);
    case Via::poll: break;
  }
  return ::poll(fds, count, timeout_ms);
}

struct Shape {
  const char* name;
  std::size_t padding;
  Via via = Via::poll;
};

inline void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

// How often one and the same array is polled where nothing changes.
constexpr int kRounds = 6;
constexpr short kGarbage = 0x5a5a;
constexpr int kErrnoBefore = 4242;

class PaddedArray {
 public:
  explicit PaddedArray(const Shape& shape) : via_(shape.via), idle_(shape.padding) {
    entries_.reserve(shape.padding + 256);
    for (std::size_t i = 0; i < idle_.size(); ++i) entries_.push_back({idle_[i], POLLIN, 0});
  }

  // Puts a subject in among the rest, and gives its number.
  std::size_t add(int fd, short events) {
    const std::size_t at = (positions_.size() * 11 + 5) % (entries_.size() + 1);
    for (std::size_t& position : positions_) position += position >= at;
    entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(at), {fd, events, 0});
    positions_.push_back(at);
    return positions_.size() - 1;
  }
  pollfd& subject(std::size_t number) { return entries_[positions_[number]]; }
  pollfd* data() { return entries_.data(); }
  std::size_t size() const { return entries_.size(); }
  const IdleDescriptors& idle() const { return idle_; }
  std::vector<pollfd>& entries() { return entries_; }

  int call(int timeout_ms = 0) {
    for (pollfd& entry : entries_) entry.revents = kGarbage;
    errno = kErrnoBefore;
    return poll_via(via_, entries_.data(), entries_.size(), timeout_ms);
  }

  // One call gives exactly these events to the subjects, and none to anybody else.
  ::testing::AssertionResult answers(const std::vector<short>& expected, int timeout_ms = 0) {
    const int result = call(timeout_ms);
    if (result < 0) return ::testing::AssertionFailure() << "failed with errno " << errno;
    if (errno != kErrnoBefore) return ::testing::AssertionFailure() << "touched errno: " << errno;
    std::vector<short> wanted(entries_.size(), 0);
    for (std::size_t i = 0; i < expected.size(); ++i) wanted[positions_[i]] = expected[i];
    return compare(result, wanted);
  }

  ::testing::AssertionResult keeps_answering(const std::vector<short>& expected) {
    for (int round = 0; round < kRounds; ++round) {
      ::testing::AssertionResult result = answers(expected);
      if (!result) return result << " (round " << round << ")";
    }
    return ::testing::AssertionSuccess();
  }

  // The answer may come late, after nothing but `meanwhile`.
  ::testing::AssertionResult comes_to_answer(const std::vector<short>& expected, const std::vector<short>& meanwhile) {
    for (const Stopwatch watch; watch.elapsed() < 3 * kSecond;) {
      ::testing::AssertionResult late = answers(meanwhile);
      ::testing::AssertionResult now = recheck(expected);
      if (now) return now;
      if (!late) return late << " (while the answer was late)";
    }
    return ::testing::AssertionFailure() << "never came to the expected answer";
  }

  // One call, and what the kernel says of the same array at the same moment.
  ::testing::AssertionResult agrees_with_kernel() {
    const int result = call(0);
    std::vector<pollfd> copy = entries_;
    const int truth = raw_poll(copy.data(), copy.size());
    std::vector<short> wanted;
    for (const pollfd& entry : copy) wanted.push_back(entry.revents);
    if (truth != result) return ::testing::AssertionFailure() << "returned " << result << ", the kernel " << truth;
    return compare(result, wanted);
  }

  ::testing::AssertionResult keeps_agreeing() {
    for (int round = 0; round < kRounds; ++round) {
      ::testing::AssertionResult result = agrees_with_kernel();
      if (!result) return result << " (round " << round << ")";
    }
    return ::testing::AssertionSuccess();
  }

  // No event anywhere: what every entry must say after a time-out or a signal.
  bool shows_nothing() const {
    for (const pollfd& entry : entries_)
      if (entry.revents != 0) return false;
    return true;
  }

 private:
  ::testing::AssertionResult recheck(const std::vector<short>& expected) {
    int count = 0;
    std::vector<short> wanted(entries_.size(), 0);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      wanted[positions_[i]] = expected[i];
      count += expected[i] != 0;
    }
    return compare(count, wanted);
  }
  ::testing::AssertionResult compare(int result, const std::vector<short>& wanted) const {
    int count = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      count += wanted[i] != 0;
      if (entries_[i].revents != wanted[i]) {
        return ::testing::AssertionFailure()
               << "entry " << i << " (fd " << entries_[i].fd << ", events " << entries_[i].events << ") of "
               << wanted.size() << " has revents " << entries_[i].revents << ", not " << wanted[i];
      }
    }
    if (result != count) return ::testing::AssertionFailure() << "returned " << result << ", not " << count;
    return ::testing::AssertionSuccess();
  }

  Via via_;
  IdleDescriptors idle_;
  std::vector<pollfd> entries_;
  std::vector<std::size_t> positions_;
};

// The base of the poll suites: one array of the shape that the case is run with.
class ArrayTest : public ::testing::TestWithParam<Shape> {
 protected:
  PaddedArray array{GetParam()};
};

inline std::string shape_name(const ::testing::TestParamInfo<Shape>& info) { return info.param.name; }

inline const Shape kEveryShape[] = {
    {"Alone", 0, Via::poll},         {"AloneByPpoll", 0, Via::ppoll},     {"Among7", 7, Via::poll_chk},
    {"Among40", 40, Via::poll},      {"Among40ByPpoll", 40, Via::ppoll},  {"Among40ByPollChk", 40, Via::poll_chk},
    {"Among40ByPpollChk", 40, Via::ppoll_chk}, {"Among300", 300, Via::poll},
};
inline const Shape kFewShapes[] = {
    {"Alone", 0, Via::poll}, {"Among40", 40, Via::poll}, {"Among300ByPpoll", 300, Via::ppoll}};

}  // namespace conformance

#define CONFORMANCE_EVERY_SHAPE(suite) \
  INSTANTIATE_TEST_SUITE_P(Array, suite, ::testing::ValuesIn(::conformance::kEveryShape), ::conformance::shape_name)
#define CONFORMANCE_FEW_SHAPES(suite) \
  INSTANTIATE_TEST_SUITE_P(Array, suite, ::testing::ValuesIn(::conformance::kFewShapes), ::conformance::shape_name)
