// Running the loader in its listing mode, in which no code of the program or its libraries runs.
#include "loader_check.hpp"

#include "child.hpp"

#include <sstream>

namespace kev::run {

namespace {

// "ERROR: ld.so: object 'X' from LD_PRELOAD cannot be preloaded (file too short): ignored." without the frame.
std::string reason_in(const std::string& line) {
  size_t begin = line.rfind('(');
  size_t end = line.rfind(')');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return line;
  return line.substr(begin + 1, end - begin - 1);
}

}  // namespace

std::string loader_refusal(const Target& target, const Environment& environment, const std::string& object) {
  Environment listing = environment;
  for (const char* name : {"LD_DEBUG", "LD_DEBUG_OUTPUT", "LD_VERBOSE", "LD_WARN", "LD_BIND_NOW"}) listing.unset(name);
  listing.set("LD_TRACE_LOADED_OBJECTS", "1");
  std::string loader = target.loader;
  std::string program = target.executable;
  char* argv[] = {loader.data(), program.data(), nullptr};
  std::string output;
  if (!run_and_read(loader.c_str(), argv, listing.pointers().data(), output))
    return "the loader " + loader + " could not be asked";

  bool listed = false;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("\t" + object + " (0x", 0) == 0) listed = true;
    else if (line.find("'" + object + "' from LD_PRELOAD") != std::string::npos)
      return "the loader refuses " + object + " (" + reason_in(line) + ")";
    else if (line.find("(required by " + object + ")") != std::string::npos) return line;
  }
  return listed ? "" : "the loader " + loader + " did not load " + object;
}

}  // namespace kev::run
