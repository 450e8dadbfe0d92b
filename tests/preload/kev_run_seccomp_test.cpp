// kev-run under an inherited seccomp filter: it lives, its children find out what the filter lets through, and the
// program gets that in KEV_PROBED.
#include "kev_run_support.hpp"

#include <cerrno>
#include <csignal>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "config/probed.hpp"

namespace kev_run_test {
namespace {

using kev::config::probed;

// From here on `action` meets these system calls of this process and its children.
void install_filter(const std::vector<int>& calls, unsigned action) {
  std::vector<sock_filter> program = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (int call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, action));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
    ::_exit(198);
}

unsigned own_filters() {
  std::string status = contents("/proc/self/status");
  size_t at = status.find("Seccomp_filters:");
  return at == std::string::npos ? 0 : static_cast<unsigned>(std::strtoul(status.c_str() + at + 16, nullptr, 10));
}

class KevRunSeccomp : public KevRun {
 protected:
  // What the program finds in KEV_PROBED when it starts under these filters.
  std::string probed_under(const std::function<void()>& filters, const Variables& variables = {}) {
    Result result =
        run({"--strict", "/bin/sh", "-c", "echo \"$KEV_PROBED\"; echo \"[$LD_PRELOAD]\" >&2"}, variables, filters);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.err, "[" + object_ + "]\n");
    return result.out.substr(0, result.out.find('\n'));
  }
};

TEST_F(KevRunSeccomp, WhatAFilterKillsForIsNotVouchedFor) {
  unsigned filters = own_filters() + 1;
  std::string value = probed_under([] {
    install_filter({SYS_epoll_create1, SYS_eventfd2, SYS_io_uring_setup, SYS_timerfd_create}, SECCOMP_RET_KILL_PROCESS);
  });
  for (const char* name : {"epoll_create1", "eventfd2"}) EXPECT_FALSE(probed(value.c_str(), filters, name)) << value;
  for (const char* name : kev::config::kProbes) {
    std::string call = name;
    if (call != "epoll_create1" && call != "eventfd2") {
      EXPECT_TRUE(probed(value.c_str(), filters, name)) << call << " in " << value;
    }
  }
}

TEST_F(KevRunSeccomp, EveryProbeIsOfTheCallThatItNames) {
  // Those without which no program starts cannot be forbidden to the shell that shows the result.
  const std::map<std::string, int> calls = {
      {"epoll_create1", SYS_epoll_create1}, {"epoll_ctl", SYS_epoll_ctl}, {"epoll_pwait", SYS_epoll_pwait},
      {"ppoll", SYS_ppoll},                 {"eventfd2", SYS_eventfd2},   {"madvise", SYS_madvise},
      {"ftruncate", SYS_ftruncate},         {"fallocate", SYS_fallocate}, {"prctl", SYS_prctl},
      {"clock_gettime", SYS_clock_gettime}, {"readlinkat", SYS_readlinkat}, {"pwrite64", SYS_pwrite64},
      {"unlinkat", SYS_unlinkat},           {"rt_sigtimedwait", SYS_rt_sigtimedwait},
  };
  unsigned filters = own_filters() + 1;
  for (const auto& [name, number] : calls) {
    std::string value = probed_under([number = number] { install_filter({number}, SECCOMP_RET_KILL_PROCESS); });
    for (const char* each : kev::config::kProbes)
      EXPECT_EQ(probed(value.c_str(), filters, each), name != each)
          << each << " with " << name << " forbidden: " << value;
  }
}

TEST_F(KevRunSeccomp, WhatAFilterRefusesIsNotVouchedFor) {
  unsigned filters = own_filters() + 1;
  for (int error : {EPERM, ENOSYS, EACCES}) {
    std::string value =
        probed_under([error] { install_filter({SYS_epoll_ctl}, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)); });
    EXPECT_FALSE(probed(value.c_str(), filters, "epoll_ctl")) << value;
    EXPECT_TRUE(probed(value.c_str(), filters, "epoll_create1")) << value;
  }
}

TEST_F(KevRunSeccomp, TheFiltersAreCounted) {
  unsigned filters = own_filters() + 2;
  std::string value = probed_under([] {
    install_filter({SYS_io_uring_setup}, SECCOMP_RET_KILL_PROCESS);
    install_filter({SYS_io_uring_setup}, SECCOMP_RET_KILL_PROCESS);
  });
  EXPECT_TRUE(probed(value.c_str(), filters, "ppoll")) << value;
}

TEST_F(KevRunSeccomp, WithoutAFilterNothingIsVouchedFor) {
  if (own_filters() != 0) GTEST_SKIP() << "this test itself runs under a seccomp filter";
  EXPECT_EQ(probed_under({}, {{"KEV_PROBED", "0:ppoll"}}), "");
}

TEST_F(KevRunSeccomp, AFilterThatKillsForProbesLeavesNoCoreFile) {
  Result result = run({"/bin/true"}, {}, [this] {
    (void)!::chdir(folder_.c_str());
    install_filter({SYS_epoll_create1}, SECCOMP_RET_KILL_PROCESS);
  });
  EXPECT_EQ(result.status, 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    EXPECT_EQ(entry.path().filename().string().rfind("core", 0), std::string::npos) << entry.path();
}

TEST_F(KevRunSeccomp, StatisticsWorkUnderAHarmlessFilter) {
  Result result =
      run({"--stats", "/bin/true"}, {}, [] { install_filter({SYS_io_uring_setup}, SECCOMP_RET_KILL_PROCESS); });
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(contains(result.err, "verdict: ")) << result.err;
}

}  // namespace
}  // namespace kev_run_test
