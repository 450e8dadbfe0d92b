// Runs every interleaving of a few small threads on a model of C++'s memory.
//
// A thread is a function whose only shared memory is Atomic and Plain objects, and whose way depends on nothing but
// what they return. One step of a thread: it runs from its beginning with the results that it had before, makes one
// more access, and is stopped at the next by an exception; so a state is a value that can be copied, and no stacks are
// switched. States that were met before are not entered again; their interleavings are counted all the same.
//
// The memory is weak: a load returns any store that is not older than what its thread has seen, and a thread sees what
// was stored before a release store when its acquire load reads that one. Plain objects have no order of their own: an
// access that is not ordered after the last conflicting one is a race, and found. (Not modelled: seq_cst, fences.)
//
//   Explorer explorer;                    // before the objects
//   Atomic<uint32_t> a{0};
//   Result result = explorer.run({first, second}, at_the_end);
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace interleave {

// What did not hold; ends the exploration.
struct Violation {
  std::string text;
};

inline void require(bool holds, const char* text) {
  if (!holds) throw Violation{text};
}

struct Result {
  double interleavings = 0;  // all of them, also those that share their states
  std::size_t states = 0;
  std::string violation;     // empty: none
  std::string trail;         // the threads whose steps led there
};

class Explorer {
 public:
  using Body = std::function<void()>;

  Explorer() { current() = this; }
  ~Explorer() { current() = nullptr; }
  Explorer(const Explorer&) = delete;
  Explorer& operator=(const Explorer&) = delete;

  static Explorer*& current() {
    static Explorer* explorer = nullptr;
    return explorer;
  }

  // Runs all interleavings of `bodies`; `at_end` checks each end state (all threads done or asleep), in which it may
  // use the objects as if alone.
  Result run(std::vector<Body> bodies, Body at_end) {
    bodies_ = std::move(bodies);
    at_end_ = std::move(at_end);
    State start = setup_;
    start.thread_count = static_cast<unsigned>(bodies_.size());
    limit(start.thread_count, kThreads, "threads");
    for (Thread& thread : start.threads) thread.view = nobody_.view;
    Result result;
    try {
      result.interleavings = visit(start);
    } catch (const Violation& violation) {
      result.violation = violation.text;
      result.trail = trail_;
    }
    result.states = met_.size();
    return result;
  }

  // Inside a thread: sleeps if `condition` holds; looking and falling asleep are one step, as in the kernel.
  void sleep_if(const std::function<bool()>& condition) {
    access([&] {
      alone_ = true;
      bool sleeps = condition();
      alone_ = false;
      if (sleeps) me().status = Status::asleep;
      return std::uint64_t{0};
    });
  }

  void wake_all() {
    access([&] {
      for (unsigned i = 0; i < state_->thread_count; ++i) {
        Thread& other = state_->threads[i];
        if (other.status != Status::asleep) continue;
        other.status = Status::running;
        join(other.view, me().view);
      }
      return std::uint64_t{0};
    });
  }

  // In at_end: whether a thread sleeps.
  bool is_asleep(unsigned thread) const { return state_->threads[thread].status == Status::asleep; }

  // The objects' side.
  unsigned add_word(std::uint64_t value) {
    Word& word = setup_.words[setup_.word_count];
    word.stores[0] = {value, {}};
    word.count = 1;
    limit(setup_.word_count + 1, kWords, "atomic objects");
    return setup_.word_count++;
  }
  unsigned add_plain() {
    limit(setup_.plain_count + 1, kPlains, "plain objects");
    return setup_.plain_count++;
  }

  std::uint64_t load(unsigned id, std::memory_order order) {
    return access([&] {
      Word& word = state_->words[id];
      Thread& thread = me();
      unsigned newest = word.count - 1u;
      unsigned at = newest;
      if (!alone_) {
        choices_ = newest - thread.view[id] + 1;
        at = newest - choice_;
      }
      return take(thread, id, at, order);
    });
  }
  void store(unsigned id, std::uint64_t value, std::memory_order order) {
    access([&] {
      put(me(), id, value, order, nullptr);
      return std::uint64_t{0};
    });
  }
  // Returns the value read; it was exchanged if that is `expected`.
  std::uint64_t exchange_if(unsigned id, std::uint64_t expected, std::uint64_t desired, std::memory_order order) {
    return access([&] {
      Thread& thread = me();
      Word& word = state_->words[id];
      unsigned newest = word.count - 1u;
      if (word.stores[newest].value != expected) return take(thread, id, newest, std::memory_order_relaxed);
      std::uint64_t value = take(thread, id, newest, order);
      put(thread, id, desired, order, &word.stores[newest]);
      return value;
    });
  }
  std::uint64_t read(unsigned id) {
    return access([&] {
      Cell& cell = state_->plains[id];
      View& view = me().view;
      if (!alone_) require(view[written(id)] == cell.writes, "a slot is read before its writer has handed it over");
      view[was_read(id)] = ++cell.reads;
      return cell.value;
    });
  }
  void write(unsigned id, std::uint64_t value) {
    access([&] {
      Cell& cell = state_->plains[id];
      View& view = me().view;
      if (!alone_) {
        require(view[written(id)] == cell.writes, "a slot is written while another writes it");
        require(view[was_read(id)] == cell.reads, "a slot is written while its reader is not done");
      }
      cell.value = value;
      view[written(id)] = ++cell.writes;
      return std::uint64_t{0};
    });
  }

 private:
  static constexpr unsigned kThreads = 3, kWords = 4, kPlains = 4, kStores = 24, kLog = 160;
  static constexpr unsigned kViews = kWords + 2 * kPlains;

  using View = std::array<std::uint8_t, kViews>;  // per object, the newest store (write, read) seen
  enum class Status : std::uint8_t { running, asleep, done };

  struct Store {
    std::uint64_t value;
    View released;  // what the storing thread had seen, if it released
  };
  struct Word {
    Store stores[kStores];
    std::uint8_t count;
  };
  struct Cell {
    std::uint64_t value;
    std::uint8_t writes, reads;
  };
  struct Thread {
    std::uint64_t log[kLog];
    std::uint64_t hash;
    unsigned length;
    View view;
    Status status;
  };
  struct State {
    Word words[kWords];
    Cell plains[kPlains];
    Thread threads[kThreads];
    unsigned word_count, plain_count, thread_count;
  };
  struct Stop {};

  static unsigned written(unsigned plain) { return kWords + 2 * plain; }
  static unsigned was_read(unsigned plain) { return kWords + 2 * plain + 1; }
  static bool releases(std::memory_order order) {
    return order == std::memory_order_release || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
  }
  static bool acquires(std::memory_order order) {
    return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
  }
  static void join(View& into, const View& from) {
    for (unsigned i = 0; i < kViews; ++i)
      if (from[i] > into[i]) into[i] = from[i];
  }
  static void limit(unsigned used, unsigned room, const char* what) {
    if (used <= room) return;
    std::fprintf(stderr, "interleave.hpp: too many %s\n", what);
    std::abort();
  }

  Thread& me() { return state_ == &setup_ || thread_ == kThreads ? nobody_ : state_->threads[thread_]; }

  std::uint64_t take(Thread& thread, unsigned id, unsigned at, std::memory_order order) {
    const Store& store = state_->words[id].stores[at];
    thread.view[id] = static_cast<std::uint8_t>(at);
    if (acquires(order)) join(thread.view, store.released);
    return store.value;
  }
  // `after`: the store that a read-modify-write read, whose release sequence it continues.
  void put(Thread& thread, unsigned id, std::uint64_t value, std::memory_order order, const Store* after) {
    Word& word = state_->words[id];
    limit(word.count + 1u, kStores, "stores");
    thread.view[id] = word.count;
    Store& store = word.stores[word.count++];
    store = {value, {}};
    if (after != nullptr) store.released = after->released;
    if (releases(order)) join(store.released, thread.view);
  }

  template <typename Perform>
  std::uint64_t access(Perform perform) {
    if (alone_) return perform();
    Thread& thread = me();
    if (at_ < thread.length) return thread.log[at_++];
    if (stepped_) throw Stop{};
    stepped_ = true;
    std::uint64_t result = perform();
    limit(thread.length + 1, kLog, "accesses");
    thread.log[thread.length++] = result;
    thread.hash = mix(thread.hash, result + 1);
    ++at_;
    if (thread.status == Status::asleep) throw Stop{};
    return result;
  }

  // One step of `thread`; its `choice`-th outcome. Returns how many outcomes there are.
  unsigned step(State& state, unsigned thread, unsigned choice) {
    state_ = &state;
    thread_ = thread;
    choice_ = choice;
    choices_ = 1;
    at_ = 0;
    stepped_ = alone_ = false;
    try {
      bodies_[thread]();
      state.threads[thread].status = Status::done;
    } catch (const Stop&) {
    }
    return choices_;
  }

  double visit(const State& state) {
    std::uint64_t key = hash(state);
    if (auto met = met_.find(key); met != met_.end()) return met->second;
    double paths = 0;
    bool ended = true;
    for (unsigned thread = 0; thread < state.thread_count; ++thread) {
      if (state.threads[thread].status != Status::running) continue;
      ended = false;
      trail_.push_back(static_cast<char>('0' + thread));
      for (unsigned choice = 0, choices = 1; choice < choices; ++choice) {
        State next = state;
        choices = step(next, thread, choice);
        paths += visit(next);
      }
      trail_.pop_back();
    }
    if (ended) {
      end(state);
      paths = 1;
    }
    met_.emplace(key, paths);
    return paths;
  }

  // Runs the threads through once more, so that what they keep outside is that of this state, and checks it.
  void end(State state) {
    state_ = &state;
    stepped_ = true;
    alone_ = false;
    for (thread_ = 0; thread_ < state.thread_count; ++thread_) {
      at_ = 0;
      try {
        bodies_[thread_]();
      } catch (const Stop&) {
      }
    }
    thread_ = kThreads;
    alone_ = true;
    at_end_();
  }

  static std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    hash ^= value + 0x9e3779b97f4a7c15u + (hash << 12) + (hash >> 4);
    hash *= 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 32);
  }
  static std::uint64_t mix(std::uint64_t hash, const View& view) {
    for (std::uint8_t seen : view) hash = mix(hash, seen);
    return hash;
  }
  static std::uint64_t hash(const State& state) {
    std::uint64_t hash = 1;
    for (unsigned i = 0; i < state.thread_count; ++i) {
      const Thread& thread = state.threads[i];
      hash = mix(mix(mix(hash, thread.hash), thread.length), static_cast<std::uint64_t>(thread.status));
      hash = mix(hash, thread.view);
    }
    for (unsigned i = 0; i < state.word_count; ++i) {
      const Word& word = state.words[i];
      hash = mix(hash, word.count);
      for (unsigned n = 0; n < word.count; ++n) hash = mix(mix(hash, word.stores[n].value), word.stores[n].released);
    }
    for (unsigned i = 0; i < state.plain_count; ++i)
      hash = mix(mix(mix(hash, state.plains[i].value), state.plains[i].writes), state.plains[i].reads);
    return hash;
  }

  std::vector<Body> bodies_;
  Body at_end_;
  State setup_ = {};
  Thread nobody_ = {};
  State* state_ = &setup_;
  unsigned thread_ = kThreads;
  unsigned choice_ = 0, choices_ = 1, at_ = 0;
  bool stepped_ = false;
  bool alone_ = true;  // outside the threads, and inside one step: accesses just happen
  std::unordered_map<std::uint64_t, double> met_;
  std::string trail_;
};

// A stand-in for std::atomic.
template <typename T>
class Atomic {
 public:
  Atomic(T value = {}) : id_(Explorer::current()->add_word(value)) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order order) const { return static_cast<T>(Explorer::current()->load(id_, order)); }
  void store(T value, std::memory_order order) { Explorer::current()->store(id_, value, order); }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order) {
    T seen = static_cast<T>(Explorer::current()->exchange_if(id_, expected, desired, success));
    bool exchanged = seen == expected;
    expected = seen;
    return exchanged;
  }

 private:
  unsigned id_;
};

// A stand-in for memory that is not atomic.
class Plain {
 public:
  Plain() : id_(Explorer::current()->add_plain()) {}
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;

  int get() const { return static_cast<int>(Explorer::current()->read(id_)); }
  void set(int value) { Explorer::current()->write(id_, static_cast<std::uint64_t>(value)); }

 private:
  unsigned id_;
};

}  // namespace interleave
