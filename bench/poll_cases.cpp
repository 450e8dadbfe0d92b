// poll and ppoll: sizes, how many are ready, and arrays that change between the calls.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <unistd.h>

#include "case.hpp"
#include "fixture.hpp"

namespace kev::bench {

namespace {

std::string title(unsigned count, unsigned ready) {
  char name[64];
  snprintf(name, sizeof name, "poll/%u/%uready", count, ready);
  return name;
}

struct Array {
  Array(unsigned count, unsigned ready)
      : fds(count, ready), entries(fds.array()), last_ready(ready > 0 ? &entries.back() : nullptr), expected(ready) {}

  void call(int timeout_ms) {
    int result = poll(entries.data(), entries.size(), timeout_ms);
    check(result);
  }
  void check(int result) const {
    require(result == static_cast<int>(expected), "poll: another number of ready entries");
    require(last_ready == nullptr ? entries.back().revents == 0 : last_ready->revents == POLLIN,
            "poll: another entry is ready");
  }

  EventFds fds;
  std::vector<pollfd> entries;
  const pollfd* last_ready;
  unsigned expected;
};

void add_still(Cases& cases, unsigned count, unsigned ready, Limit limit, int timeout_ms = 0) {
  std::string name = title(count, ready);
  if (timeout_ms < 0) name += "/for-ever";
  if (timeout_ms > 0) name.append("/").append(std::to_string(timeout_ms)).append("ms");
  cases.add_call(name, limit, [=] {
    return [array = std::make_unique<Array>(count, ready), timeout_ms] { array->call(timeout_ms); };
  });
}

// Nothing comes before the time is up: the CPU time that such a wait takes.
void add_sleeping(Cases& cases, unsigned count, int timeout_ms) {
  cases.add_call("poll/" + std::to_string(count) + "/0ready/sleeps-" + std::to_string(timeout_ms) + "ms", kNoLimit,
                 [=] { return [array = std::make_unique<Array>(count, 0u), timeout_ms] { array->call(timeout_ms); }; },
                 Clock::thread_cpu, 4);
}

// One entry's descriptor is another at each call.
void add_one_changes(Cases& cases) {
  cases.add_call("poll/1000/1ready/one-changes", times(14), [] {
    struct State {
      Array array{1000, 1};
      EventFds spare{2, 0};
      unsigned turn = 0;
    };
    return [state = std::make_unique<State>()] {
      state->array.entries[500].fd = state->spare.fds[++state->turn % 2].get();
      state->array.call(0);
    };
  });
}

// One entry's events are others at each call, as where there is something to write now and then.
void add_events_change(Cases& cases) {
  cases.add_call("poll/1000/1ready/events-change", kNoLimit, [] {
    return [array = std::make_unique<Array>(1000, 1)] {
      array->entries[500].events ^= POLLPRI;
      array->call(0);
    };
  });
}

// A client comes and another goes at each call.
void add_one_is_made(Cases& cases, unsigned count) {
  cases.add_call("poll/" + std::to_string(count) + "/1ready/dup-poll-close", kNoLimit, [=] {
    return [array = std::make_unique<Array>(count, 1), count] {
      int fd = dup(array->fds.fds[0].get());
      array->entries[count / 2].fd = fd;
      array->call(0);
      require(close(fd) == 0, "close failed");
    };
  });
}

// Two sets of descriptors take turns in one array.
void add_replaced(Cases& cases) {
  cases.add_call("poll/1000/1ready/replaced", kParity, [] {
    struct State {
      Array one{1000, 1}, other{1000, 1};
      std::vector<pollfd> first = one.entries, second = other.entries;
      bool turn = false;
    };
    return [state = std::make_unique<State>()] {
      state->turn = !state->turn;
      // Copied natively too: the copy costs both sides the same.
      std::copy_n((state->turn ? state->first : state->second).begin(), 1000, state->one.entries.begin());
      state->one.call(0);
    };
  });
}

// The program builds its array anew, at the same place, before each call (as Python and many others do).
void add_rebuilt(Cases& cases) {
  cases.add_call("poll/100/1ready/rebuilt", kNoLimit, [] {
    struct State {
      Array array{100, 1};
      std::vector<pollfd> model = array.entries;
    };
    return [state = std::make_unique<State>()] {
      std::copy_n(state->model.begin(), 100, state->array.entries.begin());
      state->array.call(0);
    };
  });
}

void add_in_turn(Cases& cases) {
  cases.add_call("poll/100/1ready/two-in-turn", kNoLimit, [] {
    struct State {
      Array arrays[2] = {{100, 1}, {100, 1}};
      unsigned turn = 0;
    };
    return [state = std::make_unique<State>()] { state->arrays[++state->turn % 2].call(0); };
  });
}

void add_ppoll(Cases& cases) {
  cases.add_call("ppoll/100/1ready", kNoLimit, [] {
    return [array = std::make_unique<Array>(100, 1)] {
      timespec zero = {0, 0};
      array->check(ppoll(array->entries.data(), array->entries.size(), &zero, nullptr));
    };
  });
}

}  // namespace

void add_poll_cases(Cases& cases) {
  for (unsigned count : {1u, 2u, 4u, 8u}) {
    add_still(cases, count, 0, kParity);
    add_still(cases, count, 1, kParity);
  }
  for (unsigned count : {12u, 16u, 24u, 32u, 64u}) {
    add_still(cases, count, 0, kParity);
    add_still(cases, count, 1, kParity);
  }
  add_still(cases, 100, 0, kNoLimit);
  add_still(cases, 100, 1, times(3.5));
  add_still(cases, 100, 1, kNoLimit, 1000);
  add_still(cases, 100, 1, kNoLimit, -1);
  add_still(cases, 1000, 0, kNoLimit);
  add_still(cases, 1000, 1, times(28));
  add_still(cases, 1000, 100, times(2));
  add_still(cases, 1000, 1000, kParity);
  add_still(cases, 10000, 1, times(120));
  add_sleeping(cases, 100, 1);
  add_sleeping(cases, 100, 7);
  add_one_changes(cases);
  add_events_change(cases);
  add_one_is_made(cases, 32);
  add_one_is_made(cases, 1000);
  add_replaced(cases);
  add_rebuilt(cases);
  add_in_turn(cases);
  add_ppoll(cases);
}

}  // namespace kev::bench
