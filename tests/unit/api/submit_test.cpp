// Changes and their results: kev_submit(3).
#include <kev/kev.h>

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <array>

#include "support/native_queue.hpp"

namespace {

using namespace native;

class SubmitTest : public FormTest {};
KEV_FORMS(SubmitTest);

kev_change change_of(std::uint8_t op, std::uint16_t source, std::uint64_t ident) {
  kev_change change = {};
  change.op = op;
  change.source = source;
  change.ident = ident;
  return change;
}

TEST_P(SubmitTest, TriesAllAndTellsWhichFailed) {
  std::array<kev_change, 4> changes = {
      change_of(KEV_ADD, KEV_SOURCE_USER, 1), change_of(KEV_ADD, KEV_SOURCE_USER, 1),
      change_of(KEV_DELETE, KEV_SOURCE_USER, 2), change_of(KEV_TRIGGER, KEV_SOURCE_USER, 1)};
  changes[3].arg[0] = 5;
  changes[3].arg[3] = 8;
  EXPECT_EQ(2, kev_submit(q, changes.data(), 4));
  EXPECT_EQ(0, changes[0].result);
  EXPECT_EQ(-EEXIST, changes[1].result);
  EXPECT_EQ(-ENOENT, changes[2].result);
  EXPECT_EQ(0, changes[3].result);
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(5, events[0].result);
  EXPECT_EQ(8u, events[0].data[2]);
}

TEST_P(SubmitTest, RefusesNoChanges) {
  EXPECT_EQ(-EINVAL, kev_submit(q, nullptr, 1));
  EXPECT_EQ(0, kev_submit(q, nullptr, 0));
}

TEST_P(SubmitTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(-EINVAL, queue.change(KEV_ADD, 0, 1));
  EXPECT_EQ(-EINVAL, queue.change(KEV_ADD, 7, 1));
  EXPECT_EQ(-EINVAL, queue.change(KEV_ADD, 65535, 1));
  EXPECT_EQ(-EINVAL, queue.change(0, KEV_SOURCE_USER, 1));
  EXPECT_EQ(-EINVAL, queue.change(7, KEV_SOURCE_USER, 1));
  EXPECT_EQ(-EINVAL, queue.change(KEV_ADD, KEV_SOURCE_USER, 1, KEV_EDGE));
  EXPECT_EQ(-EINVAL, queue.change(KEV_ADD, KEV_SOURCE_USER, 1, 1u << 31));
  EXPECT_EQ(-EINVAL, queue.change(KEV_ADD, KEV_SOURCE_USER, 1, 0, KEV_IN));
  Descriptor event = make_event();
  EXPECT_EQ(-EINVAL, queue.change(KEV_ADD, KEV_SOURCE_FD, static_cast<std::uint64_t>(event.get()), 0, 1u << 31));
  for (int field = 0; field < 4; ++field) {
    kev_change change = change_of(KEV_ADD, KEV_SOURCE_USER, 1);
    change.arg[field] = 1;
    EXPECT_EQ(1, kev_submit(q, &change, 1));
    EXPECT_EQ(-EINVAL, change.result);
  }
  kev_change change = change_of(KEV_ADD, KEV_SOURCE_USER, 1);
  change.reserved = 1;
  EXPECT_EQ(1, kev_submit(q, &change, 1));
  EXPECT_EQ(-EINVAL, change.result);
  EXPECT_EQ(0u, queue.info().registrations);
}

TEST_P(SubmitTest, RefusesWhatIsNotRegistered) {
  for (unsigned op : {KEV_MOD, KEV_ENABLE, KEV_DISABLE, KEV_DELETE, KEV_TRIGGER})
    EXPECT_EQ(-ENOENT, queue.change(static_cast<std::uint8_t>(op), KEV_SOURCE_USER, 1)) << op;
}

TEST_P(SubmitTest, RefusesDescriptorsThatCannotBeWatched) {
  EXPECT_EQ(-EBADF, kev_add_fd(q, -1, KEV_IN, 0, 0));
  EXPECT_EQ(-EBADF, kev_add_fd(q, 1'000'000, KEV_IN, 0, 0));
  Descriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(-EPERM, kev_add_fd(q, file.get(), KEV_IN, 0, 0));
  EXPECT_EQ(-EBADF, kev_add_process(q, -1, 0, 0));
  EXPECT_LT(kev_add_process(q, file.get(), 0, 0), 0);
  EXPECT_EQ(0u, queue.info().registrations);
}

TEST_P(SubmitTest, RefusesSignalsThatCannotBeWaitedFor) {
  for (int signal : {0, -1, SIGKILL, SIGSTOP, 32, 33, 65, 1000}) EXPECT_EQ(-EINVAL, kev_add_signal(q, signal, 0, 0));
}

TEST_P(SubmitTest, RefusesTimersThatAreNone) {
  kev_deadline first = from_now(1);
  first.clock = 99;
  EXPECT_EQ(-EINVAL, kev_add_timer(q, 1, &first, 0, 0, 0));
  first = {1, 0, CLOCK_MONOTONIC, KEV_END_ON_CLOCK_SET};
  EXPECT_EQ(-EINVAL, kev_add_timer(q, 1, &first, 0, 0, 0));
  first = {-1, 0, CLOCK_MONOTONIC, KEV_ABS};
  EXPECT_EQ(-EINVAL, kev_add_timer(q, 1, &first, 0, 0, 0));
  first = from_now(1);
  EXPECT_EQ(-EINVAL, kev_add_timer(q, 1, &first, ~0ull, 0, 0));
}

TEST_P(SubmitTest, RefusesFutexesThatAreNone) {
  alignas(8) std::uint32_t words[2] = {};
  EXPECT_EQ(-EINVAL, kev_add_futex(q, reinterpret_cast<std::uint32_t*>(reinterpret_cast<char*>(words) + 1), 0, 0, 0));
  EXPECT_EQ(-EFAULT, kev_add_futex(q, reinterpret_cast<std::uint32_t*>(16), 0, 0, 0));
}

TEST_P(SubmitTest, NothingOfADeletedRegistrationIsDelivered) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(0, kev_post(q, 1, i, nullptr));
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_USER, 1));
  EXPECT_EQ(-ENOENT, kev_post(q, 1, 0, nullptr));
  EXPECT_EQ(0u, queue.wait().size());
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 9));
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_EQ(0, kev_post(q, 1, 5, nullptr));
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(9u, events[0].udata);
}

