// Many threads in the core at once, and what they leave behind.
#include <pthread.h>

#include <atomic>
#include <thread>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

template <typename Body>
void in_threads(int count, Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&body, i] { body(i); });
  for (std::thread& thread : threads) thread.join();
}

// Descriptors of the object's that may remain: those of the calling thread.
constexpr size_t kOwn = 6;

}  // namespace

SCENARIO(private_arrays) {
  in_threads(16, [](int) {
    Watched own(20);
    for (int round = 0; round < 15; ++round) own.exercise();
  });
}

// One set of descriptors in everybody's arrays: few hold mirrors of it, all are right.
SCENARIO(shared_descriptors) {
  Watched shared(100);
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  shared.fire(50);
  in_threads(12, [&](int) {
    Watched own(0);
    own.fds = shared.fds;
    own.expect({50}, 30);
    ++ready;
    while (!go && ready < 12) ::sched_yield();
    go = true;
    for (int round = 0; round < 60; ++round) own.expect({50}, 1);
  });
  shared.calm(50);
  shared.exercise();
}

// One thread fires, many sleep: everyone wakes.
SCENARIO(shared_wake_up) {
  Watched shared(100);
  for (int round = 0; round < 10; ++round) {
    std::atomic<int> asleep{0}, awake{0};
    std::thread firer([&] {
      while (asleep < 8) pause_us(200);
      pause_us(round * 1000);
      shared.fire(20);
    });
    in_threads(8, [&](int) {
      Watched own(0);
      own.fds = shared.fds;
      own.expect({});
      ++asleep;
      own.expect_wait(20, 10'000);
      ++awake;
    });
    firer.join();
    CHECK(awake == 8);
    shared.calm(20);
  }
}

SCENARIO(ended_threads_leave_nothing) {
  Watched watched;
  watched.exercise();
  const size_t before = open_numbers().size();
  for (int round = 0; round < 30; ++round)
    in_threads(4, [](int) {
      Watched own(20);
      own.exercise();
      own.close_all();
    });
  CHECK(open_numbers().size() <= before + kOwn);
  watched.exercise();
}

SCENARIO(detached_threads_leave_nothing) {
  static std::atomic<int> ended{0};
  Watched watched;
  watched.exercise();
  const size_t before = open_numbers().size();
  for (int i = 0; i < 60; ++i)
    std::thread([] {
      Watched own(20);
      own.exercise();
      own.close_all();
      ++ended;
    }).detach();
  while (ended < 60) pause_us(500);
  for (int tries = 0; open_numbers().size() > before + kOwn; ++tries) {
    CHECK(tries < 2000);  // a detached thread's end cannot be waited for
    pause_us(1000);
  }
  watched.exercise();
}

namespace {

struct Sleeper {
  Watched watched{24};
  std::atomic<bool> asleep{false};
  std::atomic<bool> cleaned{false};
  bool by_core;
};

void clean(void* argument) {
  auto* sleeper = static_cast<Sleeper*>(argument);
  sleeper->watched.exercise();
  sleeper->cleaned = true;
}

void* sleep_in_poll(void* argument) {
  auto* sleeper = static_cast<Sleeper*>(argument);
  sleeper->watched.exercise();
  pthread_cleanup_push(clean, sleeper);
  sleeper->asleep = true;
  for (;;) sleeper->watched.poll(sleeper->by_core ? 2 : -1);  // within a period, or beyond
  pthread_cleanup_pop(0);
  return nullptr;
}

void cancels(bool by_core) {
  Watched watched;
  watched.exercise();
  const size_t before = open_numbers().size();
  for (int i = 0; i < 60; ++i) {
    auto* sleeper = new Sleeper;
    sleeper->by_core = by_core;
    pthread_t thread;
    CHECK(::pthread_create(&thread, nullptr, sleep_in_poll, sleeper) == 0);
    while (!sleeper->asleep) pause_us(50);
    pause_us(i * 150);
    CHECK(::pthread_cancel(thread) == 0);
    void* result = nullptr;
    CHECK(::pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    CHECK(sleeper->cleaned);
    sleeper->watched.exercise();
    sleeper->watched.close_all();
    delete sleeper;
  }
  CHECK(open_numbers().size() <= before + kOwn);
  watched.exercise();
}

}  // namespace

SCENARIO(cancelled_asleep_in_the_core) { cancels(true); }
SCENARIO(cancelled_in_a_long_sleep) { cancels(false); }

// A thread that has cancellation disabled is not disturbed, and acts on it afterwards.
SCENARIO(cancelled_but_disabled) {
  struct Shared {
    Watched watched{24};
    std::atomic<bool> asleep{false};
    std::atomic<int> result{-2};
  } shared;
  for (int i = 0; i < 10; ++i) {
    shared.asleep = false;
    shared.result = -2;
    pthread_t thread;
    auto body = [](void* argument) -> void* {
      auto* s = static_cast<Shared*>(argument);
      ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
      s->watched.exercise();
      s->asleep = true;
      s->result = s->watched.poll(20);
      ::pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
      for (;;) s->watched.poll(-1);
    };
    CHECK(::pthread_create(&thread, nullptr, body, &shared) == 0);
    while (!shared.asleep) pause_us(50);
    pause_us(i * 500);
    CHECK(::pthread_cancel(thread) == 0);
    void* result = nullptr;
    CHECK(::pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    CHECK(shared.result == 0);
  }
}

// Descriptors close under sleeping threads, others take their numbers; close_range asks everyone to leave.
SCENARIO(ranges_close_under_sleepers) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i)
    threads.emplace_back([&] {
      Watched own(20);
      while (!stop) CHECK(own.poll(3) == 0);
      own.exercise();
    });
  for (int i = 0; i < 60; ++i) {
    CHECK(::close_range(700, 1023, 0) == 0);
    pause_us(500);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

SCENARIO_MAIN
