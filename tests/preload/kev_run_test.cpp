// kev-run's command line, settings and statuses, and that the program finds the process as it would natively.
#include "kev_run_support.hpp"

#include <csignal>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace kev_run_test {
namespace {

const std::vector<std::string> kShowPreload = {"/bin/sh", "-c", "echo \"[$LD_PRELOAD]\""};

std::vector<std::string> operator+(std::vector<std::string> left, const std::vector<std::string>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

TEST_F(KevRun, LoadsTheObject) {
  Result result = run({"/bin/cat", "/proc/self/maps"});
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(is_loaded(result)) << result.err;
  EXPECT_EQ(result.err, "");
}

TEST_F(KevRun, FindsTheObjectBesideItself) {
  std::string copy = folder_ + "/copy";
  std::filesystem::create_directory(copy);
  std::filesystem::copy_file(launcher_, copy + "/kev-run");
  std::filesystem::copy_file(object_, copy + "/libkev-preload.so");
  launcher_ = copy + "/kev-run";
  Result result = run(kShowPreload, {{"KEV_OBJECT", kUnset}});
  EXPECT_EQ(result.out, "[" + copy + "/libkev-preload.so]\n") << result.err;
}

TEST_F(KevRun, WithoutAnObjectRunsNatively) {
  Result result = run(kShowPreload, {{"KEV_OBJECT", folder_ + "/none.so"}});
  EXPECT_EQ(result.out, "[]\n");
  EXPECT_EQ(result.status, 0);
  ASSERT_EQ(result.complaints().size(), 1u) << result.err;
  result = run(std::vector<std::string>{"--strict"} + kShowPreload, {{"KEV_OBJECT", folder_ + "/none.so"}});
  EXPECT_EQ(result.status, 125);
  EXPECT_EQ(result.out, "");
}

TEST_F(KevRun, PassesStatusSignalAndArgumentsThrough) {
  EXPECT_EQ(run({"/bin/sh", "-c", "exit 42"}).status, 42);
  EXPECT_EQ(run({"/bin/sh", "-c", "kill -TERM $$"}).status, 256 + SIGTERM);
  EXPECT_EQ(run({"--", "/bin/echo", "--version", "-h", "", "--"}).out, "--version -h  --\n");
  EXPECT_EQ(run({"/bin/echo", "--engine=bad"}).out, "--engine=bad\n");
}

TEST_F(KevRun, MissingAndNotExecutableAreAsWithEnv) {
  EXPECT_EQ(run({"no-such-program"}).status, 127);
  EXPECT_EQ(run({folder_ + "/none"}).status, 127);
  EXPECT_EQ(run({""}).status, 127);
  std::string text = write("text", "echo no\n", 0644);
  EXPECT_EQ(run({text}).status, 126);
  EXPECT_EQ(run({folder_}).status, 126);
  EXPECT_EQ(run({"text"}).status, 126) << "found in PATH, not executable";
  Result result = run({"--strict", "no-such-program"});
  EXPECT_EQ(result.status, 127);
  EXPECT_EQ(result.complaints().size(), 1u) << result.err;
  std::string orphan = write("orphan", "#!/no/such/interpreter\n");
  EXPECT_EQ(run({orphan}).status, 127);
}

TEST_F(KevRun, SearchesPathAsExecvpDoes) {
  write("tool", "#!/bin/sh\necho tool\n");
  EXPECT_EQ(run({"tool"}).out, "tool\n");
  EXPECT_EQ(run({"tool"}, {{"PATH", "/none:/dev/null:" + folder_}}).out, "tool\n");
  EXPECT_EQ(run({"tool"}, {{"PATH", "/usr/bin"}}).status, 127);
  EXPECT_EQ(run({"tool"}, {{"PATH", "/usr/bin:"}}, [this] { (void)!::chdir(folder_.c_str()); }).out, "tool\n");
  EXPECT_EQ(run({"true"}, {{"PATH", kUnset}}).status, 0);
}

TEST_F(KevRun, NoProgramIsAnError) {
  Result result = run({});
  EXPECT_EQ(result.status, 125);
  EXPECT_EQ(result.complaints().size(), 1u);
  EXPECT_EQ(run({"--"}).status, 125);
  EXPECT_EQ(run({"--verbose"}).status, 125);
}

TEST_F(KevRun, HelpAndVersionComeFromTheTable) {
  Result help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* part :
       {"--engine=auto|epoll|off", "--stats[=FILE]", "--stats-format=text|json", "--verbose", "--strict",
        "--report PID|FILE", "--version", "KEV_ENGINE", "--engine=off is native", "--engine=epoll is not"})
    EXPECT_TRUE(contains(help.out, part)) << part << " in\n" << help.out;
  EXPECT_FALSE(contains(help.out, "KEV_MIRROR_MIN"));
  EXPECT_TRUE(contains(run({"--help", "--verbose"}).out, "KEV_MIRROR_MIN"));
  EXPECT_EQ(run({"--version"}).out.rfind("kev-run 0.", 0), 0u);
  EXPECT_EQ(run({"--help"}, {}, [] { ::close(1); }).status, 125);
}

TEST_F(KevRun, EngineOffIsNative) {
  EXPECT_EQ(run(std::vector<std::string>{"--engine=off"} + kShowPreload).out, "[]\n");
  EXPECT_EQ(run(kShowPreload, {{"KEV_ENGINE", "off"}}).out, "[]\n");
  EXPECT_EQ(run(std::vector<std::string>{"--engine=epoll"} + kShowPreload, {{"KEV_ENGINE", "off"}}).out,
            "[" + object_ + "]\n");
  // Also below another kev-run.
  EXPECT_EQ(run({launcher_, "--engine=off", "/bin/sh", "-c", "echo \"[$LD_PRELOAD]\""}).out, "[]\n");
}

TEST_F(KevRun, FlagsReachTheProgramAsSettings) {
  std::vector<std::string> show = {"/bin/sh", "-c", "echo $KEV_ENGINE $KEV_STATS_FORMAT $KEV_VERBOSE $KEV_MIRROR_MIN"};
  Result result = run(std::vector<std::string>{"--engine=epoll", "--stats-format=json"} + show,
                      {{"KEV_STATS_FORMAT", "text"}, {"KEV_MIRROR_MIN", "99"}});
  EXPECT_EQ(result.out, "epoll json 99\n");
}

TEST_F(KevRun, BadOptionsAndSettingsAreNamedAndNativeRuns) {
  for (const char* option : {"--engine=fast", "--engine", "--stats-format=xml", "--colour", "-x", "--verbose=2"}) {
    Result result = run(std::vector<std::string>{option} + kShowPreload);
    EXPECT_EQ(result.status, 0) << option;
    EXPECT_EQ(result.out, "[]\n") << option;
    EXPECT_EQ(result.complaints().size(), 1u) << option << result.err;
    result = run(std::vector<std::string>{"--strict", option} + kShowPreload);
    EXPECT_EQ(result.status, 125) << option;
    EXPECT_EQ(result.out, "") << option;
  }
  Result result = run(kShowPreload, {{"KEV_ENGINE", "fast"}, {"KEV_MIRROR_MIN", "none"}});
  EXPECT_EQ(result.out, "[]\n");
  ASSERT_EQ(result.complaints().size(), 2u) << result.err;
  EXPECT_TRUE(contains(result.err, "KEV_ENGINE=fast is not one of auto|epoll|off"));
  EXPECT_TRUE(contains(result.err, "KEV_MIRROR_MIN=none is not one of 1..1048576"));
  EXPECT_EQ(run(std::vector<std::string>{"--strict"} + kShowPreload, {{"KEV_ENGINE", "fast"}}).status, 125);
}

TEST_F(KevRun, UnknownSettingsAreNamedAndIgnored) {
  // --engine=off: the object has no say here.
  Result result = run(std::vector<std::string>{"--engine=off"} + kShowPreload, {{"KEV_COLOUR", "red"}});
  EXPECT_EQ(result.status, 0);
  ASSERT_EQ(result.complaints().size(), 1u) << result.err;
  EXPECT_TRUE(contains(result.err, "KEV_COLOUR"));
  EXPECT_TRUE(contains(result.err, "KEV_ENGINE, KEV_STATS")) << "the known ones are named";
  EXPECT_EQ(run(kShowPreload, {{"KEV_COLOUR", "red"}}).out, "[" + object_ + "]\n");
  EXPECT_EQ(run(std::vector<std::string>{"--strict"} + kShowPreload, {{"KEV_COLOUR", "red"}}).status, 125);
}

TEST_F(KevRun, StandsInFrontOfAnExistingPreloadOnce) {
  std::string other = compile("other.so", "int kev_test_other;", "cc -shared -fPIC");
  ASSERT_NE(other, "");
  EXPECT_EQ(run(kShowPreload, {{"LD_PRELOAD", other}}).out, "[" + object_ + ":" + other + "]\n");
  EXPECT_EQ(run(kShowPreload, {{"LD_PRELOAD", other + " " + object_}}).out, "[" + object_ + ":" + other + "]\n");
  EXPECT_EQ(run(std::vector<std::string>{launcher_} + kShowPreload).out, "[" + object_ + "]\n");
}

TEST_F(KevRun, AnObjectThatTheLoaderRefusesIsNotPreloaded) {
  std::string broken = write("broken.so", "no object");
  Result result = run(kShowPreload, {{"KEV_OBJECT", broken}});
  EXPECT_EQ(result.out, "[]\n");
  ASSERT_EQ(result.complaints().size(), 1u) << result.err;
  EXPECT_TRUE(contains(result.err, broken)) << result.err;
  EXPECT_FALSE(contains(result.err, "ld.so:")) << "what the loader says to the check is not shown";
  EXPECT_EQ(run(std::vector<std::string>{"--strict"} + kShowPreload, {{"KEV_OBJECT", broken}}).status, 125);

  // One that needs a libc which is not there.
  write("future.map", "KEV_TEST_9.9 { global: kev_test_future; };", 0644);
  compile("future.so", "int kev_test_future(void) { return 1; }",
          "cc -shared -fPIC -Wl,--version-script=" + folder_ + "/future.map -Wl,-soname,future.so");
  std::string needs =
      compile("needs.so", "int kev_test_future(void); int kev_test_needs(void) { return kev_test_future(); }",
              "cc -shared -fPIC -Wl,--no-as-needed " + folder_ + "/future.so -Wl,-rpath," + folder_);
  ASSERT_NE(needs, "") << contents(folder_ + "/cc.log");
  write("empty.map", "KEV_TEST_1.0 { global: kev_test_future; };", 0644);
  ASSERT_NE(compile("future.so", "int kev_test_future(void) { return 1; }",
                    "cc -shared -fPIC -Wl,--version-script=" + folder_ + "/empty.map -Wl,-soname,future.so"), "");
  result = run(kShowPreload, {{"KEV_OBJECT", needs}});
  EXPECT_EQ(result.status, 0) << "such an object would keep the program from starting: " << result.err;
  EXPECT_EQ(result.out, "[]\n");
  EXPECT_TRUE(contains(result.err, "KEV_TEST_9.9")) << result.err;

  std::string blank = folder_ + "/a b.so";
  std::filesystem::copy_file(object_, blank);
  EXPECT_EQ(run(kShowPreload, {{"KEV_OBJECT", blank}}).out, "[]\n");
}

// Prints what a program can see of its process.
constexpr const char* kMirror = R"(
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  char line[256];
  FILE* status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, status))
    if ((!strncmp(line, "Sig", 3) && strncmp(line, "SigQ", 4)) || !strncmp(line, "Shd", 3) ||
        !strncmp(line, "Threads", 7))
      fputs(line, stdout);
  fclose(status);
  DIR* fds = opendir("/proc/self/fd");
  int mask = 0;
  for (struct dirent* e; (e = readdir(fds));) {
    int fd = 0;
    if (sscanf(e->d_name, "%d", &fd) == 1 && fd != dirfd(fds)) printf("fd %d\n", fd);
  }
  closedir(fds);
  int children = waitpid(-1, &mask, WNOHANG | __WALL) < 0 && errno == ECHILD ? 0 : 1;
  printf("parent %d children %d\n", (int)getppid(), children);
  printf("session %d group %d\n", (int)getsid(0), (int)getpgrp());
  return 0;
})";

