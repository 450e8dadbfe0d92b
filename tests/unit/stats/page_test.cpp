// The counters file: who may make it, who may join it, what it leaves alone, and that every process has its slot.
//
// Each case works in a folder of its own; what changes the process's mapping runs in a child.
#include "stats/page.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace kev::stats {
namespace {

class Page : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/kev-page-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    folder_ = folder;
    path_ = folder_ + "/counters";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const Header* map() {
    int error = 0;
    const Header* header = map_existing(path_.c_str(), error);
    EXPECT_NE(header, nullptr) << std::strerror(-error);
    return header;
  }

  std::string folder_;
  std::string path_;
};

// Runs `body` in a child; returns its pid once it has ended, with its exit status in `status`.
template <typename Body>
pid_t in_child(Body body, int& status) {
  pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  ::waitpid(child, &status, 0);
  return child;
}

int open_here(const std::string& path, const char* command = "test") {
  bool created = false;
  return open_page(path.c_str(), command, created);
}

// 0 if open_page in a child gives `expected`.
void expect_open(const std::string& path, int expected) {
  int status = 0;
  in_child([&] { return -open_here(path); }, status);
  ASSERT_TRUE(WIFEXITED(status)) << "killed by " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), -expected);
}

TEST(ExpandPath, KnowsThePidAndThePercentSign) {
  char out[32];
  ASSERT_TRUE(expand_path("/x/%p.%%p-%q%", 4210, out, sizeof out));
  EXPECT_STREQ(out, "/x/4210.%p-%q%");
  ASSERT_TRUE(expand_path("", 1, out, sizeof out));
  EXPECT_STREQ(out, "");
}

TEST(ExpandPath, RefusesWhatDoesNotFit) {
  char out[6];
  EXPECT_TRUE(expand_path("12345", 1, out, sizeof out));
  EXPECT_FALSE(expand_path("123456", 1, out, sizeof out));
  EXPECT_TRUE(expand_path("%p", 12345, out, sizeof out));
  EXPECT_FALSE(expand_path("%p", 123456, out, sizeof out));
}

TEST(Resolve, KnowsTheFormsOfKevStats) {
  Destination to;
  ASSERT_TRUE(resolve("", 7, "/run/user/1", to));
  EXPECT_STREQ(to.path, "/run/user/1/kev-7.stats");
  EXPECT_TRUE(to.on_stderr);
  ASSERT_TRUE(resolve("1", 7, nullptr, to));
  EXPECT_STREQ(to.path, "/tmp/kev-7.stats");
  EXPECT_TRUE(to.on_stderr);
  ASSERT_TRUE(resolve("", 7, "relative", to));
  EXPECT_STREQ(to.path, "/tmp/kev-7.stats");
  ASSERT_TRUE(resolve("stderr:/x/%p", 7, nullptr, to));
  EXPECT_STREQ(to.path, "/x/%p");
  EXPECT_TRUE(to.on_stderr);
  ASSERT_TRUE(resolve("/x/%p", 7, nullptr, to));
  EXPECT_STREQ(to.path, "/x/7");
  EXPECT_FALSE(to.on_stderr);
  EXPECT_FALSE(resolve("stderr:", 7, nullptr, to));
  EXPECT_FALSE(resolve(std::string(kPathBytes, 'x').c_str(), 7, nullptr, to));
}

TEST_F(Page, IsMadePrivateWithASlotForItsMaker) {
  int status = 0;
  pid_t child = in_child(
      [&] {
        bool created = false;
        if (open_page(path_.c_str(), "maker", created) != 0 || !created || !is_main_process()) return 1;
        add(Call::poll, Counter::calls, 5);
        add(Fallback::small);
        set_state(State::foreign, "libother.so");
        mark_ended();
        return 0;
      },
      status);
  ASSERT_EQ(status, 0);
  struct stat file;
  ASSERT_EQ(::stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600u);
  EXPECT_EQ(file.st_size, static_cast<off_t>(kFileBytes));
  EXPECT_GE(file.st_blocks * 512, static_cast<off_t>(kFileBytes)) << "a hole would be a SIGBUS on a full disk";

  const Header* header = map();
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->main_pid.load(), static_cast<unsigned>(child));
  EXPECT_EQ(header->used.load(), 1u);
  const Slot* s = slot_at(header, 0);
  EXPECT_EQ(s->pid.load(), static_cast<unsigned>(child));
  EXPECT_EQ(s->parent.load(), 0u);
  EXPECT_EQ(s->state.load(), State::foreign);
  EXPECT_STREQ(s->command, "maker");
  EXPECT_STREQ(s->note, "libother.so");
  EXPECT_EQ(s->ended.load(), 1u);
  EXPECT_GE(s->ended_ns.load(), s->started_ns.load());
  EXPECT_EQ(s->counters[static_cast<unsigned>(Call::poll)][static_cast<unsigned>(Counter::calls)].load(), 5u);
  EXPECT_EQ(s->fallbacks[static_cast<unsigned>(Fallback::small)].load(), 1u);
}

