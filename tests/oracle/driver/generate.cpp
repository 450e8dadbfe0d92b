// A sequence begins with descriptors and arrays, so that the waits have something to wait for, and goes on with operations
// whose shares are drawn anew for each sequence: most waits are of arrays that were waited for before, as programs do.
// The generator follows roughly what stands in each slot, so that most operations meet a descriptor that they fit; that an
// operation fails is a result like any other.
#include "generate.hpp"

#include <algorithm>
#include <csignal>
#include <poll.h>

#include "domain.hpp"
#include "operations.hpp"

namespace oracle {

namespace {

enum Kind : uint8_t { free_slot, stream, packet, listener, unix_listener, counter, timer, other, epoll, terminal, file };  // from epoll on: only the kernel's

enum Group { makes, closes, data, edits, polls, selects, epolls, signals, blocks, rest, group_count };

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  Sequence run() {
    choose_theme();
    begin();
    int length = calm_ ? random_.between(300, 900) : random_.one_in(4) ? random_.between(20, 200) : random_.between(200, 800);
    while (length-- > 0 && sequence_.ops.size() < MAX_OPS - 16) step();
    return sequence_;
  }

 private:
  void choose_theme() {
    constexpr int kBase[group_count] = {4, 3, 14, 6, 40, 18, 8, 3, 1, 2};
    for (int group = 0; group < group_count; ++group) {
      constexpr int kFactor[] = {0, 1, 2, 2, 4};
      weight_[group] = kBase[group] * kFactor[random_.below(5)];
    }
    weight_[polls] = std::max(weight_[polls], 40);
    if (random_.one_in(12)) weight_[epolls] = 120;
    bypass_ = random_.one_in(25);
    if (bypass_) weight_[blocks] = 0;
    apart_ = random_.one_in(20);
    calm_ = !bypass_ && random_.percent(72);
    files_ = !calm_ && random_.one_in(5);
    tight_ = !calm_ && random_.one_in(5);
    if (calm_) weight_[epolls] /= 4;
    threads_ = random_.one_in(calm_ ? 12 : 5) ? random_.between(1, THREADS - 1) : 0;
    sequence_.by_clone = random_.one_in(8);
    favourite_ = random_.below(ARRAYS);
  }

  void begin() {
    for (int i = random_.between(3, 9); i > 0; --i) make();
    for (int i = 0; i < kArrays; ++i)
      add(OP_entries, (favourite_ + i) % ARRAYS, random_.between(6, ENTRIES), random_.below(SLOTS),
          random_.percent(calm_ ? 97 : 85) ? POLLIN : draw(EVENTS, random_));
    for (int i = random_.between(5, 14); i > 0; --i) add(OP_bit, i % 2, draw(WHICH, random_), watched());
  }

  void step() {
    int total = 0;
    for (int weight : weight_) total += weight;
    int at = random_.below(total);
    int group = 0;
    while (at >= weight_[group]) at -= weight_[group++];
    switch (group) {
      case makes: return make();
      case closes: return close();
      case data: return move_data();
      case edits: return edit();
      case polls: return poll();
      case selects: return select();
      case epolls: return control();
      case signals: return signal();
      case blocks: return block();
      default: return something();
    }
  }

  // The first argument of the operation is its thread's.
  void add(OpKind kind, int a = 0, int b = 0, int c = 0, int d = 0) {
    Op op = {static_cast<uint16_t>(kind), 0, {a, b, c, d}};
    for (size_t i = 0; i < ARGUMENTS; ++i)
      if (kOperations[kind].arguments[i] == WAY) op.argument[i] = draw(WAY, random_);
    if (threads_ > 0 && random_.one_in(5)) op.thread = static_cast<uint16_t>(random_.between(1, threads_));
    sequence_.ops.push_back(op);
  }

  // With arguments drawn from what the table says, slots of `kind` where there are any.
  void add_drawn(OpKind kind, Kind fits = free_slot) {
    int arguments[ARGUMENTS];
    for (int i = 0; i < ARGUMENTS; ++i) {
      Domain domain = kOperations[kind].arguments[static_cast<size_t>(i)];
      arguments[i] = domain == NEW ? fresh() : domain == SLOT ? (i == 0 ? slot(fits) : any()) : draw(domain, random_);
    }
    add(kind, arguments[0], arguments[1], arguments[2], arguments[3]);
  }

