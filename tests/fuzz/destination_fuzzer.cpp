// KEV_STATS: where the counters go. A line with the folder, one with the value; the process id is the input's size.
#include "input.hpp"
#include "stats/page.hpp"

using namespace kev::stats;

namespace {

std::string expanded(const std::string& pattern, unsigned pid) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char next = pattern[i] == '%' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (next == 'p') out += std::to_string(pid);
    else out += pattern[i];
    if (next == 'p' || next == '%') ++i;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  unsigned pid = static_cast<unsigned>(size);
  std::string folder = input.line(), value = input.line();
  fuzz::Environ memory({folder, value});

  for (unsigned room = 1; room < 64; ++room) {
    auto* out = static_cast<char*>(std::malloc(room));
    bool fits = expand_path(memory.get()[1], pid, out, room);
    HOLDS(fits == (expanded(value, pid).size() < room));
    HOLDS(!fits || expanded(value, pid) == out);
    std::free(out);
  }

  Destination where = {};
  bool good = resolve(memory.get()[1], pid, memory.get()[0], where);
  std::string path;
  bool by_default = value.empty() || value == "1";
  if (by_default) path = (folder[0] == '/' ? folder : "/tmp") + "/kev-" + std::to_string(pid) + ".stats";
  else if (value.rfind("stderr:", 0) == 0) path = value.substr(7);
  else path = expanded(value, pid);
  HOLDS(good == (!path.empty() && path.size() < kPathBytes));
  HOLDS(!good || path == where.path);
  HOLDS(!good || where.on_stderr == (by_default || value.rfind("stderr:", 0) == 0));
  return 0;
}
