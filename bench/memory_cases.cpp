// Memory, not time: what an array costs for each of its descriptors, in the program's own memory and in the kernel's;
// and what a doorbell costs.
//
// A call is a descriptor or a bell, and what is added up are bytes. Each figure comes from a process of its own, in which
// nothing has been polled yet. What the core costs by itself, however small the array, is a figure of its own, and is
// taken off the others.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include "case.hpp"
#include "fixture.hpp"

namespace kev::bench {

namespace {

constexpr unsigned kSmall = 16;   // the smallest array that the core answers
constexpr unsigned kSpare = 100;  // descriptors that are open besides
constexpr int kCalls = 200;       // until nothing changes any more: all is watched, and a bell may hang

// Reads a file of the kernel's into `text`; false if there is none.
template <size_t Size>
bool read_text(const char* path, char (&text)[Size]) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? -1 : read(fd, text, Size - 1);
  if (fd >= 0) close(fd);
  if (size > 0) text[size] = '\0';
  return size > 0;
}

// The pages that are this process's alone. No allocation.
int64_t private_bytes() {
  char text[4096];
  require(read_text("/proc/self/smaps_rollup", text), "no /proc/self/smaps_rollup");
  int64_t kilobytes = 0;
  for (const char* name : {"\nPrivate_Clean:", "\nPrivate_Dirty:"}) {
    const char* at = strstr(text, name);
    require(at != nullptr, "smaps_rollup does not tell");
    kilobytes += atol(at + strlen(name));
  }
  return kilobytes * 1024;
}

// What the kernel keeps of an epoll registration: the item, its place in the file's queue, and the file's list.
constexpr const char* kCaches[] = {"eventpoll_epi", "eventpoll_pwq", "ep_head"};

int64_t slab_figure(const char* cache, const char* name) {
  char path[96], text[256];
  snprintf(path, sizeof path, "/sys/kernel/slab/%s/%s", cache, name);
  return read_text(path, text) ? atol(text) : -1;
}

// In the whole machine: a quiet one is needed. -1 if the kernel does not tell (it tells root).
int64_t registration_bytes() {
  int64_t bytes = 0;
  for (const char* cache : kCaches) {
    int64_t objects = slab_figure(cache, "objects"), size = slab_figure(cache, "slab_size");
    if (objects < 0 || size < 0) return -1;
    bytes += objects * size;
  }
  return bytes;
}

// An array that is polled.
struct Array {
  explicit Array(unsigned count) : fds(count, 0), entries(fds.array()) { poll(entries.data(), 1, 0); }
  void use() {
    for (int i = 0; i < kCalls; ++i) poll(entries.data(), entries.size(), 0);
  }
  EventFds fds;
  std::vector<pollfd> entries;
};

// Sets that get a bell each, if they are few.
struct Sets {
  explicit Sets(unsigned count) : fds(count, 0) {
    for (const Fd& fd : fds.fds) {
      epoll_event event = {EPOLLIN, {}};
      sets.emplace_back(epoll_create1(EPOLL_CLOEXEC));
      require(epoll_ctl(sets.back().get(), EPOLL_CTL_ADD, fd.get(), &event) == 0, "epoll_ctl failed");
    }
  }
  void use() {
    epoll_event event;
    for (const Fd& set : sets)
      for (int i = 0; i < kCalls; ++i) epoll_wait(set.get(), &event, 1, 0);
  }
  EventFds fds;
  std::vector<Fd> sets;
};

// By how much `figure` grows, in a process of its own, when `count` of the subject's come to be used.
template <typename Subject>
int64_t growth(unsigned count, int64_t (*figure)()) {
  int ends[2];
  require(pipe(ends) == 0, "no pipe");
  pid_t child = fork();
  require(child >= 0, "fork failed");
  if (child == 0) {
    Subject subject(count);
    figure();
    int64_t before = figure();
    subject.use();
    int64_t grown = figure() - before;
    _exit(write(ends[1], &grown, sizeof grown) == sizeof grown ? 0 : 1);
  }
  close(ends[1]);
  int64_t grown = 0;
  ssize_t size = read(ends[0], &grown, sizeof grown);
  close(ends[0]);
  int status = -1;
  require(waitpid(child, &status, 0) == child && status == 0 && size == sizeof grown, "the child failed");
  return grown;
}

rlim_t descriptor_limit() {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max;
}

void raise_descriptor_limit() {
  rlimit limit = {descriptor_limit(), descriptor_limit()};
  setrlimit(RLIMIT_NOFILE, &limit);
}

// What `count` cost, less what `few` do.
template <typename Subject>
struct Measured final : Fixture {
  Measured(unsigned all, unsigned less, int64_t (*what)()) : count(all), few(less), figure(what) {
    raise_descriptor_limit();
  }
  void run(uint64_t, Stopwatch& watch) override {
    watch.add(growth<Subject>(count, figure) - (few > 0 ? growth<Subject>(few, figure) : 0));
  }
  unsigned count, few;
  int64_t (*figure)();
};

template <typename Subject>
void add_figure(Cases& cases, const std::string& name, Limit limit, unsigned count, unsigned few, int64_t (*figure)()) {
  cases.add(name, limit, [=] { return std::make_unique<Measured<Subject>>(count, few, figure); }, Clock::none,
            count - few);
}

}  // namespace

void add_memory_cases(Cases& cases) {
  cases.add("memory/core", kNoLimit, [] { return std::make_unique<Measured<Array>>(kSmall, 0, private_bytes); },
            Clock::none, 1);
  for (unsigned count : {1000u, 8000u, 16'000u, 30'000u}) {
    if (descriptor_limit() < count + kSpare) continue;
    std::string name = "memory/poll/" + std::to_string(count);
    add_figure<Array>(cases, name, kSixtyFourBytes, count, kSmall, private_bytes);
    if (count >= 8000 && registration_bytes() >= 0)
      add_figure<Array>(cases, name + "/kernel", kNoLimit, count, 0, registration_bytes);
  }
  add_figure<Sets>(cases, "memory/bell", kNoLimit, 3, 1, private_bytes);
}

}  // namespace kev::bench