  int fresh() {
    for (int i = 0; i < 6; ++i) {
      int at = random_.below(SLOTS);
      if (kind_[at] == free_slot) return at;
    }
    return random_.below(SLOTS);
  }

  int any() {
    for (int i = 0; i < 6; ++i) {
      int at = random_.below(SLOTS);
      if (kind_[at] != free_slot) return at;
    }
    return random_.below(SLOTS);
  }

  // One to wait for: of those that only the kernel may poll few, or the core would see nothing of the array.
  int watched() {
    for (int i = 0; i < 12; ++i) {
      int at = random_.below(SLOTS);
      if (kind_[at] != free_slot && (kind_[at] < epoll || (files_ && random_.one_in(4)))) return at;
    }
    return any();
  }

  int slot(Kind kind) {
    if (kind == free_slot || random_.one_in(10)) return any();
    int start = random_.below(SLOTS);
    for (int i = 0; i < SLOTS; ++i)
      if (kind_[(start + i) % SLOTS] == kind) return (start + i) % SLOTS;
    return any();
  }

  void pair(OpKind op, Kind kind, int third = 0) {
    int a = fresh();
    kind_[a] = kind;
    int b = fresh();
    kind_[b] = kind;
    add(op, a, b, third);
  }

  void single(OpKind op, Kind kind, int second = 0, int third = 0) {
    int a = fresh();
    kind_[a] = kind;
    add(op, a, second, third);
  }

  void connected() {
    bool tcp = random_.one_in(2);
    int at = slot(tcp ? listener : unix_listener);
    if (kind_[at] != (tcp ? listener : unix_listener)) {
      at = fresh();
      kind_[at] = tcp ? listener : unix_listener;
      add(tcp ? OP_tcp_listen : OP_unix_listen, at, 0);
    }
    single(tcp ? OP_tcp_connect : OP_unix_connect, stream, at, 0);
    if (random_.percent(80)) single(OP_accept, stream, at);
  }

  // One in a sequence: in which order several are told of a file is a matter of addresses.
  void inotify() {
    if (has_inotify_) return single(OP_eventfd, counter);
    has_inotify_ = true;
    single(OP_inotify, other);
  }

  void make() {
    if (tight_ && random_.one_in(12)) return add_drawn(random_.one_in(2) ? OP_limit : OP_exhaust);
    switch (random_.below(24)) {
      case 0: case 1: case 2: case 3: return pair(OP_pipe2, stream, draw(PIPE_FLAGS, random_));
      case 4: case 5: case 6: return pair(OP_socketpair, stream, draw(SOCKET_TYPE, random_));
      case 7: case 8: case 9: return single(OP_eventfd, counter, draw(COUNT, random_), draw(EVENTFD_FLAGS, random_));
      case 10: case 11: return single(OP_timerfd, timer);
      case 12: case 13: case 14: return connected();
      case 15: return pair(OP_udp_pair, packet);
      case 16: return inotify();
      case 17: return files_ ? pair(OP_pty, terminal) : inotify();
      case 18: return random_.one_in(3) ? single(OP_pidfd, other, draw(CHILD, random_)) : single(OP_eventfd, counter);
      case 19: return files_ ? single(OP_signalfd, file, draw(SIGNALS, random_)) : single(OP_timerfd, timer);
      case 20:
        if (!files_) return single(OP_eventfd, counter, 0, 0);
        return make_file();
      case 21: return duplicate();
      case 22: return random_.one_in(2) ? single(OP_socket, stream, draw(DOMAIN, random_)) : single(OP_tcp_refused, stream);
      default: {
        add_drawn(OP_scm_send, stream);
        int sender = sequence_.ops.back().argument[0];
        return single(OP_scm_recv, stream, sender ^ 1);
      }
    }
  }

  void make_file() {
    switch (random_.below(6)) {
      case 0: case 1: return single(OP_epoll_create, epoll);
      case 2: return single(OP_memfd, file);
      case 3: return single(OP_temporary, file);
      case 4: return tight_ ? single(OP_temporary, file) : single(OP_queue, file);  // mq_open() does not give way
      default: return single(OP_open, file, draw(PATH, random_));
    }
  }

