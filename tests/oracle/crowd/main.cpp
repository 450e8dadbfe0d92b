// oracle-crowd: threads without barriers, natively and under the shim; no event is lost, no wait hangs, nothing is reported
// for what is closed.
//
// oracle-crowd --preload=OBJECT [--engine=auto|epoll] [--seconds=S] [--seed=N]
//
// Lives here: the driver, which starts itself anew as a player for some seconds at a time.
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <getopt.h>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "../driver/share.hpp"
#include "consumer.hpp"
#include "figures.hpp"
#include "round.hpp"

extern char** environ;

namespace {

using namespace crowd;

struct Options {
  std::string preload, engine = "auto";
  double seconds = 20;
  uint64_t seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) & 0xffffffff;
  double play = 0;  // seconds: this process is a player
  bool native = false;
};

Options parse(int argc, char** argv) {
  Options options;
  const option names[] = {{"preload", 1, nullptr, 'p'}, {"engine", 1, nullptr, 'e'}, {"seconds", 1, nullptr, 't'},
                          {"seed", 1, nullptr, 's'},    {"play", 1, nullptr, 'P'},   {"native", 0, nullptr, 'n'}, {}};
  for (int c; (c = getopt_long(argc, argv, "", names, nullptr)) != -1;) switch (c) {
      case 'p': options.preload = optarg; break;
      case 'e': options.engine = optarg; break;
      case 't': options.seconds = strtod(optarg, nullptr); break;
      case 's': options.seed = strtoull(optarg, nullptr, 0); break;
      case 'P': options.play = strtod(optarg, nullptr); break;
      case 'n': options.native = true; break;
      default: exit(2);
    }
  if (optind == argc && (options.play > 0 || !options.preload.empty())) return options;
  fprintf(stderr, "usage: oracle-crowd --preload=OBJECT [--engine=auto|epoll] [--seconds=S] [--seed=N]\n");
  exit(2);
}

int play(const Options& options) {
  attach_figures(kFiguresFd);
  close(kFiguresFd);
  if (figures == nullptr) return 2;
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max < 2048 ? limit.rlim_max : 2048;
  setrlimit(RLIMIT_NOFILE, &limit);
  install_handlers();
  int64_t end = now_ns() + static_cast<int64_t>(options.play * 1e9);
  uint64_t failed = figures->failures;
  for (uint64_t seed = options.seed; now_ns() < end; ++seed) run_round(seed, options.native);
  return figures->failures == failed ? 0 : 1;
}

[[noreturn]] void become_player(const Options& options, double seconds, uint64_t seed, bool native, int figures_fd,
                                const std::string& stats) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
  dup2(figures_fd, kFiguresFd);
  fcntl(kFiguresFd, F_SETFD, 0);
  std::vector<std::string> words = {"oracle-crowd", "--play=" + std::to_string(seconds), "--seed=" + std::to_string(seed)};
  if (native) words.push_back("--native");
  std::vector<char*> arguments, environment;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  for (char** at = environ; *at != nullptr; ++at)
    if (strncmp(*at, "LD_PRELOAD=", 11) != 0 && strncmp(*at, "KEV_", 4) != 0) environment.push_back(*at);
  std::vector<std::string> settings = {"LD_PRELOAD=" + options.preload, "KEV_ENGINE=" + options.engine, "KEV_MIRROR_MIN=1",
                                       "KEV_PROMOTE_AFTER=1", "KEV_BELL_AFTER=1", "KEV_STATS=" + stats};
  if (!native)
    for (std::string& setting : settings) environment.push_back(setting.data());
  environment.push_back(nullptr);
  execve("/proc/self/exe", arguments.data(), environment.data());
  _exit(2);
}

// Runs a player to its end. A player that does not end by itself is a failure.
void run_player(const Options& options, double seconds, uint64_t seed, bool native, int figures_fd, const std::string& stats) {
  pid_t pid = fork();
  if (pid == 0) become_player(options, seconds, seed, native, figures_fd, stats);
  if (pid < 0) exit(2);
  int64_t began = now_ns();
  int status = 0;
  round_seed = seed;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    pause_us(5000);
    if (now_ns() - began < static_cast<int64_t>((seconds + 60) * 1e9)) continue;
    fail("a player hangs (rounds from this seed on)");
    kill(pid, SIGABRT);
    waitpid(pid, &status, 0);
    break;
  }
  kill(-pid, SIGKILL);  // children of its own that it left
  if (WIFEXITED(status) && WEXITSTATUS(status) > 1) {
    fprintf(stderr, "oracle-crowd: a player ended with %d\n", WEXITSTATUS(status));
    exit(2);
  }
  if (WIFSIGNALED(status)) fail("a player was ended by signal %d (in a round from this seed on)", WTERMSIG(status));
}

void print(const char* who, const Figures& f) {
  auto n = [](const std::atomic<uint64_t>& figure) { return static_cast<unsigned long long>(figure.load()); };
  printf("crowd: %s: %llu rounds, %llu events, %llu waits, %llu changes, %llu cancels, %llu signals, %llu forks, %llu failures\n",
         who, n(f.rounds), n(f.events), n(f.waits), n(f.changes), n(f.cancels), n(f.signals), n(f.forks), n(f.failures));
  fflush(stdout);
}

// Rounds for so long, by players of a few seconds each. False: failed.
bool run_for(const Options& options, double seconds, bool native, const std::string& stats) {
  constexpr double kPlay = 5;
  int fd = memfd_create("crowd", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, sizeof(Figures)) != 0) exit(2);
  attach_figures(fd);
  int64_t end = now_ns() + static_cast<int64_t>(seconds * 1e9);
  uint64_t seed = options.seed;
  for (int64_t left; (left = end - now_ns()) > 0 && figures->failures < 5; ++seed) {
    uint64_t rounds = figures->rounds;
    run_player(options, std::min(kPlay, static_cast<double>(left) / 1e9), seed, native, fd, stats);
    seed += figures->rounds - rounds;
  }
  print(native ? "native" : options.engine.c_str(), *figures);
  bool passed = figures->failures == 0;
  if (passed && figures->rounds == 0) exit(2);
  munmap(figures, sizeof(Figures));
  close(fd);
  return passed;
}

}  // namespace

int main(int argc, char** argv) {
  Options options = parse(argc, argv);
  if (options.play > 0) return play(options);
  printf("crowd: engine %s, first seed %llu\n", options.engine.c_str(), static_cast<unsigned long long>(options.seed));
  fflush(stdout);
  double native = std::min(2.0, options.seconds / 8);
  if (!run_for(options, native, true, "")) {
    printf("crowd: the harness or the kernel is wrong: it failed natively\n");
    return 1;
  }
  oracle::Share share;
  bool passed = run_for(options, options.seconds - native, false, share.path());
  share.print();
  return passed ? 0 : 1;
}