TEST_F(Page, LeavesNoDescriptorOpen) {
  int status = 0;
  in_child(
      [&] {
        int before = ::dup(0);
        ::close(before);
        if (open_here(path_) != 0) return 1;
        calibrate();
        int after = ::dup(0);
        return before == after ? 0 : 2;
      },
      status);
  EXPECT_EQ(status, 0);
}

TEST_F(Page, EveryForkedChildHasItsSlot) {
  int status = 0;
  pid_t parent = in_child(
      [&] {
        if (open_here(path_) != 0) return 1;
        unsigned self = static_cast<unsigned>(::getpid());
        for (int i = 0; i < 3; ++i) {
          pid_t child = ::fork();
          if (child == 0) {
            claim_slot_after_fork(self);
            add(Call::epoll_wait, Counter::calls, static_cast<uint64_t>(i) + 1);
            if (is_main_process()) ::_exit(1);
            mark_ended();
            ::_exit(0);
          }
          int ended = 0;
          ::waitpid(child, &ended, 0);
          if (ended != 0) return 2;
        }
        return 0;
      },
      status);
  ASSERT_EQ(status, 0);
  const Header* header = map();
  ASSERT_NE(header, nullptr);
  ASSERT_EQ(header->used.load(), 4u);
  for (unsigned i = 1; i <= 3; ++i) {
    const Slot* s = slot_at(header, i);
    EXPECT_EQ(s->parent.load(), static_cast<unsigned>(parent));
    EXPECT_EQ(s->ended.load(), 1u);
    EXPECT_EQ(s->counters[static_cast<unsigned>(Call::epoll_wait)][0].load(), i);
  }
  EXPECT_EQ(slot_at(header, 0)->ended.load(), 0u);
}

TEST_F(Page, AnExecKeepsAnEmptySlotAndEndsAUsedOne) {
  int status = 0;
  pid_t child = in_child(
      [&] {
        // The second opening stands for the same pid's next program.
        if (open_here(path_, "first") != 0 || open_here(path_, "second") != 0) return 1;
        add(Call::poll, Counter::calls, 1);
        return open_here(path_, "third") == 0 ? 0 : 2;
      },
      status);
  ASSERT_EQ(status, 0);
  const Header* header = map();
  ASSERT_NE(header, nullptr);
  ASSERT_EQ(header->used.load(), 2u);
  EXPECT_STREQ(slot_at(header, 0)->command, "second");
  EXPECT_EQ(slot_at(header, 0)->ended.load(), 1u);
  EXPECT_STREQ(slot_at(header, 1)->command, "third");
  EXPECT_EQ(slot_at(header, 1)->pid.load(), static_cast<unsigned>(child));
  EXPECT_EQ(slot_at(header, 1)->ended.load(), 0u);
}

TEST_F(Page, MoreProcessesThanSlotsShareTheLast) {
  int status = 0;
  in_child(
      [&] {
        if (open_here(path_) != 0) return 1;
        for (unsigned i = 0; i < kSlots + 20; ++i) claim_slot_after_fork(1);
        add(Call::poll, Counter::calls, 3);
        claim_slot_after_fork(1);
        add(Call::poll, Counter::calls, 4);
        mark_ended();
        return 0;
      },
      status);
  ASSERT_EQ(status, 0);
  const Header* header = map();
  ASSERT_NE(header, nullptr);
  EXPECT_GT(header->used.load(), kSlots);
  const Slot* last = slot_at(header, kSlots - 1);
  EXPECT_EQ(last->counters[0][0].load(), 7u);
  EXPECT_EQ(last->ended.load(), 0u) << "others may still be counting in it";
}