  void duplicate() {
    switch (random_.below(5)) {
      case 0: case 1: return single(OP_dup, stream, watched());
      case 2: return single(OP_syscall_make, stream, watched(), draw(NUMBER, random_));
      default: return single(OP_fcntl_dup, stream, watched(), draw(NUMBER, random_));
    }
  }

  void close() {
    if (calm_ && random_.one_in(2)) {
      add(OP_close, watched());
      return make();
    }
    if (bypass_ && random_.one_in(4)) return leave_behind();
    if (bypass_ && random_.one_in(2)) return add_drawn(random_.one_in(2) ? OP_raw_close : OP_raw_dup2);
    switch (random_.below(20)) {
      case 0: return add_drawn(OP_close_number);
      case 1: return random_.one_in(3) ? close_some() : add_drawn(OP_close_number);
      case 2: return random_.one_in(8) ? add_drawn(OP_closefrom) : add_drawn(OP_shutdown, stream);
      case 3: return add_drawn(OP_shutdown, stream);
      case 4: return add_drawn(OP_fclose);
      case 5:
        if (files_ && random_.one_in(2)) return add_drawn(OP_freopen);
        return single(OP_fopen, stream, draw(STREAM, random_));
      case 6: return add_drawn(OP_syscall_close);
      case 7: case 8: case 9: return add(OP_dup2, watched(), watched());
      case 10: return add(OP_dup3, watched(), watched(), draw(CLOEXEC, random_));
      case 11: return single(OP_dup2_number, stream, watched(), draw(NUMBER, random_));
      default: {
        int at = any();
        kind_[at] = free_slot;
        add(OP_close, at);
        // The number comes again, as another file's.
        if (random_.percent(75)) make();
      }
    }
  }

  // What was watched goes on reporting by another number, and its own is another file's.
  void leave_behind() {
    int waited = array();
    pair(OP_pipe2, stream);
    int from = sequence_.ops.back().argument[0], to = sequence_.ops.back().argument[1];
    add(OP_entry, waited, random_.below(8), from, POLLIN);
    add(OP_dup, fresh(), from);
    for (int i = 0; i < 5; ++i) add(OP_poll, waited, 0, 0);
    random_.one_in(3) ? add(OP_raw_close, from) : add(OP_raw_dup2, watched(), from);
    add(OP_write, to, 8);
    add(OP_poll, waited, 0, 0);
  }

  void close_some() {
    int first = draw(NUMBER, random_);
    int last = random_.one_in(4) ? -1 : random_.one_in(2) ? first + random_.below(3) : draw(NUMBER, random_);
    add(OP_close_range, first, last, draw(RANGE_FLAGS, random_));
  }

  void move_data() {
    switch (random_.below(24)) {
      case 0: return add_drawn(OP_writev, stream);
      case 1: return add_drawn(OP_readv, stream);
      case 2: return add_drawn(OP_send, stream);
      case 3: return add_drawn(OP_recv, stream);
      case 4: return random_.one_in(3) ? add_drawn(OP_fill, stream) : add_drawn(OP_drain, stream);
      case 5: return random_.one_in(2) ? add_drawn(OP_splice, stream) : add_drawn(OP_tee, stream);
      case 6: return random_.one_in(2) ? add_drawn(OP_sendfile, stream) : add_drawn(OP_sockopt, stream);
      case 20: return files_ ? add_drawn(random_.one_in(2) ? OP_flush : OP_message, file) : add_drawn(OP_write, stream);
      case 7: case 8: return add_drawn(OP_timer_set, timer);
      case 9: return add_drawn(OP_touch);
      case 10: return random_.one_in(3) ? add_drawn(OP_kill_child) : add_drawn(OP_write, counter);
      case 11: return random_.one_in(3) ? add_drawn(OP_reap_child) : add_drawn(OP_read, counter);
      case 12: case 13: case 14: case 15: return add(OP_drain, watched());
      case 16: case 17: return calm_ ? add(OP_drain, watched()) : add_drawn(OP_read);
      case 18: return add_drawn(OP_write, counter);
      default: return calm_ && random_.one_in(3) ? add(OP_drain, watched()) : add_drawn(OP_write, stream);
    }
  }

