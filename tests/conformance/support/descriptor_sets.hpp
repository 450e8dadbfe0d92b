// The sets that the select cases use: a few subjects at chosen numbers among many idle members, given to select or
// pselect again and again from a master copy, as programs do.
#pragma once

#include <gtest/gtest.h>
#include <sys/select.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "support/descriptor.hpp"
#include "support/raw.hpp"
#include "support/stopwatch.hpp"

namespace conformance {

struct Span {
  const char* name;
  int numbers;          // about as many numbers does the set span
  std::size_t padding;  // idle descriptors in the readable set
  bool by_pselect = false;
};

inline void PrintTo(const Span& span, std::ostream* out) { *out << span.name; }

inline const Span kEverySpan[] = {
    {"Of20", 20, 2},          {"Of20ByPselect", 20, 2, true},
    {"Of100", 100, 40},       {"Of100ByPselect", 100, 40, true},
    {"Of900", 900, 300},      {"Of900ByPselect", 900, 300, true},
    {"Of900Sparse", 900, 20},
};
inline const Span kFewSpans[] = {{"Of20", 20, 2}, {"Of100ByPselect", 100, 40, true}, {"Of900", 900, 300}};

constexpr int kSelectRounds = 6;

enum Want : unsigned { kRead = 1, kWrite = 2, kExcept = 4 };

class WatchedSets {
 public:
  explicit WatchedSets(const Span& span) : span_(span), idle_(span.padding) {
    for (fd_set& set : master_) FD_ZERO(&set);
    for (std::size_t i = 0; i < idle_.size(); ++i) want(idle_[i], kRead);
  }

  // Moves a file to a number of its own in the span; the descriptor given is closed.
  Descriptor place(Descriptor from) {
    const int at = span_.numbers * ++placed_ / 9;
    Descriptor moved(::fcntl(from.get(), F_DUPFD_CLOEXEC, at));
    EXPECT_GT(FD_SETSIZE, moved.get());
    return moved;
  }
  void want(int fd, unsigned what) {
    for (unsigned set = 0; set < 3; ++set) {
      if (what & (1U << set)) FD_SET(fd, &master_[set]);
      else FD_CLR(fd, &master_[set]);
    }
    count_ = std::max({count_, fd + 1, span_.numbers});
  }
  int count() const { return count_; }
  fd_set& master(unsigned set) { return master_[set]; }
  fd_set& result(unsigned set) { return result_[set]; }

  int call(std::int64_t ns = 0) {
    std::copy(std::begin(master_), std::end(master_), std::begin(result_));
    errno = kErrnoBefore;
    if (span_.by_pselect) {
      const timespec time{ns / kSecond, ns % kSecond};
      return ::pselect(count_, &result_[0], &result_[1], &result_[2], ns < 0 ? nullptr : &time, nullptr);
    }
    timeval time{ns / kSecond, ns % kSecond / 1000};
    return ::select(count_, &result_[0], &result_[1], &result_[2], ns < 0 ? nullptr : &time);
  }

  struct Ready {
    int fd;
    unsigned what;
  };
  // One call reports exactly these bits.
  ::testing::AssertionResult answers(const std::vector<Ready>& expected, std::int64_t ns = 0) {
    const int result = call(ns);
    if (result < 0) return ::testing::AssertionFailure() << "failed with errno " << errno;
    if (errno != kErrnoBefore) return ::testing::AssertionFailure() << "touched errno: " << errno;
    fd_set wanted[3];
    for (fd_set& set : wanted) FD_ZERO(&set);
    int bits = 0;
    for (const Ready& ready : expected) {
      for (unsigned set = 0; set < 3; ++set) {
        if (!(ready.what & (1U << set))) continue;
        FD_SET(ready.fd, &wanted[set]);
        ++bits;
      }
    }
    return compare(result, bits, wanted);
  }
  ::testing::AssertionResult keeps_answering(const std::vector<Ready>& expected) {
    for (int round = 0; round < kSelectRounds; ++round) {
      ::testing::AssertionResult result = answers(expected);
      if (!result) return result << " (round " << round << ")";
    }
    return ::testing::AssertionSuccess();
  }
  // Fails with this errno and leaves the sets as they were.
  ::testing::AssertionResult fails_with(int error) {
    if (call() != -1) return ::testing::AssertionFailure() << "did not fail";
    if (errno != error) return ::testing::AssertionFailure() << "failed with errno " << errno;
    return compare(0, 0, master_);
  }
  // The kernel, asked by the instruction at the same moment, says the same.
  ::testing::AssertionResult agrees_with_kernel() {
    const int result = call();
    const int error = errno;
    fd_set truth[3];
    std::copy(std::begin(master_), std::end(master_), std::begin(truth));
    const int expected = raw_select(count_, &truth[0], &truth[1], &truth[2]);
    if (result < 0 && expected == -error) return compare(0, 0, truth);
    return compare(result, expected, truth);
  }
  ::testing::AssertionResult keeps_agreeing() {
    for (int round = 0; round < kSelectRounds; ++round) {
      ::testing::AssertionResult result = agrees_with_kernel();
      if (!result) return result << " (round " << round << ")";
    }
    return ::testing::AssertionSuccess();
  }

 private:
  static constexpr int kErrnoBefore = 4242;
  ::testing::AssertionResult compare(int result, int expected, const fd_set (&wanted)[3]) {
    for (unsigned set = 0; set < 3; ++set) {
      for (int fd = 0; fd < FD_SETSIZE; ++fd) {
        if (!FD_ISSET(fd, &result_[set]) == !FD_ISSET(fd, &wanted[set])) continue;
        return ::testing::AssertionFailure()
               << "fd " << fd << (FD_ISSET(fd, &wanted[set]) ? " is missing from" : " is in") << " set " << set
               << " (nfds " << count_ << ")";
      }
    }
    if (result != expected) return ::testing::AssertionFailure() << "returned " << result << ", not " << expected;
    return ::testing::AssertionSuccess();
  }

  Span span_;
  IdleDescriptors idle_;
  int placed_ = 0;
  int count_ = 0;
  fd_set master_[3];
  fd_set result_[3];
};

class SetsTest : public ::testing::TestWithParam<Span> {
 protected:
  WatchedSets sets{GetParam()};
};

inline std::string span_name(const ::testing::TestParamInfo<Span>& which) { return which.param.name; }

}  // namespace conformance

#define CONFORMANCE_EVERY_SPAN(suite) \
  INSTANTIATE_TEST_SUITE_P(Sets, suite, ::testing::ValuesIn(::conformance::kEverySpan), ::conformance::span_name)
#define CONFORMANCE_FEW_SPANS(suite) \
  INSTANTIATE_TEST_SUITE_P(Sets, suite, ::testing::ValuesIn(::conformance::kFewSpans), ::conformance::span_name)
