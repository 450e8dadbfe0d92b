// Coroutines on a queue: `co_await loop.readable(fd)`, and so on for timers, signals, processes and futexes.
//
// Part of <kev/kev.hpp>. A Loop is a queue whose events resume coroutines, on the thread that runs it. All of a loop is
// that thread's: its functions, what is awaited on it, and the frames that wait. Other threads and handlers may call
// stop() and nothing else.
//
// An await yields a kev::Event. What went wrong, at registering as well, is told in it: error(). With a deadline that
// passes first it is std::errc::timed_out. Nothing here throws.
//
// A frame may be destroyed while it waits: what it had registered is deleted first, an event that came for it meanwhile
// is dropped, and a wake-up of a futex is passed on to another waiter. That is how tasks are cancelled.
#ifndef KEV_COROUTINE_HPP
#define KEV_COROUTINE_HPP

#include <kev/kev.hpp>
#include <kev/task.hpp>

#include <atomic>
#include <cerrno>
#include <coroutine>
#include <deque>
#include <exception>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kev {

class Loop;

// ---- what can be awaited ----

namespace detail {

template <class Node>
struct List;

// A doubly linked list's node; in no list while `list` is null.
template <class Node>
struct Linked {
  List<Node>* list = nullptr;
  Node *before = nullptr, *after = nullptr;
};

template <class Node>
struct List {
  Node *first = nullptr, *last = nullptr;

  void push(Node& node) noexcept {
    node.list = this;
    node.before = last;
    node.after = nullptr;
    (last != nullptr ? last->after : first) = &node;
    last = &node;
  }
  static void unlink(Node& node) noexcept {
    if (node.list == nullptr) return;
    (node.before != nullptr ? node.before->after : node.list->first) = node.after;
    (node.after != nullptr ? node.after->before : node.list->last) = node.before;
    node.list = nullptr;
  }
};

}  // namespace detail

// Waits for one event. Made by Loop's functions, and awaited where it was made.
class [[nodiscard]] Awaiter : detail::Linked<Awaiter> {
 public:
  Awaiter(const Awaiter&) = delete;
  Awaiter& operator=(const Awaiter&) = delete;
  inline ~Awaiter();

  bool await_ready() const noexcept { return false; }
  inline bool await_suspend(std::coroutine_handle<> frame);
  Event await_resume() const noexcept { return event_; }

 private:
  friend class Loop;
  friend detail::List<Awaiter>;
  enum class State : unsigned char { idle, waiting, ready };

  Awaiter(Loop& loop, const kev_change& change, const Deadline& deadline) noexcept
      : loop_(loop), change_(change), deadline_(deadline) {}

  Loop& loop_;
  kev_change change_;
  Deadline deadline_;
  Event event_;
  std::coroutine_handle<> frame_;
  int pidfd_ = -1;
  bool is_timed_ = false;
  State state_ = State::idle;
};

// ---- the loop ----

class Loop {
 public:
  // What a spawned task is known by. Never 0, never used twice.
  using Id = std::uint64_t;

  // Raises what Queue::create() returns.
  explicit Loop(Options options = {KEV_Q_SINGLE, 0}) : Loop(Queue(options)) {}
  // A queue that nobody else waits on or registers with.
  explicit Loop(Queue queue) noexcept : queue_(std::move(queue)) {}
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  // Ends all tasks where they wait. Not to be called by one of them.
  ~Loop() {
    while (!roots_.empty()) end(roots_.begin()->first);
  }