  int array() {
    if (random_.one_in(30)) return random_.below(ARRAYS);
    return (favourite_ + (random_.percent(80) ? 0 : random_.below(kArrays))) % ARRAYS;
  }

  void edit() {
    if (calm_ && !random_.one_in(20)) {
      if (random_.one_in(3)) return add(random_.one_in(2) ? OP_bit : OP_unbit, 0, draw(WHICH, random_), watched());
      return shift();
    }
    switch (random_.below(12)) {
      case 0: return add(OP_length, array(), draw(LENGTH, random_));
      case 1: return add(OP_shuffle, array(), draw(SEED, random_));
      case 2: return add_drawn(OP_copy);
      case 3: return add(OP_entry_number, array(), draw(INDEX, random_), draw(ODD_NUMBER, random_), draw(EVENTS, random_));
      case 4: return random_.one_in(3) ? add_drawn(OP_clear) : add_drawn(OP_unbit);
      case 5: return random_.one_in(3) ? add_drawn(OP_bit_number) : add(OP_bit, 0, draw(WHICH, random_), watched());
      case 6: return add(OP_bit, random_.one_in(5), draw(WHICH, random_), watched());
      case 7: return random_.one_in(3) ? add(OP_entries, array(), draw(LENGTH, random_), random_.below(SLOTS), draw(EVENTS, random_)) : shift();
      default: return add(OP_entry, array(), random_.below(24), watched(), draw(EVENTS, random_));
    }
  }

  // One entry becomes the next one's, as where a connection goes and the last one takes its place.
  void shift() { add(OP_entry, array(), random_.below(12), watched(), POLLIN); }

  void poll() {
    int index = random_.percent(96) ? 0 : random_.below(8);
    switch (random_.below(16)) {
      case 0: case 1: return add(OP_ppoll, array(), index, draw(TIMEOUT, random_), draw(MASK, random_));
      case 2: return random_.one_in(3) ? add_drawn(OP_poll_elsewhere) : add_drawn(OP_poll_one);
      case 4:
        // Each is some hundred waits.
        if (random_.one_in(32)) return add_drawn(OP_poll_herd);
        if (random_.one_in(11)) return add(OP_poll_often, array(), draw(TIMES, random_));
        return add(OP_poll, array(), index, draw(TIMEOUT, random_));
      case 3: return random_.one_in(4) ? add_drawn(OP_poll_wrong) : add(OP_poll, array(), index, draw(TIMEOUT, random_));
      default: return add(OP_poll, array(), index, draw(TIMEOUT, random_));
    }
  }

  void select() {
    switch (random_.below(12)) {
      case 0: case 1: return add(OP_pselect, random_.one_in(6), draw(NULLS, random_), draw(TIMEOUT, random_), draw(MASK, random_));
      case 2: return random_.one_in(3) ? add_drawn(OP_select_below) : add(OP_select, 0, draw(NULLS, random_));
      case 3: return random_.one_in(4) ? add_drawn(OP_select_wrong) : add_drawn(OP_select);
      case 4: return random_.one_in(8) ? add(OP_select_often, 0, draw(TIMES, random_)) : add(OP_select);
      default: return add(OP_select, random_.percent(90) ? 0 : 1, 0, draw(TIMEOUT, random_));
    }
  }

  void control() {
    switch (random_.below(10)) {
      case 0: return single(OP_epoll_create, epoll);
      case 1: case 2: return add_drawn(OP_epoll_ctl, epoll);
      case 3: case 4: case 5: {
        int set = slot(epoll);
        int maximum = random_.between(1, 4);
        for (int i = 0; i < maximum; ++i)
          add(OP_epoll_ctl, set, draw(CONTROL, random_), random_.one_in(6) ? slot(epoll) : any(), draw(EPOLL_EVENTS, random_));
        return;
      }
      case 6: return add_drawn(random_.one_in(2) ? OP_epoll_pwait : OP_epoll_pwait2, epoll);
      case 7: return random_.one_in(4) ? add_drawn(OP_epoll_wrong, epoll) : add_drawn(OP_epoll_wait, epoll);
      case 8: return add_drawn(OP_epoll_wait, epoll);
      default: return add_drawn(OP_epoll_again, epoll);
    }
  }

