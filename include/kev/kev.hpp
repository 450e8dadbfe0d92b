// libkev for C++20: queues and claims as move-only owners, deadlines from std::chrono, events as spans.
//
// Header-only, over the C API of <kev/kev.h>, whose contracts (threads, fork, signal handlers, cancellation) hold here
// as well; what is said there is not said again. Coroutines stand in <kev/coroutine.hpp>, which this file includes.
//
// Errors: what only succeeds or fails returns std::error_code (generic category: compare with std::errc). What yields a
// value returns kev::Result, which holds the value or the code. Nothing throws but Result::value() and Queue's
// constructor (std::system_error); compiled without exceptions these two abort. Functions that wait are not
// noexcept: they are cancellation points, and a cancelled thread unwinds through them.
#ifndef KEV_KEV_HPP
#define KEV_KEV_HPP

#include <kev/kev.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>

namespace kev {

// The code for what a C function returned: -errno, or anything else for success.
inline std::error_code error_of(std::int64_t result) noexcept {
  return result < 0 ? std::error_code(static_cast<int>(-result), std::generic_category()) : std::error_code();
}

// Throws std::system_error, or aborts where there are no exceptions.
[[noreturn]] inline void raise(std::error_code error) {
#ifdef __cpp_exceptions
  throw std::system_error(error, "libkev");
#else
  (void)error;
  std::abort();
#endif
}

// A value, or why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(std::error_code error) : error_(error) {}

  explicit operator bool() const noexcept { return !error_; }
  std::error_code error() const noexcept { return error_; }
  // Precondition of * and ->: there is a value.
  T& operator*() & noexcept { return *value_; }
  T&& operator*() && noexcept { return std::move(*value_); }
  T* operator->() noexcept { return &*value_; }
  // The value; raises the error if there is none.
  T& value() & {
    if (error_) raise(error_);
    return *value_;
  }
  T value() && {
    if (error_) raise(error_);
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
  std::error_code error_;
};

// What has happened: the 64 bytes of kev_event, whose fields it has, and two questions.
struct Event : kev_event {
  Event() noexcept : kev_event() {}
  Event(const kev_event& event) noexcept : kev_event(event) {}

  // Why there is no answer, with KEV_E_ERROR; else none.
  std::error_code error() const noexcept { return (flags & KEV_E_ERROR) != 0 ? error_of(result) : std::error_code(); }
  // Whether it is an answer.
  explicit operator bool() const noexcept { return (flags & KEV_E_ERROR) == 0; }
};
static_assert(sizeof(Event) == sizeof(kev_event));

// When a wait ends, or a timer expires: never, after a duration, or at a point of a clock. Durations are rounded up to
// nanoseconds; what is too long for 64 bits of these is as long as they can say.
class Deadline {
 public:
  // Never.
  constexpr Deadline() noexcept = default;
  // From now.
  template <class Rep, class Period>
  constexpr Deadline(std::chrono::duration<Rep, Period> from_now) noexcept
      : raw_{ns(from_now), 0, CLOCK_MONOTONIC, 0}, is_never_(false) {}
  // A point of std::chrono::steady_clock (CLOCK_MONOTONIC) or system_clock (CLOCK_REALTIME, whose changes it follows).
  template <class Duration>
  constexpr Deadline(std::chrono::time_point<std::chrono::steady_clock, Duration> at) noexcept
      : raw_{point(at), 0, CLOCK_MONOTONIC, KEV_ABS}, is_never_(false) {}
  template <class Duration>
  constexpr Deadline(std::chrono::time_point<std::chrono::system_clock, Duration> at) noexcept
      : raw_{point(at), 0, CLOCK_REALTIME, KEV_ABS}, is_never_(false) {}
  // Anything else that the C API can say.
  constexpr Deadline(const kev_deadline& raw) noexcept : raw_(raw), is_never_(false) {}

  // How much later will do.
  constexpr Deadline slack(std::chrono::nanoseconds by) const noexcept {
    Deadline copy = *this;
    copy.raw_.slack_ns = static_cast<std::uint64_t>(by.count());
    return copy;
  }
  // Waits end with std::errc::operation_canceled if the clock is set meanwhile.
  constexpr Deadline end_on_clock_set() const noexcept {
    Deadline copy = *this;
    if (is_never_) copy = Deadline(std::chrono::nanoseconds::max());
    copy.raw_.flags |= KEV_END_ON_CLOCK_SET;
    return copy;
  }
  constexpr bool is_never() const noexcept { return is_never_; }
  // For the C API; null is never. Valid as long as this object.
  constexpr const kev_deadline* get() const noexcept { return is_never_ ? nullptr : &raw_; }

