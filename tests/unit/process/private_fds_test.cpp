// Where our own descriptors stand: near the top of the table's present size, closed on exec, out of the program's way.
//
// The table of descriptors only grows, so that each case runs in a child with a table of its own.
#include "process/private_fds.hpp"

#include <gtest/gtest.h>

#include <climits>

#include "process/fd_table.hpp"
#include "process/status.hpp"
#include "support/child.hpp"
#include "support/descriptor.hpp"
#include "support/open_descriptors.hpp"

namespace kev::process {
namespace {

using namespace conformance;

template <typename Body>
void in_child(Body body) {
  EXPECT_EQ(0, run_in_child([&] {
    REQUIRE_IN_CHILD(map_fd_table());
    clear_fd_table();
    forget_private();
    body();
  }));
}

constexpr int kWindow = 48;  // no further from the end than this

int fresh() { return ::eventfd(0, EFD_CLOEXEC); }

TEST(PrivateFdsTest, StandNearTheTopOfASmallTable) {
  in_child([] {
    const int size = static_cast<int>(status_number("FDSize:"));
    const int fd = adopt_private(fresh());
    REQUIRE_IN_CHILD(fd >= size - kWindow && fd < size);
    REQUIRE_IN_CHILD(::fcntl(fd, F_GETFD) == FD_CLOEXEC);
    REQUIRE_IN_CHILD(is_private(fd));
    REQUIRE_IN_CHILD(private_count == 1);
    REQUIRE_IN_CHILD(private_guard < fd);
    REQUIRE_IN_CHILD(table_size() == size && table_size_now() == size);
  });
}

TEST(PrivateFdsTest, LeaveTheLowestNumbersToTheProgram) {
  in_child([] {
    const int before = fresh();
    ::close(before);
    for (int i = 0; i < 10; ++i) REQUIRE_IN_CHILD(adopt_private(fresh()) >= 0);
    REQUIRE_IN_CHILD(fresh() == before);
  });
}

TEST(PrivateFdsTest, DoNotMakeTheTableGrow) {
  for (int highest : {0, 300, 600, 900}) {
    in_child([=] {
      if (highest != 0 && ::dup2(fresh(), highest) < 0) return;  // the limit is lower
      const int size = static_cast<int>(status_number("FDSize:"));
      for (int i = 0; i < 8; ++i) {
        const int fd = adopt_private(fresh());
        REQUIRE_IN_CHILD(fd >= size - 2 * kWindow && fd < size);
      }
      REQUIRE_IN_CHILD(static_cast<int>(status_number("FDSize:")) == size);
    });
  }
}

TEST(PrivateFdsTest, MoveUpWhenTheProgramComesNear) {
  in_child([] {
    const int size = static_cast<int>(status_number("FDSize:"));
    const int fd = adopt_private(fresh());
    program_uses(fd - 4);
    discard_private(fd);
    REQUIRE_IN_CHILD(private_count == 0);
    REQUIRE_IN_CHILD(private_guard == INT_MAX);
    const int higher = adopt_private(fresh());
    REQUIRE_IN_CHILD(higher >= 2 * size - kWindow && higher < 2 * size);
    REQUIRE_IN_CHILD(table_size() == 2 * size);
    program_uses(5);
    REQUIRE_IN_CHILD(adopt_private(fresh()) >= 2 * size - 2 * kWindow);
  });
}

// Numbers that are not open: the program polls them, and is to be told so.
TEST(PrivateFdsTest, StandAboveWhatTheProgramHasNamed) {
  for (int named : {70, 300, 700}) {
    in_child([=] {
      program_has(named);
      REQUIRE_IN_CHILD(adopt_private(fresh()) > named);
    });
  }
}

TEST(PrivateFdsTest, StandBelowWhatTheProgramHadIfThereIsNoRoomAbove) {
  in_child([] {
    const int size = static_cast<int>(status_number("FDSize:"));
    program_has(size - 8);
    rlimit low{static_cast<rlim_t>(size), static_cast<rlim_t>(size)};
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (int i = 0; i < 4; ++i) {
      const int fd = adopt_private(fresh());
      REQUIRE_IN_CHILD(fd > 0 && fd < size - 8);
    }
  });
}

TEST(PrivateFdsTest, LeaveNumbersThatTheProgramHadIfThereAreOthers) {
  in_child([] {
    const int first = adopt_private(fresh());
    discard_private(first);
    for (int number = first; number < first + 3; ++number) note_had(number);
    REQUIRE_IN_CHILD(adopt_private(fresh()) == first + 3);
    for (int number = 0; number < 1024; ++number) note_had(number);
    REQUIRE_IN_CHILD(adopt_private(fresh()) >= 0);
  });
}

// Who asks for the lowest free number must not meet ours unnoticed, however many of those below are taken; where too many
// are, there are none of ours.
TEST(PrivateFdsTest, AreGuardedByANumberThatIsFree) {
  in_child([] {
    const int lowest = fresh();
    REQUIRE_IN_CHILD(::dup2(lowest, 200) == 200 && ::close(200) == 0);  // the table has 256 numbers now
    const int size = static_cast<int>(status_number("FDSize:"));
    rlimit low{static_cast<rlim_t>(size), static_cast<rlim_t>(size)};
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    const int first = adopt_private(fresh());
    REQUIRE_IN_CHILD(first > lowest + 100);
    discard_private(first);
    for (int number = first - 40; number < first; ++number) REQUIRE_IN_CHILD(::dup2(lowest, number) == number);
    REQUIRE_IN_CHILD(adopt_private(fresh()) >= first && private_guard == first - 41);
    REQUIRE_IN_CHILD(adopt_private(fresh()) >= first && private_guard == first - 41);
    for (int number = first - 80; number < first - 40; ++number) REQUIRE_IN_CHILD(::dup2(lowest, number) == number);
    REQUIRE_IN_CHILD(adopt_private(fresh()) == -EMFILE && private_count == 2);
  });
}

// The size of the table is not to be had then.
TEST(PrivateFdsTest, AreRefusedWhereNoFileCanBeOpened) {
  in_child([] {
    ::alarm(5);
    const int fd = fresh();
    program_has(fd + 20);
    rlimit low{static_cast<rlim_t>(fd) + 1, static_cast<rlim_t>(fd) + 1};
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    REQUIRE_IN_CHILD(adopt_private(fd) == -EMFILE);
  });
}

TEST(PrivateFdsTest, StayBelowTheDescriptorLimit) {
  for (rlim_t limit : {80u, 100u, 200u}) {
    in_child([=] {
      program_uses(60);
      rlimit low{limit, limit};
      REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &low) == 0);
      const int fd = adopt_private(fresh());
      REQUIRE_IN_CHILD(fd < static_cast<int>(limit));
      REQUIRE_IN_CHILD(fd == -EMFILE || fd > 60);
    });
  }
}

