// Choosing and making the counters file.
#include "stats_file.hpp"

#include "message.hpp"
#include "os/memory.hpp"
#include "os/pid.hpp"
#include "stats/page.hpp"

#include <cerrno>
#include <climits>
#include <unistd.h>

namespace kev::run {

namespace {

constexpr const char* kOnStderr = "stderr:";

// Whether the file counts for a program that still runs: an outer kev-run, whose children join it.
bool in_use(const char* path) {
  int error = 0;
  const stats::Header* header = stats::map_existing(path, error);
  if (header == nullptr) return false;
  unsigned pid = header->main_pid.load(std::memory_order_relaxed);
  os::munmap(const_cast<stats::Header*>(header), stats::kFileBytes);
  return pid != 0 && pid != os::getpid() && os::process_runs(pid);
}

std::string explain(const std::string& path, int error) {
  if (error == -EEXIST) return path + " is not a counters file of this version and is left alone: nothing is counted";
  return path + ": " + error_text(-error) + ": nothing is counted";
}

// The program's children may run in another folder.
std::string absolute_pattern(const std::string& pattern) {
  char folder[PATH_MAX];
  if (pattern[0] == '/' || ::getcwd(folder, sizeof folder) == nullptr) return pattern;
  std::string out;
  for (const char* at = folder; *at != '\0'; ++at) out += *at == '%' ? "%%" : std::string(1, *at);
  return out + "/" + pattern;
}

}  // namespace

StatsFile prepare_stats_file(const std::string& setting, const Environment& environment, bool measure) {
  StatsFile file;
  bool chosen_here = setting.empty() || setting == "1";
  bool on_stderr = chosen_here || setting.rfind(kOnStderr, 0) == 0;
  std::string pattern = on_stderr ? setting : absolute_pattern(setting);
  std::string runtime = environment.get("XDG_RUNTIME_DIR");
  stats::Destination where;
  for (const char* folder : {runtime.c_str(), "/tmp"}) {
    if (!stats::resolve(pattern.c_str(), os::getpid(), folder, where)) {
      file.error = "the name of the counters file is empty or too long: nothing is counted";
      return file;
    }
    file.path = where.path;
    file.error.clear();
    if (in_use(where.path)) break;
    int error = stats::create_page(where.path, measure);
    file.created = error == 0;
    if (error < 0) file.error = explain(file.path, error);
    if (error == 0 || !chosen_here) break;
  }
  file.value = on_stderr ? kOnStderr + file.path : pattern;
  return file;
}

}  // namespace kev::run