TEST_F(KevRun, TheProgramFindsTheProcessAsItWouldNatively) {
  std::string mirror = compile("mirror", kMirror, "cc");
  ASSERT_NE(mirror, "");
  auto plain = [] {};
  auto odd = [] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGINT, SIG_IGN);
    ::close(0);
  };
  auto ignoring = [] { ::signal(SIGCHLD, SIG_IGN); };
  for (const std::function<void()>& prepare :
       {std::function<void()>(plain), std::function<void()>(odd), std::function<void()>(ignoring)}) {
    Result native = finish(start({mirror}, {}, prepare));
    Result launched = run({mirror}, {}, prepare);
    EXPECT_TRUE(contains(native.out, "children 0"));
    EXPECT_EQ(launched.out, native.out);
    EXPECT_EQ(launched.err, "");
  }
}

// What a socket-activated Type=notify service does first.
constexpr const char* kService = R"(
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(void) {
  struct sockaddr_un to = {AF_UNIX, ""};
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0), type = 0;
  socklen_t size = sizeof type;
  if (atoi(getenv("LISTEN_PID")) != getpid()) return 1;
  if (getsockopt(3, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM) return 2;
  strncpy(to.sun_path, getenv("NOTIFY_SOCKET"), sizeof to.sun_path - 1);
  return sendto(fd, "READY=1", 7, 0, (struct sockaddr*)&to, sizeof to) == 7 ? 0 : 3;
})";

