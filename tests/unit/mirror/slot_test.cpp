// What is remembered of an array: promotion, penalties, and which slot goes for a new one.
#include "mirror/slot.hpp"

#include <gtest/gtest.h>

namespace kev::mirror {
namespace {

using stats::Fallback;

class SlotTest : public ::testing::Test {
 protected:
  SlotTest() {
    tuning.promote_after = 2;
    bypass = {};
  }
  ~SlotTest() override { tuning = {}; }

  // How many calls in a row stay in the kernel, with those that are not even looked at.
  unsigned calls_in_kernel() {
    unsigned calls = 0;
    while (bypass.covers(slot.key.address[0]) || slot.stays_in_kernel(reason)) ++calls;
    return calls;
  }
  Key key(int i) { return {{&places[i], nullptr, nullptr}}; }

  Slot slot;
  Fallback reason = {};
  char places[300];
};

TEST_F(SlotTest, IsPromotedAfterItsFirstCalls) {
  EXPECT_TRUE(slot.stays_in_kernel(reason));
  EXPECT_EQ(Fallback::first, reason);
  EXPECT_TRUE(slot.stays_in_kernel(reason));
  EXPECT_FALSE(slot.stays_in_kernel(reason));
  EXPECT_FALSE(slot.stays_in_kernel(reason));
}

TEST_F(SlotTest, StaysInTheKernelForLongerEachTime) {
  calls_in_kernel();
  unsigned before = 0;
  for (int i = 0; i < 12; ++i) {
    slot.punish(Fallback::changed);
    unsigned calls = calls_in_kernel();
    EXPECT_EQ(before == 0 ? 16u : before < 8192 ? before * 2 : 8192u, calls);
    EXPECT_EQ(Fallback::changed, reason);
    before = calls;
  }
}

TEST_F(SlotTest, KnowsFromTheCallBeforeAnAttemptWhetherNearlyAllIsReady) {
  EXPECT_TRUE(slot.stays_in_kernel(reason));
  EXPECT_FALSE(slot.is_tried_next());
  EXPECT_TRUE(slot.stays_in_kernel(reason));
  EXPECT_TRUE(slot.is_tried_next());
  for (unsigned found : {100u, 88u, 87u, 100u, 0u}) {
    slot.found = found;
    EXPECT_EQ(found >= 88, slot.was_crowded(100)) << found;
    EXPECT_FALSE(slot.was_crowded(100)) << "it is not known for ever";
  }
  slot.found = 100;
  slot.begin_anew();
  EXPECT_FALSE(slot.was_crowded(100));
  slot.punish(Fallback::costly);
  EXPECT_FALSE(slot.is_tried_next());
}

TEST_F(SlotTest, IsForgivenOnceItHasProvedUseful) {
  calls_in_kernel();
  slot.punish(Fallback::kind);
  slot.punish(Fallback::kind);
  EXPECT_EQ(32u, calls_in_kernel());
  for (int i = 0; i < 63; ++i) slot.reward();
  slot.punish(Fallback::kind);
  EXPECT_EQ(64u, calls_in_kernel());
  for (int i = 0; i < 64; ++i) slot.reward();
  slot.punish(Fallback::kind);
  EXPECT_EQ(16u, calls_in_kernel());
}

TEST_F(SlotTest, CountsOnlyItsOwnCallsAsPassedBy) {
  calls_in_kernel();
  slot.punish(Fallback::kind);
  EXPECT_TRUE(slot.stays_in_kernel(reason));
  EXPECT_FALSE(bypass.covers(places));
  EXPECT_EQ(15u, calls_in_kernel());
  EXPECT_FALSE(bypass.covers(slot.key.address[0]));
}

TEST_F(SlotTest, IsGivenUpWhenItHasCostMoreThanItSaved) {
  tuning.choose_by_cost = true;
  const std::int64_t entry = costs().core_entry_ns;
  EXPECT_TRUE(slot.account(0, 10 * entry, 20));
  EXPECT_TRUE(slot.account(10 * entry, 0, 20));
  EXPECT_FALSE(slot.account(0, 20 * entry, 20));
  tuning.choose_by_cost = false;
  EXPECT_TRUE(slot.account(0, 1000 * entry, 20));
}

TEST_F(SlotTest, SavesNoMoreThanAReserve) {
  tuning.choose_by_cost = true;
  const std::int64_t entry = costs().core_entry_ns;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(slot.account(1000 * entry, 0, 20));
  EXPECT_FALSE(slot.account(0, 200 * entry, 20));
}

TEST_F(SlotTest, IsFoundByItsKey) {
  Slot slots[4];
  bool evicted;
  Slot* first = find_slot(slots, 4, key(1), 1, evicted);
  ASSERT_NE(nullptr, first);
  EXPECT_TRUE(evicted);
  EXPECT_EQ(first, find_slot(slots, 4, key(1), 2, evicted));
  EXPECT_FALSE(evicted);
  EXPECT_EQ(2u, first->used);
  Slot* second = find_slot(slots, 4, Key{{&places[1], &places[2], nullptr}}, 3, evicted);
  EXPECT_NE(first, second);
}

TEST_F(SlotTest, GoesForANewArrayIfItIsTheOneUnusedForLongest) {
  Slot slots[4];
  bool evicted;
  Slot* taken[4];
  for (int i = 0; i < 4; ++i) taken[i] = find_slot(slots, 4, key(i), static_cast<std::uint64_t>(i) + 1, evicted);
  find_slot(slots, 4, key(0), 5, evicted);
  Slot* next = find_slot(slots, 4, key(9), 6, evicted);
  EXPECT_EQ(taken[1], next);
  EXPECT_TRUE(evicted);
  EXPECT_EQ(0u, next->seen);
  EXPECT_EQ(key(9), next->key);
}

TEST_F(SlotTest, DoesNotGoForANewArrayWhileItIsInUse) {
  Slot slots[2];
  bool evicted;
  for (int i = 0; i < 2; ++i) find_slot(slots, 2, key(i), 1, evicted)->useful = 1;
  EXPECT_EQ(nullptr, find_slot(slots, 2, key(9), 60, evicted));
  EXPECT_FALSE(evicted);
  EXPECT_NE(nullptr, find_slot(slots, 2, key(9), 1 + 64, evicted));
  EXPECT_TRUE(evicted);
}

// Arrays that move as they grow are seen often enough, and are of no use.
TEST_F(SlotTest, GoesForANewArrayOnceTheOthersWereOfNoUse) {
  Slot slots[2];
  bool evicted;
  for (int i = 0; i < 2; ++i) find_slot(slots, 2, key(i), 1, evicted)->seen = tuning.promote_after;
  EXPECT_NE(nullptr, find_slot(slots, 2, key(9), 2, evicted));
  EXPECT_TRUE(evicted);
}

TEST_F(SlotTest, AsksTheKernelAboutPagesThatItHasNotSeen) {
  slot.key.address[0] = reinterpret_cast<const void*>(std::uintptr_t{4096 * 16});
  EXPECT_FALSE(slot.is_proven(8));
  EXPECT_TRUE(slot.is_proven(8));
  EXPECT_FALSE(slot.grew);
  EXPECT_TRUE(slot.is_proven(4096));
  EXPECT_TRUE(slot.grew);
  EXPECT_FALSE(slot.is_proven(4097));
  EXPECT_TRUE(slot.is_proven(8192));
  slot.begin_anew();
  EXPECT_FALSE(slot.is_proven(8));
}

}  // namespace
}  // namespace kev::mirror
