// Finding the counters of a process in its memory map, and printing them.
#include "report_command.hpp"

#include "message.hpp"
#include "stats/page.hpp"
#include "stats/report.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace kev::run {

namespace {

struct Mapping {
  std::string range;  // "start-end", as /proc/PID/map_files names it
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
};

// One line of /proc/PID/maps, if it is a shared mapping of a file.
bool parse_mapping(const std::string& line, Mapping& out) {
  std::istringstream fields(line);
  std::string mode, offset, device;
  unsigned long inode = 0;
  if (!(fields >> out.range >> mode >> offset >> device >> inode)) return false;
  if (mode.size() < 4 || mode[3] != 's' || inode == 0) return false;
  std::getline(fields >> std::ws, out.path);
  unsigned high = 0;
  unsigned low = 0;
  if (std::sscanf(device.c_str(), "%x:%x", &high, &low) != 2) return false;
  out.device = makedev(high, low);
  out.inode = inode;
  return out.path.size() > 1 && out.path[0] == '/';
}

// The file of the mapping may stand under another root, or its name may be another file's by now: the number tells.
const stats::Header* open_mapping(const std::string& process, const Mapping& mapping) {
  for (const std::string& path :
       {process + "/map_files/" + mapping.range, process + "/root" + mapping.path, mapping.path}) {
    struct stat status;
    if (::stat(path.c_str(), &status) != 0 || status.st_ino != mapping.inode) continue;
    int error = 0;
    if (const stats::Header* header = stats::map_existing(path.c_str(), error)) return header;
  }
  return nullptr;
}

// The pid by which a process in a pid namespace knows itself: what stands in its slot.
unsigned own_pid(const std::string& process, unsigned pid) {
  std::ifstream status(process + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("NSpid:", 0) != 0) continue;
    std::istringstream pids(line.substr(6));
    for (unsigned each; pids >> each;) pid = each;
  }
  return pid;
}

int print_report(const stats::Header* header, unsigned pid, config::StatsFormat format) {
  std::string output;
  stats::write_report(
      header, pid, format,
      [](void* to, const char* text, unsigned length) { static_cast<std::string*>(to)->append(text, length); }, &output);
  if (print(output)) return 0;
  say({"--report: cannot write to stdout"});
  return kRefused;
}

int report_process(const char* target, config::StatsFormat format) {
  std::string process = std::string("/proc/") + target;
  if (::access(process.c_str(), F_OK) != 0) {
    say({"--report: there is no process ", target, " (a file of that name: ./", target, ")"});
    return kRefused;
  }
  std::ifstream maps(process + "/maps");
  std::string line;
  if (!std::getline(maps, line)) {
    say({"--report: the memory map of process ", target, " cannot be read: ", error_text(EACCES)});
    return kRefused;
  }
  std::set<ino_t> seen;
  bool removed = false;
  do {
    Mapping mapping;
    if (!parse_mapping(line, mapping) || !seen.insert(mapping.inode).second) continue;
    if (const stats::Header* header = open_mapping(process, mapping))
      return print_report(header, own_pid(process, static_cast<unsigned>(std::strtoul(target, nullptr, 10))), format);
    removed |= mapping.path.find(".stats (deleted)") != std::string::npos;
  } while (std::getline(maps, line));
  if (removed) say({"--report: the counters file of process ", target, " was removed"});
  else say({"--report: process ", target, " counts nothing (start it with kev-run --stats)"});
  return kRefused;
}

}  // namespace

int report(const char* target, config::StatsFormat format) {
  std::string name = target;
  if (name.empty()) {
    say({"--report needs a process id or a counters file"});
    return kRefused;
  }
  if (name.find_first_not_of("0123456789") == std::string::npos) return report_process(target, format);
  int error = 0;
  const stats::Header* header = stats::map_existing(target, error);
  if (header != nullptr) return print_report(header, 0, format);
  say({"--report: ", target, ": ", error == -EINVAL ? "not a counters file of this version" : error_text(-error)});
  return kRefused;
}

}  // namespace kev::run
