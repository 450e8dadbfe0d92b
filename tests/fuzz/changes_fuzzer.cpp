// Changes, posts, waits and claims drawn from bytes, on one queue with a small ring.
//
// What must hold: nothing crashes; what was deleted is delivered no more; of a registration that stays, each post that
// was accepted is delivered once and in order (given back or not); the queue's own count is ours; and it can be
// destroyed when no claim stands.
#include <kev/kev.h>

#include <cerrno>
#include <ctime>
#include <map>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vector>

#include "input.hpp"
#include "queue/queue.hpp"

namespace {

constexpr uint64_t kIdents = 4;

struct Posts {
  bool plain = false;  // each post is one event
  int64_t accepted = 0, next = 0;
};

class World {
 public:
  explicit World(fuzz::Input& input) : input_(input) {
    static constexpr uint32_t kForms[] = {0, KEV_Q_SINGLE, KEV_Q_SINGLE | KEV_Q_URING};
    kev_attr attr = {kForms[input.byte() % 3], 2u << input.byte() % 3, {0, 0}};
    HOLDS(kev_create(&queue_, &attr, sizeof attr) == 0);
    queue_->ring_after = 1;
    queue_->ring_takes_all = true;
    for (int& fd : fds_) fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (input.byte() % 4 == 0) HOLDS(kev_fd(queue_) >= 0);
  }
  ~World() {
    for (kev_claim& claim : claims_) HOLDS(kev_unclaim(queue_, &claim, 0) == 0);
    for (int i = 0; i < 100 && wait(64) > 0; ++i) {
    }
    for (auto& [udata, posts] : posts_)
      if (posts.plain) HOLDS(posts.next == posts.accepted);
    HOLDS(kev_destroy(queue_) == 0);
    for (int fd : fds_) close(fd);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void step() {
    switch (input_.byte() % 8) {
      case 0: return change();
      case 1: return sane_change();
      case 2: case 3: return post();
      case 4: wait(input_.byte() % 5 + 1); return;
      case 5: return claim();
      case 6: return give_back();
      default: {
        uint64_t one = 1;
        int fd = fds_[input_.byte() % 2];
        if (input_.byte() % 2 == 0) HOLDS(write(fd, &one, sizeof one) == sizeof one);
        else if (read(fd, &one, sizeof one) < 0) HOLDS(errno == EAGAIN);
      }
    }
  }

 private:
  // Anything at all, but for what would touch memory or processes that are not ours.
  void change() {
    kev_change one = {};
    one.source = input_.byte() % 9;
    one.op = input_.byte() % 8;
    one.ident = input_.byte() % 2 == 0 ? input_.byte() % kIdents + 100 : static_cast<uint64_t>(input_.word());
    if (one.source == KEV_SOURCE_FD) one.ident = input_.byte() % 2 == 0 ? fds_[0] : 100'000 + input_.byte();
    if (one.source == KEV_SOURCE_FUTEX) one.ident = reinterpret_cast<uint64_t>(&word_) + input_.byte() % 2;
    if (one.source == KEV_SOURCE_PROCESS) one.ident = 100'000;
    one.flags = 1u << input_.byte() % 12 | 1u << input_.byte() % 12;
    one.what = input_.byte();
    for (uint64_t& arg : one.arg) arg = input_.byte() % 4 == 0 ? input_.word() : 0;
    if (one.source == KEV_SOURCE_USER && (one.op == KEV_ADD || one.op == KEV_MOD || one.op == KEV_TRIGGER)) return;
    apply(one);
  }
  void sane_change() {
    static constexpr uint32_t kFlags[] = {0, 0, KEV_ONESHOT, KEV_DISPATCH, KEV_COALESCE, KEV_NOTIFY_DELETE, KEV_WAKE_ALL, KEV_EDGE};
    kev_change one = {};
    one.source = input_.byte() % 3 + 1;
    static constexpr uint8_t kOps[] = {KEV_ADD, KEV_ADD, KEV_ENABLE, KEV_DISABLE, KEV_DELETE};
    one.op = kOps[input_.byte() % 5];
    one.ident = input_.byte() % kIdents;
    if (one.source == KEV_SOURCE_FD) one.ident = fds_[one.ident % 2];
    if (one.op == KEV_ADD) {
      uint32_t flags = kFlags[input_.byte() % 8];
      uint32_t source = flags == KEV_COALESCE ? KEV_SOURCE_USER : flags == KEV_EDGE ? KEV_SOURCE_FD : one.source;
      if (source == one.source) one.flags = flags;
      one.udata = ++last_udata_;
      if (one.source == KEV_SOURCE_FD) one.what = KEV_IN;
      if (one.source == KEV_SOURCE_TIMER) one.arg[0] = input_.byte(), one.arg[2] = CLOCK_MONOTONIC;
    }
    apply(one);
  }
  void apply(kev_change& one) {
    bool failed = kev_submit(queue_, &one, 1) == 1;
    HOLDS(failed == (one.result < 0));
    if (failed || one.source != KEV_SOURCE_USER) return;
    if (one.op == KEV_ADD) {
      live_[one.ident] = one.udata;
      posts_[one.udata].plain = (one.flags & (KEV_ONESHOT | KEV_COALESCE)) == 0;
    } else if (one.op == KEV_DELETE) {
      posts_[live_[one.ident]].plain = false;
      deleted_[live_[one.ident]] = true;
      live_.erase(one.ident);
    }
  }
  void post() {
    uint64_t ident = input_.byte() % kIdents;
    auto live = live_.find(ident);
    if (live == live_.end()) {
      HOLDS(kev_post(queue_, ident, 1, nullptr) == -ENOENT);
      return;
    }
    Posts& posts = posts_[live->second];
    int result = kev_post(queue_, ident, posts.plain ? posts.accepted : 1, nullptr);
    HOLDS(result == 0 || result == -EAGAIN);
    if (result == 0) ++posts.accepted;
  }
  // One that is seen; `done`: and committed.
  void see(const kev_event& event, bool done) {
    if (event.source != KEV_SOURCE_USER || (event.flags & KEV_E_DELETED) != 0) return;
    HOLDS(!deleted_[event.udata]);
    Posts& posts = posts_[event.udata];
    if (done && posts.plain) {
      HOLDS(in_flight_ != 0 || event.result == posts.next);
      ++posts.next;
    }
    if (done && (event.flags & KEV_E_LAST) != 0) live_.erase(event.ident);
  }
  int wait(unsigned max) {
    kev_event events[64];
    int count = kev_wait(queue_, events, 0, max, nullptr, nullptr);
    HOLDS(count >= 0 && count <= static_cast<int>(max));
    for (int i = 0; i < count; ++i) see(events[i], true);
    return count;
  }
  void claim() {
    kev_claim claim;
    int count = kev_claim_events(queue_, input_.byte() % 4 + 1, &claim);
    HOLDS(count >= 0 && static_cast<unsigned>(count) == claim.count);
    if (count == 0) return;
    for (unsigned i = 0; i < claim.count; ++i) see(claim.events[i], false);
    claims_.push_back(claim);
    in_flight_ = 1;  // from here on their order is nobody's business
  }
  void give_back() {
    if (claims_.empty()) return;
    size_t which = input_.byte() % claims_.size();
    kev_claim claim = claims_[which];
    claims_.erase(claims_.begin() + static_cast<long>(which));
    unsigned from = input_.byte() % (claim.count + 1);
    for (unsigned i = 0; i < from; ++i) {
      const kev_event event = claim.events[i];
      if (event.source == KEV_SOURCE_USER && (event.flags & KEV_E_DELETED) == 0) {
        if (posts_[event.udata].plain) ++posts_[event.udata].next;
        if ((event.flags & KEV_E_LAST) != 0 && !deleted_[event.udata]) live_.erase(event.ident);
      }
    }
    HOLDS(kev_unclaim(queue_, &claim, from) == 0);
  }

  fuzz::Input& input_;
  kev_queue* queue_ = nullptr;
  int fds_[2];
  alignas(4) uint32_t word_ = 0;
  uint64_t last_udata_ = 0;
  int in_flight_ = 0;
  std::map<uint64_t, uint64_t> live_;
  std::map<uint64_t, Posts> posts_;
  std::map<uint64_t, bool> deleted_;
  std::vector<kev_claim> claims_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  World world(input);
  while (!input.is_empty()) world.step();
  return 0;
}
