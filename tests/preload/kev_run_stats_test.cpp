// The statistics of a run: on stderr, in a file, of a running process, after SIGKILL, of forked and executed children.
//
// The program under test is a small one that waits in the ways that a case asks for.
#include "kev_run_support.hpp"

#include <csignal>

namespace kev_run_test {
namespace {

// Each letter is a step: p a poll, F a forked child that polls, x the rest in an exec'd self, r the program named by
// the further arguments as a child, w wait for the end of stdin, c another folder, k SIGKILL.
constexpr const char* kWaiter = R"(
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char** argv) {
  struct pollfd none[1] = {{-1, 0, 0}};
  char byte;
  for (char* at = argv[1]; argc > 1 && *at; ++at) switch (*at) {
    case 'p': poll(none, 1, 0); break;
    case 'r': { pid_t child = fork(); if (!child) { execv(argv[2], argv + 2); _exit(9); } waitpid(child, 0, 0); break; }
    case 'F': { pid_t child = fork(); if (!child) { poll(none, 1, 0); exit(0); } waitpid(child, 0, 0); break; }
    case 'x': execl(argv[0], argv[0], at + 1, (char*)0); return 9;
    case 'w': puts("ready"); fflush(stdout); while (read(0, &byte, 1) > 0) continue; break;
    case 'c': if (chdir("/") != 0) return 8; break;
    case 'k': raise(SIGKILL);
  }
  return 0;
})";

class KevRunStats : public KevRun {
 protected:
  void SetUp() override {
    KevRun::SetUp();
    waiter_ = compile("waiter", kWaiter, "cc");
    ASSERT_NE(waiter_, "");
    file_ = folder_ + "/counters";
  }

  std::vector<std::string> left_behind() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      if (entry.path().extension() == ".stats") names.push_back(entry.path());
    return names;
  }

  // Starts kev-run with these arguments, whose program says "ready", and stops there.
  pid_t start_until_ready(std::vector<std::string> arguments, int& release) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return -1;
    arguments.insert(arguments.begin(), launcher_);
    std::filesystem::remove(folder_ + "/out");
    pid_t child = start(arguments, {}, [&] { ::dup2(ends[0], 0); });
    ::close(ends[0]);
    release = ends[1];
    for (int i = 0; i < 1000 && !contains(contents(folder_ + "/out"), "ready"); ++i) ::usleep(10'000);
    return child;
  }

  std::string process_line(pid_t pid) const { return "process " + std::to_string(pid) + " ("; }

  std::string waiter_, file_;
};