TEST_P(SubmitTest, TellsWhenADeletedRegistrationIsNoLongerHeld) {
  ASSERT_EQ(0, kev_add_user(q, 1, KEV_NOTIFY_DELETE, 77));
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  kev_claim claim;
  ASSERT_EQ(1, kev_claim_events(q, 1, &claim));
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_USER, 1));
  EXPECT_EQ(0u, queue.wait().size()) << "one is claimed still";
  EXPECT_EQ(0, kev_commit(q, &claim));
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(KEV_E_DELETED | KEV_E_LAST, events[0].flags);
  EXPECT_EQ(77u, events[0].udata);
  EXPECT_EQ(1u, events[0].ident);
  EXPECT_EQ(KEV_SOURCE_USER, events[0].source);
  EXPECT_EQ(0u, queue.wait().size());
}

TEST_P(SubmitTest, HoldsManyRegistrations) {
  constexpr unsigned kMany = 5000;
  for (unsigned i = 0; i < kMany; ++i) ASSERT_EQ(0, kev_add_user(q, i * 4096ull, 0, i));
  EXPECT_EQ(kMany, queue.info().registrations);
  for (unsigned i = 0; i < kMany; i += 2) ASSERT_EQ(0, kev_delete(q, KEV_SOURCE_USER, i * 4096ull));
  for (unsigned i = 0; i < kMany; ++i) {
    ASSERT_EQ(i % 2 == 0 ? -ENOENT : 0, kev_post(q, i * 4096ull, i, nullptr));
    if (i % 2 == 0) continue;
    auto events = queue.wait();
    ASSERT_EQ(1u, events.size());
    ASSERT_EQ(i, events[0].udata);
  }
}

TEST_P(SubmitTest, ClosesADescriptorThatItDeletes) {
  Descriptor event = make_event(1);
  int fd = event.release();
  ASSERT_EQ(0, kev_add_fd(q, fd, KEV_IN, 0, 0));
  EXPECT_EQ(0, kev_close_fd(q, fd));
  EXPECT_EQ(-EBADF, kev_close_fd(q, fd));
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_EQ(-ENOENT, kev_delete(q, KEV_SOURCE_FD, static_cast<std::uint64_t>(fd)));
}

}  // namespace