  void signal() {
    switch (random_.below(8)) {
      case 5: return let_in();
      case 6: return random_.one_in(4) ? add_drawn(OP_suspend) : add_drawn(OP_raise);
      case 7: return add_drawn(OP_take_signal);
      case 0: return add(OP_handler, draw(SIGNAL, random_), draw(ACTION, random_), any(), array());
      case 1: case 2: return add_drawn(OP_mask);
      default: return add_drawn(OP_raise);
    }
  }

  // A signal that is pending, and a wait that lets it in.
  void let_in() {
    int which = random_.below(2);
    int timeout = random_.one_in(3) ? TIMEOUT_NEVER : random_.between(0, 2);
    int mask = random_.one_in(4) ? draw(MASK, random_) : 0;
    add(OP_mask, SIG_BLOCK, 1 << which);
    add(OP_raise, which);
    sequence_.ops.back().thread = sequence_.ops[sequence_.ops.size() - 2].thread;
    switch (random_.below(5)) {
      case 0: add(OP_epoll_pwait, slot(epoll), draw(MAXIMUM, random_), timeout, mask); break;
      case 3: add(OP_take_signal, draw(SIGNALS, random_)); break;
      case 4: add(OP_suspend, 0, mask); break;
      case 1: add(OP_pselect, 0, 0, timeout, mask); break;
      default: add(OP_ppoll, array(), 0, timeout, mask);
    }
    sequence_.ops.back().thread = sequence_.ops[sequence_.ops.size() - 2].thread;
  }

  // A block's operations are whatever comes; those that it cannot take are left out by the world.
  void block() {
    if (bypass_) return;
    if (apart_ && random_.one_in(4)) return add_drawn(random_.one_in(2) ? OP_unshare : OP_filter);
    if (random_.one_in(10)) return late_event();
    if (random_.percent(60)) return random_.one_in(5) ? add(OP_thread, array()) : beside();
    switch (random_.below(6)) {
      case 0:
      case 1: return add(OP_fork, draw(BLOCK, random_));
      case 2: return random_.one_in(2) ? add(OP_exec, draw(BLOCK, random_)) : add(OP_fork, draw(BLOCK, random_));
      case 3: return in_vfork();
      case 4: return random_.one_in(8) ? filtered() : in_fork();
      default: return in_fork();
    }
  }

  void filtered() {
    add(random_.one_in(2) ? OP_fork : OP_vfork, 3);
    add(OP_filter);
    add(OP_poll, array(), 0, 0);
    random_.one_in(2) ? close_some() : move_data();
  }

  void in_vfork() {
    int count = random_.between(1, 4);
    add(OP_vfork, count);
    while (count-- > 0) {
      if (random_.one_in(3))
        close_some();
      else
        random_.one_in(2) ? close_one() : add(OP_poll, array(), 0, 0);
    }
  }

  // A child that changes what its parent goes on waiting for.
  void in_fork() {
    int waited = array();
    int entry = random_.below(12);
    add(OP_fork, 3);
    add(OP_poll, waited, 0, 0);
    if (random_.one_in(2))
      add(OP_entry_number, waited, entry, -1, POLLIN);
    else
      add(OP_close, watched());
    add(OP_poll, waited, 0, 0);
    move_data();
    add(OP_poll, waited, 0, 0);
  }

  void close_one() { add(random_.one_in(2) ? OP_close : OP_dup2, watched(), watched()); }

  // A wait that is in its program's own call by the time of the event.
  void late_event() {
    bool by_select = random_.one_in(2);
    int waited = array(), thread = random_.between(1, THREADS - 1);
    pair(OP_pipe2, stream);
    int from = sequence_.ops.back().argument[0], to = sequence_.ops.back().argument[1];
    by_select ? add(OP_bit, 2, 0, from) : add(OP_entry, waited, random_.below(8), from, POLLIN);
    auto wait = [&](int timeout) {
      by_select ? add(OP_select, 2, 0, timeout) : add(OP_poll, waited, 0, timeout);
      sequence_.ops.back().thread = static_cast<uint16_t>(thread);
    };
    for (int i = 0; i < 5; ++i) wait(0);
    add(OP_during, 3, draw(DISABLED, random_));
    sequence_.ops.back().thread = static_cast<uint16_t>(thread);
    wait(TIMEOUT_NEVER);
    add(OP_pass_time);
    add(OP_write, to, 8);
    wait(0);
  }

