// Worker processes and started programs; the contract stands in side.hpp.
#include "side.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace kev::bench {

namespace {

// The environment of this process without what concerns libkev, plus what the mode asks for.
class Environment {
 public:
  Environment(Mode mode, const Options& options) {
    for (char** at = environ; *at != nullptr; ++at)
      if (strncmp(*at, "KEV_", 4) != 0 && strncmp(*at, "LD_PRELOAD=", 11) != 0) strings_.emplace_back(*at);
    if (mode != Mode::native) strings_.push_back(std::string("LD_PRELOAD=").append(options.object));
    if (mode == Mode::kev_stats) strings_.push_back("KEV_STATS=/tmp/kev-bench-%p.stats");
    for (std::string& string : strings_) pointers_.push_back(string.data());
    pointers_.push_back(nullptr);
  }
  char** get() { return pointers_.data(); }

 private:
  std::vector<std::string> strings_;
  std::vector<char*> pointers_;
};

pid_t spawn(const char* path, const std::vector<const char*>& arguments, char** environment,
            const posix_spawn_file_actions_t* actions) {
  std::vector<char*> argv;
  for (const char* argument : arguments) argv.push_back(const_cast<char*>(argument));
  argv.push_back(nullptr);
  pid_t pid;
  int error = posix_spawn(&pid, path, actions, nullptr, argv.data(), environment);
  if (error != 0) throw std::system_error(error, std::generic_category(), path);
  return pid;
}

// A process of this executable that runs slices on request (worker.cpp).
class Worker final : public Side {
 public:
  Worker(const Case& which, Mode mode, const Options& options) : mode_(mode) {
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
      throw std::system_error(errno, std::generic_category(), "pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    std::string path = own_path();
    Environment environment(mode, options);
    pid_ = spawn(path.c_str(), {"kev-bench", "--worker"}, environment.get(), &actions);
    posix_spawn_file_actions_destroy(&actions);
    ::close(to[0]);
    ::close(from[1]);
    requests_ = fdopen(to[1], "w");
    answers_ = fdopen(from[0], "r");
    // The answer to the name says whether the object is there: LD_PRELOAD fails in silence.
    fprintf(requests_, "%s\n", which.name.c_str());
    bool preloaded = answer() != 0;
    if (preloaded != (mode != Mode::native)) throw std::runtime_error("the object was not loaded: " + options.object);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() override {
    fclose(requests_);
    fclose(answers_);
    waitpid(pid_, nullptr, 0);
    if (mode_ == Mode::kev_stats)
      unlink(std::string("/tmp/kev-bench-").append(std::to_string(pid_)).append(".stats").c_str());
  }

  double run(uint64_t calls) override {
    fprintf(requests_, "%llu\n", static_cast<unsigned long long>(calls));
    return answer();
  }

 private:
  double answer() {
    fflush(requests_);
    char line[256];
    if (fgets(line, sizeof line, answers_) == nullptr) throw std::runtime_error("the worker is gone");
    char* end;
    double value = strtod(line, &end);
    if (end == line || *end != '\n') throw std::runtime_error(line);
    return value;
  }

  Mode mode_;
  pid_t pid_;
  FILE* requests_;
  FILE* answers_;
};

// Starts true(1) and waits for it.
class Starter final : public Side {
 public:
  Starter(const Case& which, Mode mode, const Options& options)
      : clock_(which.clock),
        by_kev_run_(which.kind == Case::Kind::spawn_kev_run && mode != Mode::native),
        kev_run_(options.kev_run),
        environment_(by_kev_run_ ? Mode::native : mode, options) {}

  double run(uint64_t calls) override {
    constexpr char kTrue[] = "/bin/true";
    Stopwatch watch(clock_);
    watch.start();
    for (; calls > 0; --calls) {
      pid_t pid = by_kev_run_ ? spawn(kev_run_.c_str(), {"kev-run", "--", kTrue}, environment_.get(), nullptr)
                              : spawn(kTrue, {"true"}, environment_.get(), nullptr);
      int status;
      require(waitpid(pid, &status, 0) == pid && status == 0, "true(1) failed");
    }
    watch.stop();
    return static_cast<double>(watch.ns());
  }

 private:
  Clock clock_;
  bool by_kev_run_;
  std::string kev_run_;
  Environment environment_;
};

}  // namespace

std::unique_ptr<Side> make_side(const Case& which, Mode mode, const Options& options) {
  if (which.kind == Case::Kind::worker) return std::make_unique<Worker>(which, mode, options);
  return std::make_unique<Starter>(which, mode, options);
}

}  // namespace kev::bench