TEST_F(KevRunStats, WithoutFileTheReportIsOnStderrAndNothingStays) {
  Result result = run({"--stats", waiter_, "ppp"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(contains(result.err, process_line(result.pid))) << result.err;
  EXPECT_TRUE(contains(result.err, "\n  poll ")) << result.err;
  EXPECT_TRUE(contains(result.err, "\nverdict: nothing gained: ")) << result.err;
  EXPECT_TRUE(left_behind().empty());
  EXPECT_EQ(run({waiter_, "p"}).err, "") << "quiet when off";
}

TEST_F(KevRunStats, EnvironmentAndFlagMeanTheSame) {
  EXPECT_TRUE(contains(run({waiter_, "p"}, {{"KEV_STATS", ""}}).err, "\nverdict: "));
  EXPECT_TRUE(contains(run({waiter_, "p"}, {{"KEV_STATS", "1"}}).err, "\nverdict: "));
  EXPECT_EQ(run({waiter_, "p"}, {{"KEV_STATS", file_}}).err, "");
  EXPECT_TRUE(std::filesystem::exists(file_));
}

TEST_F(KevRunStats, JsonOnRequest) {
  Result result = run({"--stats", "--stats-format=json", waiter_, "ppF"});
  write("report.json", result.err, 0644);
  std::string check =
      "python3 -c \"import json; j = json.load(open('" + folder_ +
      "/report.json')); assert j['total']['calls']['poll']['calls'] == 3 and len(j['processes']) == 2, j\"";
  EXPECT_EQ(std::system(check.c_str()), 0) << result.err;
}

TEST_F(KevRunStats, TheFileIsReadByReport) {
  Result counted = run({"--stats=" + file_, waiter_, "pp"});
  EXPECT_EQ(counted.err, "");
  Result result = run({"--report", file_});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(contains(result.out, process_line(counted.pid))) << result.out;
  EXPECT_TRUE(contains(result.out, "ended after"));
  EXPECT_TRUE(contains(run({"--report=" + file_, "--stats-format=json"}).out, "\"calls\":{\"poll\":{\"calls\":2"));
}

TEST_F(KevRunStats, ThePidGoesIntoTheName) {
  Result counted = run({"--stats=" + file_ + ".%p.%%", waiter_, "p"});
  std::string expected = file_ + "." + std::to_string(counted.pid) + ".%";
  EXPECT_TRUE(std::filesystem::exists(expected)) << counted.err;
  EXPECT_EQ(run({"--report", expected}).status, 0);
}

TEST_F(KevRunStats, ARelativeNameIsKevRunsOwnFolders) {
  Result counted = run({"--stats=counters", waiter_, "cxp"}, {}, [this] { (void)!::chdir(folder_.c_str()); });
  EXPECT_EQ(counted.status, 0);
  Result result = run({"--report", file_});
  EXPECT_TRUE(contains(result.out, "\n  poll ")) << result.out << result.err;
}

TEST_F(KevRunStats, ForkedWorkersAndExecutedProgramsAreCountedEach) {
  Result counted = run({"--stats=" + file_, waiter_, "pFFFxpp"});
  EXPECT_EQ(counted.status, 0);
  Result result = run({"--report", file_});
  size_t forked = 0;
  std::string by = ", forked by " + std::to_string(counted.pid) + ":";
  for (size_t at = result.out.find(by); at != std::string::npos; at = result.out.find(by, at + 1)) ++forked;
  EXPECT_EQ(forked, 3u) << result.out;
  EXPECT_TRUE(contains(result.out, "total of 5 processes")) << "before and after the exec, and three workers\n"
                                                            << result.out;
  result = run({"--report", file_, "--stats-format=json"});
  EXPECT_TRUE(
      contains(run({"--report=" + file_, "--stats-format=json"}).out, "\"total\":{\"calls\":{\"poll\":{\"calls\":6,"));
}

TEST_F(KevRunStats, SigkillLosesNothing) {
  Result counted = run({"--stats=" + file_, waiter_, "pppk"});
  EXPECT_EQ(counted.status, 256 + SIGKILL);
  Result result = run({"--report", file_});
  EXPECT_TRUE(contains(result.out, "ended without exit handlers")) << result.out;
  EXPECT_TRUE(contains(run({"--report=" + file_, "--stats-format=json"}).out, "\"poll\":{\"calls\":3,"));

  // Without a file too: the one that was to be removed at the end is there.
  run({"--stats", waiter_, "pk"});
  ASSERT_EQ(left_behind().size(), 1u);
  EXPECT_TRUE(contains(run({"--report", left_behind()[0]}).out, "\n  poll "));
}

TEST_F(KevRunStats, ARunningProcessIsReportedByItsPid) {
  for (std::string option : {std::string("--stats"), "--stats=" + file_}) {
    int release = -1;
    pid_t child = start_until_ready({option, waiter_, "pFw"}, release);
    pid_t asking = ::fork();
    if (asking == 0) {
      std::string command = launcher_ + " --report " + std::to_string(child) + " >" + folder_ + "/report 2>&1";
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(1);
    }
    int status = 0;
    ::waitpid(asking, &status, 0);
    std::string report = contents(folder_ + "/report");
    EXPECT_EQ(status, 0) << report;
    EXPECT_TRUE(contains(report, process_line(child))) << report;
    EXPECT_TRUE(contains(report, "; running for")) << report;
    EXPECT_FALSE(contains(report, "forked by")) << "of that process alone";
    ::close(release);
    EXPECT_EQ(finish(child).status, 0);
  }
}

TEST_F(KevRunStats, WhatCannotBeReportedIsOneLineAnd125) {
  auto expect_error = [&](const std::vector<std::string>& arguments, const char* why) {
    Result result = run(arguments);
    EXPECT_EQ(result.status, 125) << why;
    EXPECT_EQ(result.out, "");
    ASSERT_EQ(result.complaints().size(), 1u) << result.err;
    EXPECT_TRUE(contains(result.err, why)) << result.err;
  };
  expect_error({"--report", file_}, "No such file");
  expect_error({"--report", write("text", "text", 0644)}, "not a counters file");
  expect_error({"--report", folder_}, "not a counters file");
  expect_error({"--report", std::to_string(::getpid())}, "counts nothing");
  expect_error({"--report", "999999999"}, "there is no process");
  expect_error({"--report"}, "needs a process id");
  expect_error({"--report", file_, "--colour"}, "--colour");
}

TEST_F(KevRunStats, OnlyCountersFilesAreReplaced) {
  run({"--stats=" + file_, waiter_, "ppp"});
  run({"--stats=" + file_, waiter_, "pp"});
  EXPECT_TRUE(
      contains(run({"--report=" + file_, "--stats-format=json"}).out, "\"total\":{\"calls\":{\"poll\":{\"calls\":2,"))
      << "the earlier run's figures are gone";

  std::string precious = write("precious", "precious", 0644);
  Result result = run({"--stats=" + precious, waiter_, "p"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.complaints().size(), 1u) << result.err;
  EXPECT_EQ(contents(precious), "precious");
  EXPECT_EQ(run({"--strict", "--stats=" + precious, waiter_, "p"}).status, 125);

  std::string link = folder_ + "/link";
  std::filesystem::create_symlink(folder_ + "/target", link);
  EXPECT_EQ(run({"--stats=" + link, waiter_, "p"}).complaints().size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/target"));
  EXPECT_EQ(run({"--stats=" + folder_ + "/none/x", waiter_, "p"}).complaints().size(), 1u);
}

TEST_F(KevRunStats, AProgramThatDoesNotStartLeavesNoFile) {
  std::string script = write("orphan", "#!/no/such/interpreter\n");
  run({"--stats", script});
  run({"--stats", "no-such-program"});
  EXPECT_TRUE(left_behind().empty());
}

TEST_F(KevRunStats, AKevRunBelowJoinsTheOneAbove) {
  Result counted = run({"--stats=" + file_, waiter_, "r", launcher_, waiter_, "ppp"});
  EXPECT_EQ(counted.status, 0);
  EXPECT_TRUE(
      contains(run({"--report=" + file_, "--stats-format=json"}).out, "\"total\":{\"calls\":{\"poll\":{\"calls\":3,"));
  Result below = run({"--stats", waiter_, "r", launcher_, waiter_, "ppp"});
  size_t first = below.err.find("verdict: ");
  EXPECT_NE(first, std::string::npos) << below.err;
  EXPECT_EQ(below.err.find("verdict: ", first + 1), std::string::npos) << "one report\n" << below.err;
}

TEST_F(KevRunStats, AnUnusableRuntimeFolderFallsBackToTmp) {
  Result result = run({"--stats", waiter_, "p"}, {{"XDG_RUNTIME_DIR", folder_ + "/none"}});
  EXPECT_EQ(result.complaints().size(), 0u) << result.err;
  EXPECT_TRUE(contains(result.err, "\nverdict: "));
  EXPECT_FALSE(std::filesystem::exists("/tmp/kev-" + std::to_string(result.pid) + ".stats"));
}

}  // namespace
}  // namespace kev_run_test
