// kev-run: becomes the program, with libkev's preload object in front of its libc.
//
// Lives here: the order of the decisions. Every one that goes wrong ends in the program running natively, with one
// line on stderr that says why, or, with --strict, in status 125. kev-run replaces itself: pid, parent, terminal,
// descriptors, signal mask and dispositions are the program's from the start, and nothing stays behind.
#include "command_line.hpp"
#include "config/probed.hpp"
#include "environment.hpp"
#include "loader_check.hpp"
#include "message.hpp"
#include "object.hpp"
#include "os/file.hpp"
#include "probe.hpp"
#include "report_command.hpp"
#include "stats_file.hpp"
#include "target.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace kev::run {

namespace {

int fail_to_run(const char* program, int error) {
  say({program, ": ", error_text(error)});
  return error == ENOENT ? kNotFound : kNotExecutable;
}

// Returns only if it cannot: the exit status.
int become(const Target& target, char** argv, Environment& environment) {
  std::vector<char*> envp = environment.pointers();
  ::execve(target.path.c_str(), argv, envp.data());
  int error = errno;
  if (error == ENOEXEC && target.executable == "/bin/sh") {
    // As execvp does with a file that the kernel does not know.
    std::string path = target.path;
    std::vector<char*> shell = {const_cast<char*>("/bin/sh"), path.data()};
    for (char** at = argv + 1; *at != nullptr; ++at) shell.push_back(*at);
    shell.push_back(nullptr);
    ::execve("/bin/sh", shell.data(), envp.data());
    error = errno;
  }
  return fail_to_run(argv[0], error);
}

void set_preload(Environment& environment, const std::string& value) {
  if (value.empty()) environment.unset("LD_PRELOAD");
  else environment.set("LD_PRELOAD", value);
}

// Why the object cannot be preloaded, or "". Leaves `environment` composed for it.
std::string preload(const Target& target, const std::string& object, Environment& environment) {
  if (!target.obstacle.empty()) return target.obstacle;
  if (object.empty()) return "libkev-preload.so was not found";
  if (object.find_first_of(" :") != std::string::npos) return object + " holds a blank or a colon: LD_PRELOAD cannot";
  environment.set("LD_PRELOAD", with_object(environment.get("LD_PRELOAD"), object, target.sanitizer));
  return loader_refusal(target, environment, object);
}

struct Settings {
  config::Options options;
  bool wrong_value = false;  // of an option or variable: nobody knows what was meant, so the program runs natively
  bool unknown_name = false;
};

// The environment's settings overridden by the flags'; complains of what is wrong. `environment` gets what holds.
Settings settle(const CommandLine& line, char** envp, Environment& environment) {
  Settings out;
  Findings findings = check_settings(envp);
  for (const std::string& text : findings.unknown_names) say({text, line.strict ? ": not run (--strict)" : ""});
  std::vector<std::string> wrong = line.complaints;
  wrong.insert(wrong.end(), findings.bad_values.begin(), findings.bad_values.end());
  for (const std::string& text : wrong) say({text, line.strict ? ": not run (--strict)" : ": runs natively"});
  for (const auto& [name, value] : line.settings) environment.set(name, value);
  out.wrong_value = !wrong.empty();
  out.unknown_name = !findings.unknown_names.empty();
  out.options = config::from_environment(environment.pointers().data(), nullptr);
  return out;
}

int run(const CommandLine& line, char** envp) {
  Environment environment(envp);
  Settings settings = settle(line, envp, environment);
  if (line.strict && (settings.wrong_value || settings.unknown_name)) return kRefused;
  if (*line.program == nullptr) {
    say({"no program given (kev-run --help tells how)"});
    return kRefused;
  }
  Restrictions restrictions = read_restrictions();
  Target target = find_target(*line.program, restrictions.no_new_privileges);
  if (target.error != 0) return fail_to_run(*line.program, target.error);

  std::string object = find_object();
  Environment native(envp);
  if (native.has("LD_PRELOAD")) set_preload(native, without_object(native.get("LD_PRELOAD"), object));
  bool verbose = settings.options.verbose;
  if (settings.wrong_value) return become(target, line.program, native);
  if (settings.options.engine == config::Engine::off) {
    if (settings.options.stats != nullptr) say({"the engine is off: nothing is counted"});
    else if (verbose) say({"the engine is off: ", target.path, " runs natively"});
    return become(target, line.program, native);
  }

  std::string why_not = preload(target, object, environment);
  if (!why_not.empty()) {
    say({why_not, line.strict ? ": not run (--strict)" : ": runs natively"});
    return line.strict ? kRefused : become(target, line.program, native);
  }

  environment.unset(config::kProbedVariable);
  if (restrictions.filtered && restrictions.counted) {
    std::string probed = probe_calls(restrictions.filters);
    if (!probed.empty()) environment.set(config::kProbedVariable, probed);
  }
  StatsFile stats;
  if (settings.options.stats != nullptr) {
    bool measure = restrictions.known && !restrictions.filtered;
    stats = prepare_stats_file(environment.get("KEV_STATS"), environment, measure);
    if (!stats.error.empty()) {
      say({"--stats: ", stats.error});
      if (line.strict) return kRefused;
      environment.unset("KEV_STATS");
    } else {
      environment.set("KEV_STATS", stats.value);
    }
  }
  if (verbose) {
    say({target.path, ": LD_PRELOAD=", environment.get("LD_PRELOAD")});
    if (environment.has(config::kProbedVariable)) say({"KEV_PROBED=", environment.get(config::kProbedVariable)});
    if (!stats.path.empty() && stats.error.empty()) say({"counters in ", stats.path});
  }
  int status = become(target, line.program, environment);
  if (stats.created) os::unlink(stats.path.c_str());
  return status;
}

}  // namespace

}  // namespace kev::run

int main(int, char** argv, char** envp) {
  using namespace kev::run;
  CommandLine line = parse_command_line(argv);
  Environment environment(envp);
  for (const auto& [name, value] : line.settings) environment.set(name, value);
  kev::config::Options options = kev::config::from_environment(environment.pointers().data(), nullptr);
  if (line.help) return print(help_text(options.verbose)) ? 0 : kRefused;
  if (line.version) return print(version_text()) ? 0 : kRefused;
  if (line.report != nullptr) {
    for (const std::string& text : line.complaints) say({text});
    return line.complaints.empty() ? report(line.report, options.stats_format) : kRefused;
  }
  return run(line, envp);
}
