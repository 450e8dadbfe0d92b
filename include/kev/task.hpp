// Task: a coroutine that others await. It knows nothing of queues and loops (coroutine.hpp), nor of threads.
//
// Part of <kev/kev.hpp>.
#ifndef KEV_TASK_HPP
#define KEV_TASK_HPP

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace kev {

template <class T = void>
class Task;

namespace detail {

// What goes on when a task ends: who awaits it.
struct Continue {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
    return ended.promise().continuation;
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr exception;

  std::suspend_always initial_suspend() const noexcept { return {}; }
  Continue final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;

  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace detail

// A coroutine that yields a T. Begins when it is awaited, or spawned; its frame ends with its owner. An exception that
// leaves it is thrown to who awaits it.
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  Task() noexcept = default;
  explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Task& operator=(Task&& other) noexcept {
    Task old(std::exchange(frame_, std::exchange(other.frame_, {})));
    return *this;
  }
  ~Task() {
    if (frame_) frame_.destroy();
  }

  // Precondition: not awaited before.
  auto operator co_await() const noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> frame;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const noexcept {
        frame.promise().continuation = waiting;
        return frame;
      }
      T await_resume() const {
        if (frame.promise().exception) std::rethrow_exception(std::exchange(frame.promise().exception, nullptr));
        return frame.promise().take();
      }
    };
    return Awaiter{frame_};
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

}  // namespace kev

#endif
