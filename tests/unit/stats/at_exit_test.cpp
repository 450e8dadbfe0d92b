// The report at the end of a process: where it goes, when it must not be written, and that it does no harm.
//
// Every case is a child that opens counters, meddles with its stderr, and ends.
#include "stats/at_exit.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "stats/page.hpp"

namespace kev::stats {
namespace {

class AtExit : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/kev-exit-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    folder_ = folder;
    path_ = folder_ + "/counters";
    output_ = folder_ + "/stderr";
    setting_ = "stderr:" + path_;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // A child with stderr in a file: opens the counters, does `between`, finishes.
  template <typename Between>
  int run(Between between, bool may_write = true) {
    pid_t child = ::fork();
    if (child == 0) {
      redirect(output_);
      if (start(setting_.c_str(), nullptr, "child", false) != 0) ::_exit(1);
      between();
      finish(config::StatsFormat::text, may_write);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }

  static void redirect(const std::string& path) {
    int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(fd, 2);
    ::close(fd);
  }

  static std::string contents(const std::string& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  bool file_left() const { return std::filesystem::exists(path_); }

  std::string folder_, path_, output_, setting_;
};

TEST_F(AtExit, TheReportGoesToStderrAndTheFileGoes) {
  EXPECT_EQ(run([] { add(Call::poll, Counter::calls, 1); }), 0);
  std::string report = contents(output_);
  EXPECT_NE(report.find("(child): active; ended after"), std::string::npos) << report;
  EXPECT_NE(report.find("\nverdict: "), std::string::npos) << report;
  EXPECT_FALSE(file_left());
}

TEST_F(AtExit, AFileThatWasNamedStaysAndStderrIsQuiet) {
  setting_ = path_;
  EXPECT_EQ(run([] {}), 0);
  EXPECT_EQ(contents(output_), "");
  EXPECT_TRUE(file_left());
}

TEST_F(AtExit, AnotherStderrIsNotWrittenTo) {
  std::string database = folder_ + "/database";
  EXPECT_EQ(run([&] { redirect(database); }), 0);
  EXPECT_EQ(contents(output_), "");
  EXPECT_EQ(contents(database), "");
  EXPECT_TRUE(file_left()) << "for kev-run --report";
}

TEST_F(AtExit, AClosedStderrIsLeftAlone) {
  EXPECT_EQ(run([] { ::close(2); }), 0);
  EXPECT_TRUE(file_left());
}

TEST_F(AtExit, NothingIsWrittenUnderAFilter) {
  EXPECT_EQ(run([] {}, /*may_write=*/false), 0);
  EXPECT_EQ(contents(output_), "");
  EXPECT_TRUE(file_left());
}

TEST_F(AtExit, AForkedChildDoesNotReport) {
  EXPECT_EQ(run([] {
              unsigned parent = static_cast<unsigned>(::getpid());
              pid_t child = ::fork();
              if (child == 0) {
                claim_slot_after_fork(parent);
                finish(config::StatsFormat::text, true);
                ::_exit(0);
              }
              ::waitpid(child, nullptr, 0);
              if (::lseek(2, 0, SEEK_END) != 0) ::_exit(3);
            }),
            0);
  EXPECT_NE(contents(output_).find("total of 2 processes"), std::string::npos);
  EXPECT_FALSE(file_left());
}

TEST_F(AtExit, TheFileStaysWhileOthersCount) {
  EXPECT_EQ(run([] {
              unsigned parent = static_cast<unsigned>(::getpid());
              int hold[2];
              if (::pipe(hold) != 0) ::_exit(3);
              if (::fork() == 0) {
                claim_slot_after_fork(parent);
                ::close(hold[0]);
                if (::write(hold[1], "x", 1) != 1) ::_exit(1);
                ::sleep(1);
                ::_exit(0);
              }
              char byte;
              if (::read(hold[0], &byte, 1) != 1) ::_exit(4);
            }),
            0);
  EXPECT_TRUE(file_left());
  EXPECT_NE(contents(output_).find("kev-run --report " + path_), std::string::npos);
}

TEST_F(AtExit, AnEndedChildThatWasNotWaitedForDoesNotKeepTheFile) {
  EXPECT_EQ(run([] {
              unsigned parent = static_cast<unsigned>(::getpid());
              pid_t child = ::fork();
              if (child == 0) {
                claim_slot_after_fork(parent);
                ::_exit(0);
              }
              siginfo_t info;
              ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
            }),
            0);
  EXPECT_FALSE(file_left());
}

TEST_F(AtExit, AStderrWithoutReaderDoesNotKill) {
  EXPECT_EQ(run([&] {
              // The same inode as at start, so that only the write itself can find out.
              int ends[2];
              if (::pipe(ends) != 0) ::_exit(3);
              ::dup2(ends[1], 2);
              if (start(setting_.c_str(), nullptr, "child", false) != 0) ::_exit(4);
              ::close(ends[0]);
              ::close(ends[1]);
            }),
            0);
  EXPECT_TRUE(file_left());
}

TEST_F(AtExit, AFullStderrDoesNotHang) {
  EXPECT_EQ(run([&] {
              int ends[2];
              if (::pipe2(ends, O_NONBLOCK) != 0) ::_exit(3);
              char page[4096] = {};
              while (::write(ends[1], page, sizeof page) > 0) continue;
              ::fcntl(ends[1], F_SETFL, 0);
              ::dup2(ends[1], 2);
              if (start(setting_.c_str(), nullptr, "child", false) != 0) ::_exit(4);
              ::alarm(20);
            }),
            0);
  EXPECT_TRUE(file_left());
}

}  // namespace
}  // namespace kev::stats