  // A wait in a thread, and what wakes it.
  void beside() {
    int count = random_.between(2, 5);
    add(OP_during, count, draw(DISABLED, random_));
    sequence_.ops.back().thread = static_cast<uint16_t>(random_.between(1, THREADS - 1));
    switch (random_.below(6)) {
      case 0: add(OP_epoll_wait, slot(epoll), draw(MAXIMUM, random_), -1); break;
      case 1: add(OP_select, random_.below(2), 0, -1); break;
      case 2: add(OP_ppoll, array(), 0, -1, draw(MASK, random_)); break;
      case 3: random_.one_in(4) ? add(OP_suspend, 0, draw(MASK, random_)) : add(OP_poll, array(), 0, -1); break;
      default: add(OP_poll, array(), 0, -1); break;
    }
    if (random_.one_in(4)) add(OP_pass_time), --count;
    while (--count > 0) {
      switch (random_.below(10)) {
        // What takes the shim's own descriptors while one sleeps on them, or lets it sleep for more than a period.
        case 8: meddle(); break;
        case 9: random_.one_in(3) ? add(OP_pass_time) : move_data(); break;
        case 0: add(OP_signal_waiter, draw(SIGNAL, random_)); break;
        case 1: random_.one_in(2) ? add(OP_cancel_waiter) : move_data(); break;
        case 2: control(); break;
        default: move_data();
      }
    }
  }

  void meddle() {
    switch (random_.below(4)) {
      case 0: return add(OP_limit, 1024);
      case 1: return add(OP_fcntl_dup, fresh(), watched(), random_.between(990, 1023), 0);
      case 2: return tight_ ? add_drawn(OP_exhaust) : make();
      default: return make();
    }
  }

  // Mirrors end with these, of a process or of all its threads.
  static bool ends_mirrors(OpKind kind) { return kind == OP_unshare || kind == OP_filter; }
  static bool is_slow(OpKind kind) { return kind == OP_system || kind == OP_suspend || kind == OP_poll_herd; }

  static bool makes_file(OpKind kind) {
    return kind == OP_open || kind == OP_freopen || kind == OP_memfd || kind == OP_epoll_create || kind == OP_signalfd || kind == OP_pty ||
           kind == OP_temporary || kind == OP_queue;
  }

  void something() {
    switch (random_.below(8)) {
      case 0: return tight_ ? add_drawn(random_.one_in(2) ? OP_limit : OP_exhaust) : add_drawn(OP_check);
      case 1: return random_.one_in(4) ? add_drawn(OP_pass_time) : add_drawn(OP_check);
      case 2: case 3: return add_drawn(OP_check);
      default: {
        if (calm_) return poll();
        // Anything, at anything.
        OpKind kind = static_cast<OpKind>(random_.below(OP_COUNT));
        if (ends_mirrors(kind) && !apart_) return;
        if (is_slow(kind) && !random_.one_in(3)) return;
        if ((kind == OP_raw_close || kind == OP_raw_dup2) && !bypass_) return;
        if (makes_file(kind) && !files_) return;
        if (tight_ ? kind == OP_queue : kind == OP_limit) return;
        add_drawn(kind);
      }
    }
  }

  static constexpr int kArrays = 2;  // what a program would wait for again and again

  Random random_;
  Sequence sequence_;
  int weight_[group_count];
  Kind kind_[SLOTS] = {};
  int favourite_ = 0;
  int threads_ = 0;
  bool bypass_ = false;
  bool apart_ = false;  // processes and threads that the shim leaves to the kernel from some point on
  bool calm_ = false;   // little changes between waits, as in most programs
  bool has_inotify_ = false;
  bool tight_ = false;  // the descriptor limit is met
  bool files_ = false;  // descriptors that only the kernel may poll
};

}  // namespace

Sequence generate(uint64_t seed) { return Generator(seed).run(); }

}  // namespace oracle
