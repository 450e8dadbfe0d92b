// Lines on stderr, text on stdout.
#include "message.hpp"

#include "os/file.hpp"

#include <cstring>
#include <unistd.h>

namespace kev::run {

void say(std::initializer_list<std::string_view> parts) {
  std::string line = "kev-run: ";
  for (std::string_view part : parts) line += part;
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  line += '\n';
  os::write_all(STDERR_FILENO, line.data(), line.size());
}

bool print(std::string_view text) { return os::write_all(STDOUT_FILENO, text.data(), text.size()) == 0; }

std::string error_text(int error) { return std::strerror(error); }

}  // namespace kev::run
