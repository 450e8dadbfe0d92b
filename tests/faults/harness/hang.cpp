// Reads /proc of a process that hangs.
#include "harness/hang.hpp"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

namespace faults {

namespace {

std::string contents(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Range {
  uint64_t from, to, base;
};

// The object's code in the process.
Range code_of(pid_t process, const Object& object) {
  std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
  Range range = {0, 0, 0};
  for (std::string line; std::getline(maps, line);) {
    if (line.find(object.path()) == std::string::npos) continue;
    char* rest;
    const uint64_t from = ::strtoull(line.c_str(), &rest, 16);
    const uint64_t to = ::strtoull(rest + 1, nullptr, 16);
    if (range.base == 0) range.base = from;
    if (line.find(" r-xp ") != std::string::npos) range.from = from, range.to = to;
  }
  return range;
}

}  // namespace

std::string describe_hang(pid_t process, const Object& object) {
  std::ostringstream text;
  const Range code = code_of(process, object);
  const std::string tasks = "/proc/" + std::to_string(process) + "/task/";
  DIR* directory = ::opendir(tasks.c_str());
  if (directory == nullptr) return "process " + std::to_string(process) + " is gone\n";
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    const std::string call = contents(tasks + entry->d_name + "/syscall");
    const std::string status = contents(tasks + entry->d_name + "/status");
    const size_t state = status.find("State:");
    text << "thread " << entry->d_name << ' ' << status.substr(state, status.find('\n', state) - state) << ", syscall "
         << call;
    const size_t mask = status.find("SigPnd:");
    text << "  " << status.substr(mask, status.find("Seccomp:") - mask) << '\n';
    // "number arguments... stack program-counter", or "-1 stack program-counter", or "running".
    std::istringstream words(call);
    const std::vector<std::string> list((std::istream_iterator<std::string>(words)), {});
    if (list.size() < 3) continue;
    uint64_t stack[512] = {};
    iovec here = {stack, sizeof stack};
    iovec there = {reinterpret_cast<void*>(::strtoull(list[list.size() - 2].c_str(), nullptr, 16)), sizeof stack};
    ::process_vm_readv(process, &here, 1, &there, 1, 0);
    for (uint64_t word : stack)
      if (word >= code.from && word < code.to) text << "    " << object.place(word - code.base) << '\n';
  }
  ::closedir(directory);
  return text.str();
}

}  // namespace faults