TEST_F(KevRun, AServiceSeesItsActivationAndItsManagerSeesTheService) {
  std::string service = compile("service", kService, "cc");
  ASSERT_NE(service, "");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::string name = folder_ + "/notify";
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  int manager = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int on = 1;
  ASSERT_EQ(::bind(manager, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::setsockopt(manager, SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);

  // LISTEN_PID must be the pid that the child gets: a shell that execs kev-run knows it.
  std::string command = "LISTEN_PID=$$ exec \"$0\" --stats \"$1\"";
  Result result = finish(start({"/bin/sh", "-c", command, launcher_, service},
                               {{"LISTEN_FDS", "1"}, {"NOTIFY_SOCKET", name}}, [] {
                                 int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
                                 ::dup2(listener, 3);
                                 if (listener != 3) ::close(listener);
                               }));
  EXPECT_EQ(result.status, 0) << result.err;

  char text[32] = {};
  char control[CMSG_SPACE(sizeof(ucred))];
  iovec part = {text, sizeof text - 1};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ASSERT_EQ(::recvmsg(manager, &message, 0), 7);
  EXPECT_STREQ(text, "READY=1");
  ucred sender = {};
  std::memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof sender);
  EXPECT_EQ(sender.pid, result.pid);
  ::close(manager);
}

TEST_F(KevRun, VerboseSaysWhatWasDecided) {
  Result result = run({"--verbose", "/bin/true"});
  EXPECT_TRUE(contains(result.err, "kev-run: /bin/true: LD_PRELOAD=" + object_)) << result.err;
  EXPECT_TRUE(contains(run({"--verbose", "--engine=off", "/bin/true"}).err, "runs natively"));
}

}  // namespace
}  // namespace kev_run_test
