// Parsing the command line and printing what it may hold, both from the option table.
#include "command_line.hpp"

#include "config/options.hpp"

#include <cstring>
#include <kev/version.h>
#include <string_view>

namespace kev::run {

namespace {

using config::Entry;
using config::Kind;

const Entry* entry_for(std::string_view flag) {
  for (const Entry& entry : config::entries())
    if (entry.flag != nullptr && flag == entry.flag) return &entry;
  return nullptr;
}

// "--flag" or "--flag=value" of the table. False if it is none of its flags.
bool take_setting(std::string_view argument, CommandLine& line) {
  size_t equals = argument.find('=');
  std::string flag(argument.substr(0, equals));
  const Entry* entry = entry_for(flag);
  if (entry == nullptr) return false;
  bool has_value = equals != std::string_view::npos;
  if (!has_value && entry->kind != Kind::string && entry->kind != Kind::toggle) {
    line.complaints.push_back(flag + " needs a value: " + flag + "=" + entry->allowed);
    return true;
  }
  std::string value = has_value ? std::string(argument.substr(equals + 1)) : entry->kind == Kind::toggle ? "1" : "";
  config::Options scratch;
  config::Complaint complaint;
  if (config::set(scratch, entry->name, static_cast<unsigned>(std::strlen(entry->name)), value.c_str(), complaint))
    line.settings.emplace_back(entry->name, value);
  else
    line.complaints.push_back(flag + "=" + value + " is not one of " + entry->allowed);
  return true;
}

std::string columns(const std::string& left, const std::string& right) {
  constexpr size_t kWidth = 30;
  std::string text = "  " + left;
  if (text.size() + 2 > kWidth)
    text += "\n" + std::string(kWidth, ' ');
  else
    text.resize(kWidth, ' ');
  return text + right + "\n";
}

std::string flag_form(const Entry& entry) {
  switch (entry.kind) {
    case Kind::toggle: return entry.flag;
    case Kind::string: return std::string(entry.flag) + "[=" + entry.allowed + "]";
    default: return std::string(entry.flag) + "=" + entry.allowed;
  }
}

}  // namespace

CommandLine parse_command_line(char** argv) {
  CommandLine line;
  char** at = *argv != nullptr ? argv + 1 : argv;
  for (; *at != nullptr; ++at) {
    std::string_view argument = *at;
    if (argument == "--") {
      ++at;
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') break;
    if (argument == "--help" || argument == "-h") {
      line.help = true;
    } else if (argument == "--version") {
      line.version = true;
    } else if (argument == "--strict") {
      line.strict = true;
    } else if (argument == "--report") {
      if (at[1] != nullptr) ++at;
      line.report = argument.data() == *at ? "" : *at;
    } else if (argument.substr(0, 9) == "--report=") {
      line.report = *at + 9;
    } else if (!take_setting(argument, line)) {
      line.complaints.push_back("unknown option " + std::string(argument) + " (kev-run --help lists them)");
    }
  }
  line.program = at;
  return line;
}

std::string help_text(bool with_tuning) {
  std::string text =
      "Usage: kev-run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
      "       kev-run --report PID|FILE [--stats-format=text|json]\n"
      "Run PROGRAM with its poll, select and epoll calls answered by libkev.\n\n";
  for (const Entry& entry : config::entries())
    if (entry.flag != nullptr) {
      std::string note = entry.kind == Kind::choice ? std::string(" (default ") + entry.initial + ")" : "";
      text += columns(flag_form(entry), entry.help + note);
    }
  text += columns("--strict", "refuse, with status 125, what would otherwise run natively");
  text += columns("--report PID|FILE", "print the statistics of a running process, or of a counters file");
  text += columns("--version", "print the version");
  text += columns("--help", "print this; with --verbose also what tunes the core");
  text += "\n--engine=off is native: the program runs as if kev-run were not there. --engine=epoll is not: poll and\n"
          "select are still answered by the core.\n"
          "Each option is also an environment variable; a flag overrides it:\n";
  for (const Entry& entry : config::entries()) {
    if (entry.flag != nullptr) text += columns(std::string(entry.name) + "=" + entry.allowed, entry.flag);
    else if (with_tuning)
      text += columns(std::string(entry.name) + "=" + entry.allowed,
                      std::string(entry.help) + " (default " + entry.initial + ")");
  }
  text += "\nExit status: the program's own; 125 if kev-run itself fails or refuses, 126 if PROGRAM cannot be run,\n"
          "127 if it is not found.\n";
  return text;
}

std::string version_text() {
  return "kev-run " + std::to_string(KEV_VERSION_MAJOR) + "." + std::to_string(KEV_VERSION_MINOR) + "." +
         std::to_string(KEV_VERSION_PATCH) + "\n";
}

}  // namespace kev::run