 private:
  template <class Rep, class Period>
  static constexpr std::int64_t ns(std::chrono::duration<Rep, Period> time) noexcept {
    using Wide = std::chrono::duration<long double, std::nano>;
    if (Wide(time) >= Wide(std::chrono::nanoseconds::max())) return INT64_MAX;
    if (time <= time.zero()) return 0;
    return std::chrono::ceil<std::chrono::nanoseconds>(time).count();
  }
  template <class Clock, class Duration>
  static constexpr std::int64_t point(std::chrono::time_point<Clock, Duration> at) noexcept {
    return ns(at.time_since_epoch());
  }

  kev_deadline raw_{};
  bool is_never_ = true;
};

// Events of a queue's ring, read where they stand. Those that nobody committed are given back when it ends.
class Claim {
 public:
  Claim() noexcept = default;
  Claim(kev_queue* queue, const kev_claim& raw) noexcept : queue_(queue), raw_(raw) {}
  Claim(Claim&& other) noexcept { swap(other); }
  Claim& operator=(Claim&& other) noexcept {
    Claim(std::move(other)).swap(*this);
    return *this;
  }
  ~Claim() {
    if (raw_.count != 0) (void)kev_unclaim(queue_, &raw_, 0);
  }

  std::span<const kev_event> events() const noexcept { return {raw_.events, raw_.count}; }
  const kev_event* begin() const noexcept { return raw_.events; }
  const kev_event* end() const noexcept { return raw_.events + raw_.count; }
  std::size_t size() const noexcept { return raw_.count; }
  bool empty() const noexcept { return raw_.count == 0; }

  // More about event `i`: siginfo_t for signals, rusage for processes. errc::no_message_available: there is no more.
  template <class T>
  Result<T> detail(unsigned i) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T into{};
    int size = kev_detail(queue_, &raw_, i, &into, sizeof into);
    return size < 0 ? Result<T>(error_of(size)) : Result<T>(into);
  }
  // Done with all of them. The claim is empty then.
  void commit() noexcept {
    if (raw_.count != 0) (void)kev_commit(queue_, &raw_);
    raw_ = {};
  }
  // Done with the first `from`; the others are for the next claim.
  void unclaim(unsigned from = 0) noexcept {
    if (raw_.count != 0) (void)kev_unclaim(queue_, &raw_, std::min(from, raw_.count));
    raw_ = {};
  }
  void swap(Claim& other) noexcept {
    std::swap(queue_, other.queue_);
    std::swap(raw_, other.raw_);
  }

 private:
  kev_queue* queue_ = nullptr;
  kev_claim raw_{};
};

struct Options {
  std::uint32_t flags = 0;         // KEV_Q_*
  std::uint32_t ring_entries = 0;  // a power of two; 0: the library's choice
};