  // Each waits for one event, or until the deadline; event.what and event.data as kev.h has them.
  //
  // A descriptor can be waited for by several frames at once, one that reads and one that writes; it must not be closed
  // before these are done. Nothing stays registered between two waits.
  Awaiter readable(int fd, const Deadline& deadline = {}) noexcept { return ready(fd, KEV_IN | KEV_RDHUP, deadline); }
  Awaiter writable(int fd, const Deadline& deadline = {}) noexcept { return ready(fd, KEV_OUT, deadline); }
  // Any of the bits KEV_IN, KEV_OUT, ...
  Awaiter ready(int fd, std::uint32_t what, const Deadline& deadline = {}) noexcept {
    kev_change change = made(KEV_SOURCE_FD, static_cast<std::uint64_t>(static_cast<std::int64_t>(fd)));
    change.what = what;
    return {*this, change, deadline};
  }
  Awaiter timer(const Deadline& when) noexcept { return {*this, made(KEV_SOURCE_TIMER, 0), when}; }
  // The signal must be blocked in every thread. One frame at a time: errc::file_exists for the second.
  Awaiter signal(int signo, const Deadline& deadline = {}) noexcept {
    return {*this, made(KEV_SOURCE_SIGNAL, static_cast<std::uint64_t>(static_cast<std::int64_t>(signo))), deadline};
  }
  // The end of a process, by its number: event.result is the status, data[0] the code (CLD_EXITED, ...). A child is
  // waited for, too, unless `flags` is 0.
  Awaiter process(pid_t pid, const Deadline& deadline = {}, std::uint32_t flags = KEV_REAP) noexcept {
    kev_change change = made(KEV_SOURCE_PROCESS, static_cast<std::uint64_t>(static_cast<std::int64_t>(pid)));
    change.flags = flags;
    return {*this, change, deadline};
  }
  // As FUTEX_WAIT: until the word is woken, or at once if it does not hold `value`. Look at the word again then. One
  // frame at a time for a word: errc::file_exists for the second. `flags`: KEV_SHARED.
  Awaiter futex(const std::uint32_t* word, std::uint32_t value, const Deadline& deadline = {},
                std::uint32_t flags = 0) noexcept {
    kev_change change = made(KEV_SOURCE_FUTEX, reinterpret_cast<std::uintptr_t>(word));
    change.arg[0] = value;
    change.flags = flags;
    return {*this, change, deadline};
  }
  Awaiter futex(const std::atomic<std::uint32_t>& word, std::uint32_t value, const Deadline& deadline = {},
                std::uint32_t flags = 0) noexcept {
    static_assert(sizeof word == sizeof value && std::atomic<std::uint32_t>::is_always_lock_free);
    return futex(reinterpret_cast<const std::uint32_t*>(&word), value, deadline, flags);
  }

  // Begins a task, which is the loop's from here on, and runs it until it waits. The Id is good for cancel().
  Id spawn(Task<void> task) {
    Id id = ++last_id_;
    auto frame = root(*this, id, std::move(task)).frame;
    roots_.emplace(id, frame);
    resume(frame);
    return id;
  }
  // Ends a spawned task where it waits, with all that it awaits. From within a task this is done once that waits
  // itself, so that a task may end itself, or one that waits for it. False: it has ended already.
  bool cancel(Id id) {
    if (roots_.find(id) == roots_.end()) return false;
    if (depth_ == 0)
      end(id);
    else
      doomed_.push_back(id);
    return true;
  }
  // Tasks that were spawned and have not ended.
  std::size_t size() const noexcept { return roots_.size(); }

  // Runs until no spawned task is left, or stop(). Throws what a spawned task has thrown; it can be called again then.
  // Returns what a wait returned, but for errc::interrupted. Cancellation point.
  std::error_code run() {
    while (!roots_.empty() && !stopped_.exchange(false)) {
      auto resumed = run_once();
      if (!resumed && resumed.error() != std::errc::interrupted) return resumed.error();
    }
    return {};
  }
  // Waits for events once, and resumes who waited for them: how many. For loops within other loops: fd().
  Result<unsigned> run_once(const Deadline& deadline = {}) {
    if (depth_ != 0) return std::make_error_code(std::errc::resource_deadlock_would_occur);
    kev_event events[64];
    // What an exception left behind comes first.
    bool waits = ready_.first == nullptr;
    auto came = queue_.wait(events, waits ? deadline : Deadline(std::chrono::nanoseconds(0)), waits ? 1 : 0);
    if (!came) return came.error();
    for (const kev_event& event : *came) dispatch(event);
    unsigned count = 0;
    while (Awaiter* next = ready_.first) {
      ready_.unlink(*next);
      next->state_ = Awaiter::State::idle;
      ++count;
      resume(next->frame_);
    }
    return count;
  }
  // run() returns as soon as what runs now waits; if it does not run, at its next call. From any thread or handler.
  void stop() noexcept {
    stopped_.store(true);
    (void)queue_.wake();
  }
  // Readable while run_once() has something to do: for poll(2) and other loops.
  Result<int> fd() noexcept { return queue_.fd(); }
  // For kev_query. What is registered is the loop's.
  const Queue& queue() const noexcept { return queue_; }

