// The table of descriptor numbers: who notes what, and that nothing is noted of what nobody holds.
#include "process/fd_table.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <climits>
#include <thread>
#include <vector>

#include "process/vfork.hpp"

namespace kev::process {
namespace {

class FdTableTest : public ::testing::Test {
 protected:
  FdTableTest() {
    EXPECT_TRUE(map_fd_table());
    clear_fd_table();
  }
  static std::uint32_t generation(int fd) { return fd_slot(fd)->generation.load(); }
  static std::uint32_t holders(int fd) { return fd_marks(fd) & kHolders; }
};

TEST_F(FdTableTest, IsMappedOnce) {
  FdSlot* table = fd_table.load();
  EXPECT_TRUE(map_fd_table());
  EXPECT_EQ(table, fd_table.load());
  EXPECT_EQ(kTableDescriptors, fd_table_size.load());
}

TEST_F(FdTableTest, KnowsNumbersUpToItsSize) {
  EXPECT_NE(nullptr, fd_slot(0));
  EXPECT_NE(nullptr, fd_slot(static_cast<int>(kTableDescriptors) - 1));
  for (int fd : {-1, INT_MIN, static_cast<int>(kTableDescriptors), INT_MAX}) {
    EXPECT_EQ(nullptr, fd_slot(fd));
    EXPECT_EQ(0u, fd_marks(fd));
    EXPECT_FALSE(is_private(fd));
    EXPECT_EQ(nullptr, hold_fd(fd));
    release_fd(fd);
    fd_changed(fd);
    fd_shared(fd);
  }
}

TEST_F(FdTableTest, CountsHolders) {
  EXPECT_EQ(fd_slot(5), hold_fd(5));
  hold_fd(5);
  EXPECT_EQ(2u, holders(5));
  EXPECT_EQ(0u, holders(6));
  release_fd(5);
  release_fd(5);
  release_fd(5);  // one too many, as after a fork in between
  EXPECT_EQ(0u, holders(5));
}

TEST_F(FdTableTest, NotesChangesOfHeldNumbersOnly) {
  std::uint32_t changes = held_fd_changes;
  fd_changed(5);
  EXPECT_EQ(changes, held_fd_changes);
  EXPECT_EQ(0u, generation(5));
  hold_fd(5);
  fd_changed(5);
  EXPECT_EQ(changes + 1, held_fd_changes);
  EXPECT_EQ(1u, generation(5));
  release_fd(5);
  fd_changed(5);
  EXPECT_EQ(changes + 1, held_fd_changes);
}

TEST_F(FdTableTest, RemembersWhichLowNumbersWereEverMarked) {
  EXPECT_FALSE(is_marked(5));
  EXPECT_FALSE(is_marked(5000));
  hold_fd(5);
  hold_fd(5000);
  EXPECT_TRUE(is_marked(5));
  EXPECT_FALSE(is_marked(4));
  EXPECT_TRUE(is_marked(5000));
  release_fd(5);
  release_fd(5000);
  EXPECT_TRUE(is_marked(5));
  EXPECT_FALSE(is_marked(5000));
  EXPECT_FALSE(is_marked(-1));
  clear_fd_table();
  EXPECT_FALSE(is_marked(5));
}

TEST_F(FdTableTest, NotesRangesWithinWhatWasEverHeld) {
  for (int fd : {3, 5, 700}) hold_fd(fd);
  fd_range_changed(4, 699);
  EXPECT_EQ(0u, generation(3));
  EXPECT_EQ(1u, generation(5));
  EXPECT_EQ(0u, generation(700));
  fd_range_changed(0, UINT_MAX);
  fd_range_changed(700, 700);
  fd_range_changed(9, 8);
  EXPECT_EQ(1u, generation(3));
  EXPECT_EQ(2u, generation(5));
  EXPECT_EQ(2u, generation(700));
}

TEST_F(FdTableTest, NotesSharingOfHeldNumbersOnly) {
  fd_shared(5);
  EXPECT_EQ(0u, fd_marks(5) & kShared);
  hold_fd(5);
  fd_shared(5);
  EXPECT_NE(0u, fd_marks(5) & kShared);
  EXPECT_EQ(1u, holders(5));
}

TEST_F(FdTableTest, NotesNothingInAChildOfVfork) {
  hold_fd(5);
  std::uint32_t changes = held_fd_changes;
  kev_vfork_depth = 1;
  fd_changed(5);
  fd_range_changed(0, UINT_MAX);
  fd_shared(5);
  kev_vfork_depth = 0;
  EXPECT_EQ(changes, held_fd_changes);
  EXPECT_EQ(0u, fd_marks(5) & kShared);
}

TEST_F(FdTableTest, ForgetsEverythingWhenItIsCleared) {
  hold_fd(5);
  note_marked(6);
  fd_slot(6)->marks = kPrivate;
  EXPECT_TRUE(is_private(6));
  clear_fd_table();
  EXPECT_EQ(0u, fd_marks(5));
  EXPECT_FALSE(is_private(6));
}

TEST_F(FdTableTest, LosesNoNoteOfManyThreads) {
  constexpr int kThreads = 3, kRounds = 20'000;
  std::uint32_t changes = held_fd_changes;
  std::atomic<int> seen{0};
  hold_fd(5);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        hold_fd(5);
        if (holders(5) >= 2) seen.fetch_add(1);
        fd_changed(5);
        release_fd(5);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(kThreads * kRounds, seen);
  EXPECT_EQ(changes + kThreads * kRounds, held_fd_changes);
  EXPECT_EQ(static_cast<std::uint32_t>(kThreads * kRounds), generation(5));
  EXPECT_EQ(1u, holders(5));
}

}  // namespace
}  // namespace kev::process