// A queue. Ends with its owner, who sees to it that nobody waits on it and no claim stands then. An empty one (moved
// from, or made of nullptr) answers std::errc::invalid_argument.
class Queue {
 public:
  // Raises what create() returns.
  explicit Queue(Options options = {}) : Queue(create(options).value()) {}
  // Takes what kev_create() has made.
  explicit Queue(kev_queue* raw) noexcept : raw_(raw) {}
  Queue(Queue&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Queue& operator=(Queue&& other) noexcept {
    Queue(std::move(other)).swap(*this);
    return *this;
  }
  ~Queue() {
    if (raw_ != nullptr) (void)kev_destroy(raw_);
  }
  static Result<Queue> create(Options options = {}) {
    kev_attr attr{};
    attr.flags = options.flags;
    attr.ring_entries = options.ring_entries;
    Queue queue(nullptr);
    int error = kev_create(&queue.raw_, &attr, sizeof attr);
    return error < 0 ? Result<Queue>(error_of(error)) : Result<Queue>(std::move(queue));
  }
  // The C queue, which stays this object's.
  kev_queue* get() const noexcept { return raw_; }
  // It is the caller's from here on.
  kev_queue* release() noexcept { return std::exchange(raw_, nullptr); }
  void swap(Queue& other) noexcept { std::swap(raw_, other.raw_); }

  // Registrations: see kev_submit(3). The code is the registration's result.
  std::error_code add_fd(int fd, std::uint32_t what, std::uint32_t flags = 0, std::uint64_t udata = 0) noexcept {
    return error_of(kev_add_fd(raw_, fd, what, flags, udata));
  }
  // Expires first at `first` (never: not armed), then each `period`, if that is not 0.
  std::error_code add_timer(std::uint64_t id, const Deadline& first, std::chrono::nanoseconds period = {},
                            std::uint32_t flags = 0, std::uint64_t udata = 0) noexcept {
    return error_of(kev_add_timer(raw_, id, first.get(), static_cast<std::uint64_t>(period.count()), flags, udata));
  }
  std::error_code add_signal(int signo, std::uint32_t flags = 0, std::uint64_t udata = 0) noexcept {
    return error_of(kev_add_signal(raw_, signo, flags, udata));
  }
  std::error_code add_process(int pidfd, std::uint32_t flags = 0, std::uint64_t udata = 0) noexcept {
    return error_of(kev_add_process(raw_, pidfd, flags, udata));
  }
  std::error_code add_futex(const std::uint32_t* word, std::uint32_t value, std::uint32_t flags = 0,
                            std::uint64_t udata = 0) noexcept {
    return error_of(kev_add_futex(raw_, word, value, flags, udata));
  }
  std::error_code add_user(std::uint64_t id, std::uint32_t flags = 0, std::uint64_t udata = 0) noexcept {
    return error_of(kev_add_user(raw_, id, flags, udata));
  }
  std::error_code remove(std::uint16_t source, std::uint64_t ident) noexcept {
    return error_of(kev_delete(raw_, source, ident));
  }
  std::error_code close_fd(int fd) noexcept { return error_of(kev_close_fd(raw_, fd)); }
  // How many of the changes failed; each says why.
  Result<unsigned> submit(std::span<kev_change> changes) noexcept {
    return counted(kev_submit(raw_, changes.data(), static_cast<unsigned>(changes.size())));
  }

  // Async-signal-safe, from any thread: see kev_post(3).
  std::error_code post(std::uint64_t id, std::int64_t result = 1) noexcept {
    return error_of(kev_post(raw_, id, result, nullptr));
  }
  std::error_code post(std::uint64_t id, std::int64_t result, std::span<const std::uint64_t, 3> data) noexcept {
    return error_of(kev_post(raw_, id, result, data.data()));
  }
  std::error_code wake(unsigned count = 1) noexcept { return error_of(kev_wake(raw_, count)); }
  std::error_code shutdown() noexcept { return error_of(kev_shutdown(raw_)); }

  // Waits until `min` events stand, the deadline, or a wake-up; the part of `into` that was filled. Cancellation point.
  Result<std::span<kev_event>> wait(std::span<kev_event> into, const Deadline& deadline = {}, unsigned min = 1,
                                    const sigset_t* mask = nullptr) {
    int count = kev_wait(raw_, into.data(), min, static_cast<unsigned>(into.size()), deadline.get(), mask);
    if (count < 0) return error_of(count);
    return into.first(static_cast<std::size_t>(count));
  }
  // The count of all events that came to the ring. Async-signal-safe.
  std::uint64_t index() const noexcept { return kev_index(raw_); }
  // Sleeps until something stands or the index is not `seen`: true; false: deadline or wake-up. Cancellation point.
  Result<bool> sleep(std::uint64_t seen, const Deadline& deadline = {}, const sigset_t* mask = nullptr) {
    int result = kev_sleep(raw_, seen, deadline.get(), mask);
    return result < 0 ? Result<bool>(error_of(result)) : Result<bool>(result == 1);
  }
  // Up to `max` events that stand; empty if there are none.
  Result<Claim> claim(unsigned max) {
    kev_claim raw;
    int count = kev_claim_events(raw_, max, &raw);
    return count < 0 ? Result<Claim>(error_of(count)) : Result<Claim>(Claim(raw_, raw));
  }
  // A descriptor for another loop, the queue's own: see kev_wait(3).
  Result<int> fd() noexcept {
    int fd = kev_fd(raw_);
    return fd < 0 ? Result<int>(error_of(fd)) : Result<int>(fd);
  }
  Result<kev_info> query() const noexcept {
    kev_info info;
    int size = kev_query(raw_, &info, sizeof info);
    return size < 0 ? Result<kev_info>(error_of(size)) : Result<kev_info>(info);
  }

 private:
  static Result<unsigned> counted(int result) noexcept {
    return result < 0 ? Result<unsigned>(error_of(result)) : Result<unsigned>(static_cast<unsigned>(result));
  }

  kev_queue* raw_ = nullptr;
};

}  // namespace kev

#ifdef __cpp_impl_coroutine
#include <kev/coroutine.hpp>
#endif

#endif