TEST_F(Page, ManyMakersAtOnceAgree) {
  constexpr int kMakers = 40;
  std::vector<pid_t> makers;
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  for (int i = 0; i < kMakers; ++i) {
    pid_t child = ::fork();
    if (child == 0) {
      ::close(gate[1]);
      char byte;
      if (::read(gate[0], &byte, 1) < 0) ::_exit(3);
      if (open_here(path_) != 0) ::_exit(1);
      add(Call::select, Counter::calls, 1);
      ::_exit(0);
    }
    makers.push_back(child);
  }
  ::close(gate[0]);
  ::close(gate[1]);
  for (pid_t maker : makers) {
    int status = 0;
    ::waitpid(maker, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const Header* header = map();
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->used.load(), static_cast<unsigned>(kMakers));
  uint64_t sum = 0;
  unsigned main_processes = 0;
  for (unsigned i = 0; i < kMakers; ++i) {
    sum += slot_at(header, i)->counters[static_cast<unsigned>(Call::select)][0].load();
    main_processes += slot_at(header, i)->pid.load() == header->main_pid.load();
  }
  EXPECT_EQ(sum, static_cast<uint64_t>(kMakers));
  EXPECT_EQ(main_processes, 1u);
}

TEST_F(Page, LeavesOtherFilesAlone) {
  std::ofstream(path_) << "precious";
  expect_open(path_, -EEXIST);
  EXPECT_EQ(create_page(path_.c_str(), false), -EEXIST);
  std::string text;
  std::getline(std::ifstream(path_), text);
  EXPECT_EQ(text, "precious");

  std::filesystem::resize_file(path_, kFileBytes);
  expect_open(path_, -EEXIST);
  std::filesystem::resize_file(path_, 0);
  std::filesystem::resize_file(path_, kFileBytes);  // zeros: not ours, either
  expect_open(path_, -EEXIST);
}

TEST_F(Page, FollowsNoSymlinkAndOpensNoDevice) {
  std::string link = folder_ + "/link";
  ASSERT_EQ(::symlink(path_.c_str(), link.c_str()), 0);
  expect_open(link, -ELOOP);
  EXPECT_FALSE(std::filesystem::exists(path_));
  ASSERT_EQ(::mkfifo((folder_ + "/fifo").c_str(), 0600), 0);
  expect_open(folder_ + "/fifo", -EEXIST);
  expect_open("/dev/null", -EEXIST);
  expect_open(folder_ + "/none/counters", -ENOENT);
}

TEST_F(Page, RefusesAFileOfAnotherUser) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root to make a file of another user";
  int status = 0;
  in_child([&] { return create_page(path_.c_str(), false) == 0 ? 0 : 1; }, status);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(::chown(path_.c_str(), 65534, 65534), 0);
  expect_open(path_, -EPERM);
}

TEST_F(Page, AFileSizeLimitRefusesInsteadOfKilling) {
  int status = 0;
  in_child(
      [&] {
        rlimit limit = {4096, 4096};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        return -open_here(path_);
      },
      status);
  ASSERT_TRUE(WIFEXITED(status)) << "killed by " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), EFBIG);
}

TEST_F(Page, ARunStartsAfreshAndTheEarlierOneGoesOn) {
  int ready[2];
  int go[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(go), 0);
  pid_t earlier = ::fork();
  if (earlier == 0) {
    char byte = 0;
    if (open_here(path_, "earlier") != 0) ::_exit(1);
    if (::write(ready[1], &byte, 1) != 1 || ::read(go[0], &byte, 1) != 1) ::_exit(2);
    add(Call::poll, Counter::calls, 1);  // a SIGBUS if its file had been cut short
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(create_page(path_.c_str(), true), 0);
  ASSERT_EQ(::write(go[1], &byte, 1), 1);
  int status = 0;
  ::waitpid(earlier, &status, 0);
  EXPECT_EQ(status, 0);
  for (int fd : {ready[0], ready[1], go[0], go[1]}) ::close(fd);

  const Header* header = map();
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->used.load(), 0u);
  EXPECT_EQ(header->main_pid.load(), static_cast<unsigned>(::getpid()));
  EXPECT_GT(header->core_entry_ps.load(), 0u);
  EXPECT_GT(header->poll_base_ps.load() + header->poll_descriptor_ps.load(), 0u);
}

TEST_F(Page, OnlyACountersFileOfFullSizeIsMapped) {
  int error = 0;
  EXPECT_EQ(map_existing(path_.c_str(), error), nullptr);
  EXPECT_EQ(error, -ENOENT);
  std::ofstream(path_) << "KEVSTAT1";
  EXPECT_EQ(map_existing(path_.c_str(), error), nullptr);
  EXPECT_EQ(error, -EINVAL);
  std::ofstream(path_, std::ios::trunc) << "";
  EXPECT_EQ(map_existing(path_.c_str(), error), nullptr);
  EXPECT_EQ(error, -EINVAL);
  int status = 0;
  std::filesystem::remove(path_);
  in_child([&] { return create_page(path_.c_str(), false) == 0 ? 0 : 1; }, status);
  ASSERT_EQ(status, 0);
  std::filesystem::resize_file(path_, kFileBytes - 1);
  EXPECT_EQ(map_existing(path_.c_str(), error), nullptr);
  EXPECT_EQ(error, -EINVAL);
}

TEST_F(Page, NothingIsCountedBeforeItIsOpen) {
  int status = 0;
  in_child(
      [] {
        add(Call::poll, Counter::calls, 1);
        add(Fallback::small);
        mark_ended();
        claim_slot_after_fork(1);
        set_state(State::off, "x");
        calibrate();
        return counting() || is_main_process() || header() != nullptr ? 1 : 0;
      },
      status);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace kev::stats
