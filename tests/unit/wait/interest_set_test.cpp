// The interest set against a map that does the same.
#include "wait/interest_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>
#include <vector>

namespace kev::wait {
namespace {

class Table {
 public:
  explicit Table(std::uint32_t interests) : slots(InterestSet::slots_for(interests)) {
    set.attach(slots.data(), static_cast<std::uint32_t>(slots.size()));
  }
  std::vector<Interest> slots;
  InterestSet set;
};

TEST(InterestSetTest, MakesRoomForWhatItIsAskedFor) {
  for (std::uint32_t interests : {1u, 12u, 13u, 48u, 49u, 1000u, 131072u}) {
    std::uint32_t slots = InterestSet::slots_for(interests);
    EXPECT_LE(interests, slots - slots / 4);
    EXPECT_GE(interests + interests / 2 + 4, slots);
  }
}

TEST(InterestSetTest, FindsWhatWasInsertedAndNothingElse) {
  Table table(12);
  Interest* five = table.set.insert(5);
  EXPECT_EQ(5, five->fd);
  EXPECT_EQ(0u, five->place | five->generation | five->first);
  EXPECT_EQ(five, table.set.find(5));
  EXPECT_EQ(nullptr, table.set.find(6));
  EXPECT_EQ(1u, table.set.size());
  table.set.erase(five);
  EXPECT_EQ(nullptr, table.set.find(5));
  EXPECT_EQ(0u, table.set.size());
}

TEST(InterestSetTest, KnowsTheLargestNumber) {
  Table table(12);
  table.set.insert(INT32_MAX);
  table.set.insert(0);
  EXPECT_NE(nullptr, table.set.find(INT32_MAX));
  EXPECT_NE(nullptr, table.set.find(0));
}

TEST(InterestSetTest, IsEmptyAfterClear) {
  Table table(12);
  for (int fd = 0; fd < 12; ++fd) table.set.insert(fd);
  table.set.clear();
  EXPECT_EQ(0u, table.set.size());
  for (int fd = 0; fd < 12; ++fd) EXPECT_EQ(nullptr, table.set.find(fd));
}

// The numbers whose home is the same slot of a table of 16: they stand in one run, which goes round the edge.
std::vector<int> neighbours(std::size_t count) {
  std::vector<int> found;
  std::vector<Interest> slots(16);
  for (int fd = 0; found.size() < count; ++fd) {
    InterestSet set;
    set.attach(slots.data(), 16);
    if (set.insert(fd) == &slots[14]) found.push_back(fd);
  }
  return found;
}

TEST(InterestSetTest, ClosesTheGapThatADeletionLeavesInARun) {
  const std::vector<int> run = neighbours(6);
  for (std::size_t gone = 0; gone < run.size(); ++gone) {
    Table table(12);
    for (std::size_t i = 0; i < run.size(); ++i) table.set.insert(run[i])->place = static_cast<std::uint32_t>(i);
    table.set.erase(table.set.find(run[gone]));
    for (std::size_t i = 0; i < run.size(); ++i) {
      Interest* found = table.set.find(run[i]);
      ASSERT_EQ(i == gone, found == nullptr) << "after the deletion of " << gone << ", " << i;
      if (found != nullptr) {
        EXPECT_EQ(i, found->place);
      }
    }
  }
}

TEST(InterestSetTest, DoesAsAMapDoes) {
  std::mt19937 random(42);
  for (std::uint32_t room : {12u, 48u, 96u}) {
    Table table(room);
    std::unordered_map<int, std::uint32_t> map;
    for (int step = 0; step < 60'000; ++step) {
      int fd = static_cast<int>(random() % (room * 2)) * (step % 3 == 0 ? 1 : 64);
      Interest* found = table.set.find(fd);
      auto expected = map.find(fd);
      ASSERT_EQ(expected != map.end(), found != nullptr);
      if (found != nullptr) {
        ASSERT_EQ(fd, found->fd);
        ASSERT_EQ(expected->second, found->place);
        if (random() % 2 != 0) {
          table.set.erase(found);
          map.erase(expected);
        }
      } else if (map.size() < room) {
        map[fd] = table.set.insert(fd)->place = static_cast<std::uint32_t>(step);
      }
      ASSERT_EQ(map.size(), table.set.size());
      if (step % 500 != 0) continue;
      std::unordered_map<int, std::uint32_t> seen;
      table.set.for_each([&](const Interest& interest) { seen[interest.fd] = interest.place; });
      ASSERT_EQ(map, seen);
      for (const auto& [number, events] : map) ASSERT_NE(nullptr, table.set.find(number));
    }
  }
}

TEST(InterestSetTest, ErasesThoseForWhichAQuestionHolds) {
  Table table(64);
  for (int fd = 0; fd < 40; ++fd) table.set.insert(fd)->place = static_cast<std::uint32_t>(fd % 3);
  std::vector<int> last;
  table.set.erase_if([](const Interest& interest) { return interest.place == 1; },
                     [&](const Interest& interest) { last.push_back(interest.fd); });
  EXPECT_EQ(13u, last.size());
  EXPECT_EQ(27u, table.set.size());
  for (int fd = 0; fd < 40; ++fd) EXPECT_EQ(fd % 3 != 1, table.set.find(fd) != nullptr) << fd;
}

}  // namespace
}  // namespace kev::wait