 private:
  friend class Awaiter;
  using State = Awaiter::State;

  // The frame below a spawned task.
  struct Root {
    struct promise_type {
      Loop& loop;
      Id id;

      promise_type(Loop& in, Id with, Task<void>&) noexcept : loop(in), id(with) {}
      Root get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_always initial_suspend() const noexcept { return {}; }
      // The frame goes by itself.
      std::suspend_never final_suspend() noexcept {
        loop.roots_.erase(id);
        return {};
      }
      void return_void() const noexcept {}
      void unhandled_exception() noexcept { loop.thrown_ = std::current_exception(); }
    };
    std::coroutine_handle<promise_type> frame;
  };
  static Root root(Loop&, Id, Task<void> task) { co_await task; }

  static kev_change made(std::uint16_t source, std::uint64_t ident) noexcept {
    kev_change change{};
    change.source = source;
    change.ident = ident;
    change.op = KEV_ADD;
    return change;
  }
  int submit(kev_change change) noexcept {
    int error = kev_submit(queue_.get(), &change, 1);
    return error < 0 ? error : change.result;
  }

  void resume(std::coroutine_handle<> frame) {
    ++depth_;
    frame.resume();
    if (--depth_ != 0) return;
    while (!doomed_.empty()) {
      Id id = doomed_.back();
      doomed_.pop_back();
      end(id);
    }
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }
  void end(Id id) {
    auto found = roots_.find(id);
    if (found == roots_.end()) return;
    auto frame = found->second;
    roots_.erase(found);
    frame.destroy();
  }

  detail::List<Awaiter>& on_descriptor(std::uint64_t fd) { return descriptors_[static_cast<std::size_t>(fd)]; }

  // Registers what all of the descriptor's frames wait for. 0 or -errno.
  int arm(std::uint64_t fd, bool is_armed) {
    kev_change change = made(KEV_SOURCE_FD, fd);
    change.flags = KEV_ONESHOT;
    for (Awaiter* one = on_descriptor(fd).first; one != nullptr; one = one->after) change.what |= one->change_.what;
    if (is_armed) change.op = KEV_MOD;
    return submit(change);
  }

