// Events taken where they stand: any order, given back, by threads that end; kev_claim_events(3).
#include <kev/kev.h>

#include <gtest/gtest.h>

#include "support/native_queue.hpp"

namespace {

using namespace native;

class ClaimTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(0, kev_add_user(q, 1, 0, 3)); }
  void post(int from, int to) {
    for (int i = from; i < to; ++i) ASSERT_EQ(0, kev_post(q, 1, i, nullptr)) << i;
  }
  std::vector<std::int64_t> results() {
    std::vector<std::int64_t> found;
    for (const kev_event& event : queue.wait()) found.push_back(event.result);
    return found;
  }
  using Results = std::vector<std::int64_t>;

  Queue queue{0, 8};
  kev_queue* q = queue.get();
  kev_claim claim;
};

TEST_F(ClaimTest, RefusesWhatIsNoClaim) {
  EXPECT_EQ(-EINVAL, kev_claim_events(q, 1, nullptr));
  EXPECT_EQ(-EINVAL, kev_claim_events(q, 0, &claim));
  EXPECT_EQ(0, kev_claim_events(q, 1, &claim));
  EXPECT_EQ(-EINVAL, kev_commit(q, &claim));
  EXPECT_EQ(-EINVAL, kev_commit(q, nullptr));
  EXPECT_EQ(-EINVAL, kev_unclaim(q, nullptr, 0));
  EXPECT_EQ(-EINVAL, kev_detail(q, nullptr, 0, nullptr, 0));
  post(0, 2);
  ASSERT_EQ(2, kev_claim_events(q, 8, &claim));
  kev_claim wrong = claim;
  wrong.token += 1;
  EXPECT_EQ(-EINVAL, kev_commit(q, &wrong));
  wrong = claim;
  wrong.count = 1;
  EXPECT_EQ(-EINVAL, kev_commit(q, &wrong));
  EXPECT_EQ(-EINVAL, kev_unclaim(q, &claim, 3));
  kev_claim twice = claim;
  EXPECT_EQ(-ENODATA, kev_detail(q, &claim, 0, nullptr, 0));
  EXPECT_EQ(0, kev_commit(q, &claim));
  EXPECT_EQ(-EINVAL, kev_commit(q, &twice));
}

TEST_F(ClaimTest, GivesTheEventsWhereTheyStand) {
  post(0, 3);
  ASSERT_EQ(3, kev_claim_events(q, 8, &claim));
  EXPECT_EQ(3u, claim.count);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(i, claim.events[i].result);
    EXPECT_EQ(3u, claim.events[i].udata);
  }
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_EQ(0, kev_commit(q, &claim));
}

TEST_F(ClaimTest, FreesItsRoomInAnyOrder) {
  for (int round = 0; round < 20; ++round) {
    kev_claim claims[4];
    post(0, 8);
    EXPECT_EQ(-EAGAIN, kev_post(q, 1, 0, nullptr));
    for (kev_claim& one : claims) ASSERT_EQ(2, kev_claim_events(q, 2, &one));
    for (int i : {2, 0, 3, 1}) EXPECT_EQ(0, kev_commit(q, &claims[i]));
  }
}

TEST_F(ClaimTest, IsOneRunAlsoAtTheEdge) {
  post(0, 5);
  EXPECT_EQ(5u, queue.wait().size());
  post(5, 12);
  ASSERT_EQ(3, kev_claim_events(q, 8, &claim));
  kev_claim rest;
  ASSERT_EQ(4, kev_claim_events(q, 8, &rest));
  EXPECT_EQ(5, claim.events[0].result);
  EXPECT_EQ(8, rest.events[0].result);
  EXPECT_EQ(0, kev_commit(q, &rest));
  EXPECT_EQ(0, kev_commit(q, &claim));
}

TEST_F(ClaimTest, WhatIsGivenBackComesNextAndInOrder) {
  post(0, 6);
  kev_claim other;
  ASSERT_EQ(3, kev_claim_events(q, 3, &claim));
  ASSERT_EQ(2, kev_claim_events(q, 2, &other));
  EXPECT_EQ(0, kev_unclaim(q, &claim, 1));
  EXPECT_EQ((Results{1, 2, 5}), results());
  EXPECT_EQ(0, kev_unclaim(q, &other, 0));
  ASSERT_EQ(1, kev_claim_events(q, 1, &claim));
  EXPECT_EQ(3, claim.events[0].result);
  EXPECT_EQ(0, kev_commit(q, &claim));
  EXPECT_EQ((Results{4}), results());
  EXPECT_EQ(0u, queue.wait().size());
}

TEST_F(ClaimTest, WhatIsGivenBackWakesASleeper) {
  post(0, 1);
  ASSERT_EQ(1, kev_claim_events(q, 1, &claim));
  std::thread waiter([&] { EXPECT_EQ((Results{0}), [&] {
                             Results found;
                             for (const kev_event& event : queue.wait(10 * kSecond)) found.push_back(event.result);
                             return found;
                           }()); });
  wait_until([&] { return queue.info().waiters == 1; });
  EXPECT_EQ(0, kev_unclaim(q, &claim, 0));
  waiter.join();
}

TEST_F(ClaimTest, AThreadThatEndsGivesBackWhatItHolds) {
  post(0, 4);
  std::thread holder([&] {
    kev_claim first, second;
    ASSERT_EQ(1, kev_claim_events(q, 1, &first));
    ASSERT_EQ(2, kev_claim_events(q, 2, &second));
  });
  holder.join();
  EXPECT_EQ((Results{0, 1, 2, 3}), results());
}

TEST_F(ClaimTest, AOneshotThatIsGivenBackIsDeliveredStill) {
  Descriptor event = make_event(1);
  ASSERT_EQ(0, kev_add_fd(q, event.get(), KEV_IN, KEV_ONESHOT, 8));
  EXPECT_EQ(1, kev_sleep(q, kev_index(q), nullptr, nullptr));
  ASSERT_EQ(1, kev_claim_events(q, 1, &claim));
  EXPECT_EQ(0, kev_unclaim(q, &claim, 0));
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(8u, events[0].udata);
  EXPECT_EQ(KEV_IN, events[0].what);
  EXPECT_EQ(KEV_E_LAST, events[0].flags);
  EXPECT_EQ(-ENOENT, kev_delete(q, KEV_SOURCE_FD, static_cast<std::uint64_t>(event.get())));
}

TEST_F(ClaimTest, WhatIsGivenBackAfterDeletionIsDropped) {
  post(0, 2);
  ASSERT_EQ(2, kev_claim_events(q, 2, &claim));
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_USER, 1));
  EXPECT_EQ(0, kev_unclaim(q, &claim, 0));
  EXPECT_EQ(0u, queue.wait().size());
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  post(0, 8);
  EXPECT_EQ(8u, queue.wait().size());
}

TEST_F(ClaimTest, OneOfManyDeletedIsSkipped) {
  ASSERT_EQ(0, kev_add_user(q, 2, 0, 0));
  post(0, 2);
  ASSERT_EQ(0, kev_post(q, 2, 9, nullptr));
  post(2, 4);
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_USER, 2));
  ASSERT_EQ(2, kev_claim_events(q, 8, &claim));
  EXPECT_EQ(0, kev_commit(q, &claim));
  EXPECT_EQ((Results{2, 3}), results());
}

}  // namespace
