// A round, from its plan to its account.
#include "round.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "consumer.hpp"
#include "figures.hpp"
#include "others.hpp"
#include "watchdog.hpp"

namespace crowd {

namespace {

constexpr unsigned kConsumers = 4;
constexpr unsigned kProducers = 2;
constexpr unsigned kMostSets = 2;

class Play {
 public:
  Play(uint64_t seed, bool native);
  ~Play();
  void run();

 private:
  unsigned add_slot(unsigned kinds);
  unsigned add_set_slot();
  void plan_sets();
  void give_arrays(Consumer& consumer, unsigned shared_first, unsigned shared_count);
  void give_blocking(Consumer& consumer);
  void disturb(Consumer& consumer);
  void continue_by_another(Consumer& consumer);
  void wait_for_all(unsigned& idle);
  bool is_all_there() const;
  void judge() const;

  Random random_;
  Consumer* consumers_;
  unsigned count_, sets_ = 0;
  int set_[kMostSets] = {-1, -1};
  Producer producer_[kProducers] = {};
  Churner churner_ = {};
  bool cancels_, signals_;
};

// A number that no call takes, for a new channel that is written from the beginning.
unsigned Play::add_slot(unsigned kinds) {
  unsigned index = round_now->slot_count++;
  Slot& slot = round_now->slots[index];
  int fd;
  Channel* channel = new_channel(random_, kinds, fd);
  if (channel == nullptr) end_player(1);
  slot.reserved = kReserved + static_cast<int>(index);
  if (dup3(fd, slot.reserved, O_CLOEXEC) < 0) fail("dup3: errno %d", errno), end_player(1);
  close(fd);
  slot.number = slot.reserved;
  slot.channel = channel->index;
  channel->live = true;
  return index;
}

unsigned Play::add_set_slot() {
  constexpr uint32_t kHow[] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLET | EPOLLONESHOT,
                               EPOLLIN | EPOLLEXCLUSIVE};
  unsigned index = add_slot(kKinds);
  Slot& slot = round_now->slots[index];
  slot.shared = true;
  slot.set_events = kHow[random_.below(5)];
  unsigned only = random_.below(sets_);
  for (unsigned i = 0; i < sets_; ++i) {
    if (i != only && (slot.set_events & EPOLLEXCLUSIVE) == 0) continue;
    epoll_event event = {slot.set_events, {.u32 = index}};
    if (epoll_ctl(set_[i], EPOLL_CTL_ADD, slot.number, &event) != 0) fail("epoll_ctl: errno %d", errno);
  }
  return index;
}

void Play::plan_sets() {
  for (unsigned i = 0; i < sets_; ++i) {
    set_[i] = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event = {EPOLLIN, {.u32 = kStopSlot}};
    if (epoll_ctl(set_[i], EPOLL_CTL_ADD, round_now->slots[kStopSlot].number, &event) != 0) fail("epoll_ctl: %d", errno);
  }
  for (unsigned i = random_.between(3, 10); i > 0; --i) add_set_slot();
}

void Play::give_arrays(Consumer& consumer, unsigned shared_first, unsigned shared_count) {
  consumer.role = Role::arrays;
  consumer.slots[consumer.slot_count++] = kStopSlot;
  for (unsigned i = random_.between(4, 20); i > 0; --i) consumer.slots[consumer.slot_count++] = add_slot(kKinds);
  for (unsigned i = 0; i < shared_count; ++i) consumer.slots[consumer.slot_count++] = shared_first + i;
  for (Array& array : consumer.arrays) {
    array.selects = random_.one_in(3);
    make_array(consumer, array, &array == &consumer.arrays[0]);
  }
}

void Play::give_blocking(Consumer& consumer) {
  consumer.role = Role::blocking;
  unsigned index = add_slot(kWithEnd);
  Slot& slot = round_now->slots[index];
  slot.shared = true;
  fcntl(slot.number, F_SETFL, O_RDWR);
  consumer.slots[consumer.slot_count++] = index;
}

Play::Play(uint64_t seed, bool native) : random_(seed) {
  void* memory = mmap(nullptr, sizeof(Round), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  consumers_ = static_cast<Consumer*>(calloc(kConsumers, sizeof(Consumer)));
  if (memory == MAP_FAILED || consumers_ == nullptr) end_player(1);
  round_now = new (memory) Round;
  Round& round = *round_now;
  round.native = native;
  round.producers = random_.between(1, kProducers);
  for (unsigned i = 0; i < round.producers; ++i) producer_[i] = {Random(random_.below(1u << 30)), i};
  count_ = random_.between(1, kConsumers);
  cancels_ = !native && random_.one_in(2);
  signals_ = random_.one_in(2);

  round.channel_count = round.slot_count = 1;  // the stop slot's
  round.channels[0].retired = true;
  round.slots[kStopSlot].number = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  unsigned shared_first = round.slot_count;
  unsigned shared_count = random_.one_in(3) ? 0 : random_.between(1, 4);
  unsigned churned = random_.one_in(2) ? random_.below(shared_count + 1) : 0;
  for (unsigned i = 0; i < shared_count; ++i) {
    Slot& slot = round.slots[add_slot(i < churned ? kWithTokens : kKinds)];
    slot.shared = true;
    slot.foreign = i < churned;
  }
  churner_ = {Random(random_.below(1u << 30)), shared_first, churned, random_.one_in(3)};
  unsigned in_sets = 0;
  for (unsigned i = 0; i < count_; ++i) {
    Consumer& consumer = consumers_[i];
    consumer.random = Random(random_.below(1u << 30));
    consumer.index = i;
    // The shared slots need one that looks at them.
    unsigned what = i == 0 ? 0 : random_.below(6);
    if (what < 4) give_arrays(consumer, shared_first, shared_count);
    if (what == 4) consumer.role = Role::set, ++in_sets;
    if (what == 5) give_blocking(consumer);
  }
  if (in_sets == 0) return;
  sets_ = in_sets < kMostSets ? 1 : random_.between(1, kMostSets);
  plan_sets();
  unsigned at = 0;
  for (unsigned i = 0; i < count_; ++i)
    if (consumers_[i].role == Role::set) consumers_[i].set = set_[at++ % sets_];
}

Play::~Play() {
  Round& round = *round_now;
  for (unsigned i = 0; i < round.slot_count; ++i)
    if (!round.slots[i].closed) close(round.slots[i].number);
  for (unsigned i = 0; i < sets_; ++i) close(set_[i]);
  munmap(round_now, sizeof(Round));
  free(consumers_);
}

// The thread has ended, by itself or cancelled: unless it saw the end of the round, another takes its place.
void Play::continue_by_another(Consumer& consumer) {
  void* result;
  pthread_join(consumer.thread, &result);
  consumer.thread = 0;
  if (result != &consumer) start(consumer);
}

void Play::disturb(Consumer& consumer) {
  if (consumer.thread == 0) return;
  if (!consumer.running) return continue_by_another(consumer);
  if (signals_ && random_.one_in(3)) {
    ++figures->signals;
    pthread_kill(consumer.thread, random_.one_in(2) ? SIGUSR1 : SIGUSR2);
  }
  if (cancels_ && random_.one_in(8)) {
    ++figures->cancels;
    pthread_cancel(consumer.thread);
    int64_t began = now_ns();
    while (consumer.running) {
      pause_us(50);
      if (now_ns() - began > 5 * kHangNs) {
        fail("a cancelled thread does not end: thread %u, role %u, in %s", consumer.index,
             static_cast<unsigned>(consumer.role), consumer.watched.since_ns == 0 ? "no wait" : consumer.watched.call);
        end_player(1);
      }
    }
    continue_by_another(consumer);
  }
}

bool Play::is_all_there() const {
  for (unsigned i = 1; i < round_now->channel_count; ++i)
    if (round_now->channels[i].produced != round_now->channels[i].consumed) return false;
  return true;
}

// Until everything has arrived, or for as long as a hang takes to be one.
void Play::wait_for_all(unsigned& idle) {
  int64_t began = now_ns();
  while (!is_all_there() && now_ns() - began < kHangNs * 3 / 2) {
    pause_us(300);
    for (unsigned i = 0; i < count_; ++i)
      if (consumers_[i].thread != 0 && !consumers_[i].running) continue_by_another(consumers_[i]);
    if (++idle % 64 == 0 && look_for_hang(consumers_, count_)) end_player(1);
  }
}

void Play::judge() const {
  for (unsigned i = 1; i < round_now->channel_count; ++i) {
    const Channel& channel = round_now->channels[i];
    if (channel.produced == channel.consumed) continue;
    unsigned slot = 0;
    for (unsigned j = 1; j < round_now->slot_count; ++j)
      if (round_now->slots[j].channel == i) slot = j;
    fail("channel %u, kind %u, slot %u (%s), set events %#x: %u written, %u arrived", i, static_cast<unsigned>(channel.kind), slot,
         slot == 0 ? "none any more" : round_now->slots[slot].foreign ? "churned" : "", round_now->slots[slot].set_events,
         channel.produced.load(), channel.consumed.load());
  }
}

void Play::run() {
  Round& round = *round_now;
  pthread_t producers[kProducers], churner;
  bool churns = churner_.count != 0 || churner_.meets_limit;
  for (unsigned i = 0; i < count_; ++i) start(consumers_[i]);
  for (unsigned i = 0; i < round.producers; ++i) pthread_create(&producers[i], nullptr, run_producer, &producer_[i]);
  if (churns) pthread_create(&churner, nullptr, run_churner, &churner_);
  unsigned idle = 0;
  int64_t end = now_ns() + random_.between(60, 400) * 1'000'000ll;
  while (now_ns() < end) {
    pause_us(random_.between(100, 3000));
    disturb(consumers_[random_.below(count_)]);
  }
  round.winding_up = true;
  if (churns) pthread_join(churner, nullptr);
  round.silent = true;
  for (unsigned i = 0; i < round.producers; ++i) pthread_join(producers[i], nullptr);
  wait_for_all(idle);
  judge();
  eventfd_write(round.slots[kStopSlot].number, 1);
  round.stopped = true;
  for (unsigned i = 1; i < round.channel_count; ++i) retire(round.channels[i]);
  int64_t told = now_ns();
  for (unsigned i = 0; i < count_; ++i) {
    while (consumers_[i].thread != 0) {
      if (!consumers_[i].running) {
        continue_by_another(consumers_[i]);
        continue;
      }
      pause_us(100);
      if (++idle % 64 == 0 && look_for_hang(consumers_, count_)) end_player(1);
      if (now_ns() - told > 5 * kHangNs) fail("thread %u does not end", i), end_player(1);
    }
  }
}

}  // namespace

void run_round(uint64_t seed, bool native) {
  round_seed = seed;
  Play play(seed, native);
  play.run();
  ++figures->rounds;
}

}  // namespace crowd