  // 0, or -errno with nothing registered.
  int begin(Awaiter& one) {
    kev_change& change = one.change_;
    int error = 0;
    auto self = reinterpret_cast<std::uintptr_t>(&one);
    change.udata = self;
    if (change.source == KEV_SOURCE_TIMER) {
      // Below.
    } else if (change.source == KEV_SOURCE_FD) {
      if (change.ident > std::numeric_limits<int>::max()) return -EBADF;
      if (change.ident >= descriptors_.size()) descriptors_.resize(static_cast<std::size_t>(change.ident) + 1);
      auto& list = on_descriptor(change.ident);
      bool is_armed = list.first != nullptr;
      list.push(one);
      error = arm(change.ident, is_armed);
      if (error < 0) list.unlink(one);
    } else {
      if (change.source == KEV_SOURCE_PROCESS) {
        one.pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(change.ident), 0));
        if (one.pidfd_ < 0) return -errno;
        change.ident = static_cast<std::uint64_t>(one.pidfd_);
      }
      change.flags |= KEV_ONESHOT;
      error = submit(change);
    }
    if (error < 0) return error;
    one.state_ = State::waiting;
    if (change.source == KEV_SOURCE_TIMER || !one.deadline_.is_never()) {
      error = kev_add_timer(queue_.get(), self, one.deadline_.get(), 0, KEV_ONESHOT, self);
      one.is_timed_ = error == 0;
      if (error < 0) withdraw(one);
    }
    return error;
  }

  // Deletes what is registered still.
  void withdraw(Awaiter& one) noexcept {
    if (one.is_timed_) (void)kev_delete(queue_.get(), KEV_SOURCE_TIMER, reinterpret_cast<std::uintptr_t>(&one));
    one.is_timed_ = false;
    bool was_waiting = one.state_ == State::waiting;
    one.state_ = State::idle;
    detail::List<Awaiter>::unlink(one);
    if (was_waiting && one.change_.source == KEV_SOURCE_FD) {
      std::uint64_t fd = one.change_.ident;
      if (on_descriptor(fd).first == nullptr)
        (void)kev_delete(queue_.get(), KEV_SOURCE_FD, fd);
      else
        (void)arm(fd, true);
    } else if (was_waiting && one.change_.source != KEV_SOURCE_TIMER) {
      (void)kev_delete(queue_.get(), one.change_.source, one.change_.ident);
    }
    if (one.pidfd_ >= 0) ::close(one.pidfd_);
    one.pidfd_ = -1;
  }
  // The frame ends with its wait: of a wake-up that was for one waiter somebody must hear.
  void abandon(Awaiter& one) noexcept {
    bool is_woken = one.state_ == State::ready && one.event_.source == KEV_SOURCE_FUTEX;
    withdraw(one);
    if (!is_woken) return;
    int flag = (one.change_.flags & KEV_SHARED) != 0 ? 0 : FUTEX_PRIVATE_FLAG;
    (void)::syscall(SYS_futex, one.change_.ident, FUTEX_WAKE | flag, 1, nullptr, nullptr, 0);
  }

  // Its wait is over; it is resumed in its turn.
  void finish(Awaiter& one, const kev_event& event) noexcept {
    withdraw(one);
    one.event_ = event;
    one.state_ = State::ready;
    ready_.push(one);
  }
  // The same, where a oneshot has ended by itself.
  void conclude(Awaiter& one, const kev_event& event) noexcept {
    if (one.state_ == State::waiting) one.state_ = State::idle;
    finish(one, event);
  }
  void fail(Awaiter& one, int error) noexcept {
    kev_event event{};
    event.source = one.change_.source;
    event.ident = one.change_.ident;
    event.flags = KEV_E_ERROR;
    event.result = error;
    finish(one, event);
  }

  // No frame runs between two of these.
  void dispatch(const kev_event& event) {
    if (event.source == KEV_SOURCE_FD) return dispatch_descriptor(event);
    auto& one = *reinterpret_cast<Awaiter*>(static_cast<std::uintptr_t>(event.udata));
    if (event.source != one.change_.source) {
      one.is_timed_ = false;
      if (one.state_ == State::waiting) fail(one, -ETIMEDOUT);
      return;
    }
    // What came in the same batch as the end of its time counts: it would be lost.
    if (event.source == KEV_SOURCE_TIMER) one.is_timed_ = false;
    conclude(one, event);
  }
  void dispatch_descriptor(const kev_event& event) {
    auto& list = on_descriptor(event.ident);
    detail::List<Awaiter> rest;
    while (Awaiter* one = list.first) {
      list.unlink(*one);
      if ((event.what & (one->change_.what | KEV_ERR | KEV_HUP)) == 0 && (event.flags & KEV_E_ERROR) == 0) {
        rest.push(*one);
        continue;
      }
      conclude(*one, event);
    }
    while (Awaiter* one = rest.first) {
      rest.unlink(*one);
      list.push(*one);
    }
    if (list.first == nullptr) return;
    int error = arm(event.ident, false);
    while (error < 0 && list.first != nullptr) {
      list.first->state_ = State::idle;
      fail(*list.first, error);
    }
  }

  Queue queue_;
  std::deque<detail::List<Awaiter>> descriptors_;  // which stay where they are: nodes point to them
  detail::List<Awaiter> ready_;
  std::unordered_map<Id, std::coroutine_handle<>> roots_;
  std::vector<Id> doomed_;
  std::exception_ptr thrown_;
  std::atomic<bool> stopped_{false};
  Id last_id_ = 0;
  unsigned depth_ = 0;
};

inline Awaiter::~Awaiter() {
  if (state_ != State::idle) loop_.abandon(*this);
}

inline bool Awaiter::await_suspend(std::coroutine_handle<> frame) {
  frame_ = frame;
  int error = loop_.begin(*this);
  if (error == 0) return true;
  event_.source = change_.source;
  event_.ident = change_.ident;
  event_.flags = KEV_E_ERROR;
  event_.result = error;
  return false;
}

}  // namespace kev

#endif