TEST(PrivateFdsTest, AreRefusedWithTheDescriptorClosedWhereThereIsNoRoom) {
  in_child([] {
    rlimit low{20, 20};
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    while (adopt_private(fresh()) >= 0) {
    }
    const int fd = fresh();
    const auto before = unit::open_descriptors();
    const int error = adopt_private(::dup(fd));
    REQUIRE_IN_CHILD(error == -EMFILE || error == -EINVAL);
    REQUIRE_IN_CHILD(unit::open_descriptors() == before);
  });
}

TEST(PrivateFdsTest, AreClosedOnceAndOnlyIfTheyAreOurs) {
  in_child([] {
    const int mine = adopt_private(fresh());
    const int programs = ::fcntl(fresh(), F_DUPFD, mine + 1);
    discard_private(programs);
    REQUIRE_IN_CHILD(::fcntl(programs, F_GETFD) >= 0);
    discard_private(mine);
    REQUIRE_IN_CHILD(!is_private(mine));
    REQUIRE_IN_CHILD(::fcntl(mine, F_GETFD) < 0);
    REQUIRE_IN_CHILD(::dup2(programs, mine) == mine);
    discard_private(mine);
    REQUIRE_IN_CHILD(::fcntl(mine, F_GETFD) >= 0);
    discard_private(-1);
    discard_private(INT_MAX);
  });
}

// A program that closes by the bare system call closes ours as well, and may be given the number for a file of its own.
TEST(PrivateFdsTest, AreNotClosedIfTheNumberHasBecomeAFileOfThePrograms) {
  in_child([] {
    Pipe pipe = make_pipe();
    for (const int file : {pipe.in.get(), fresh()}) {  // ours are eventfds, too
      const int mine = adopt_private(fresh());
      REQUIRE_IN_CHILD(::dup2(file, mine) == mine);
      discard_private(mine);
      REQUIRE_IN_CHILD(::fcntl(mine, F_GETFD) >= 0);
    }
  });
}

// It has its parent's marks, and a table of its own.
TEST(PrivateFdsTest, AreCopiesInAChildOfVfork) {
  in_child([] {
    const int mine = adopt_private(fresh()), other = adopt_private(fresh());
    REQUIRE_IN_CHILD(is_copy_of_private(mine) && is_copy_of_private(other));
    REQUIRE_IN_CHILD(::dup2(fresh(), other) == other);
    REQUIRE_IN_CHILD(!is_copy_of_private(other));
    REQUIRE_IN_CHILD(discard_copies());
    REQUIRE_IN_CHILD(::fcntl(mine, F_GETFD) < 0 && ::fcntl(other, F_GETFD) >= 0);
    REQUIRE_IN_CHILD(is_private(mine) && is_private(other));  // in the parent
    REQUIRE_IN_CHILD(!discard_copies());
  });
}

// What a range closed is not ours any more: the number may be a file of the program's by the next call.
TEST(PrivateFdsTest, AreForgottenWhenTheProgramClosesARangeOfNumbers) {
  in_child([] {
    const int mine = adopt_private(fresh());
    ::close_range(3, ~0U, 0);
    fd_range_changed(3, INT_MAX);
    REQUIRE_IN_CHILD(!is_private(mine));
  });
}

TEST(PrivateFdsTest, AreForgottenInAForkedChild) {
  in_child([] {
    const int mine = adopt_private(fresh());
    clear_fd_table();
    forget_private();
    REQUIRE_IN_CHILD(!is_private(mine));
    REQUIRE_IN_CHILD(private_count == 0 && private_guard == INT_MAX);
  });
}

// The child has a table of its own, as small as what is open in it.
TEST(PrivateFdsTest, AreNotRefusedToAForkedChildForNumbersThatItsParentUsedOnce) {
  in_child([] {
    program_uses(19'000);
    forget_private();
    REQUIRE_IN_CHILD(adopt_private(fresh()) >= 0);
  });
}

// What it closed it may still wait for.
TEST(PrivateFdsTest, StandAboveWhatAForkedChildHadThoughItsParentHadMore) {
  in_child([] {
    const int size = table_size_now();
    program_has(4 * size);
    forget_private();
    const int highest = size - 2;
    if (::dup2(fresh(), highest) != highest) return;
    program_has(highest);
    ::close(highest);
    const int mine = adopt_private(fresh());
    REQUIRE_IN_CHILD(mine > highest);
  });
}

}  // namespace
}  // namespace kev::process
