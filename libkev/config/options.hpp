// The options of the shim, as values.
//
// Lives here: the parsed form and the two ways in (environment, one NAME=VALUE at a time), and the rows of the
// table for those who print it. The table itself is options.def. Runs in the preload object's constructor and in
// kev-run: no allocation, no stdio, no libc beyond memory and string functions.
#pragma once

namespace kev::config {

// In the order in which options.def lists their values.
enum class Engine : unsigned char { auto_, epoll, off };
enum class StatsFormat : unsigned char { text, json };

// The defaults are options.def's; options.cpp refuses to compile if they are not.
struct Options {
  Engine engine = Engine::auto_;
  // Null: off. Else where the counters go, in the forms that stats/page.hpp names: "" or "1" a file of its own and
  // the report on stderr, "stderr:PATH" the same with the file given, any other the path of the file (%p: pid).
  const char* stats = nullptr;
  StatsFormat stats_format = StatsFormat::text;
  bool verbose = false;
  unsigned mirror_min = 16;
  unsigned promote_after = 2;
  unsigned verify_usec = 5000;
  unsigned bell_after = 64;
  unsigned spin_usec = 0;
};

// What was wrong with one setting. `allowed` is null when the name itself is not one of ours.
struct Complaint {
  const char* name;
  unsigned name_length;
  const char* value;
  const char* allowed;
};
using ComplaintSink = void (*)(const Complaint&);

// One row of options.def.
enum class Kind : unsigned char { choice, number, string, toggle };
struct Entry {
  Kind kind;
  const char* name;     // in the environment
  const char* flag;     // on the command line; null if there is none
  const char* initial;  // as text; null if unset
  const char* allowed;  // "a|b|c", "1..100", or the metavariable
  const char* help;
};
struct Entries {
  const Entry* first;
  unsigned count;
  const Entry* begin() const { return first; }
  const Entry* end() const { return first + count; }
};
Entries entries();

// Sets the option whose environment name is `name` (not terminated, `name_length` bytes) from `value`.
// A value that is not allowed leaves the option as it was. Returns false, and fills `complaint`, if the name
// or the value is refused. Keeps a string option's `value` by pointer. Async-signal-safe.
bool set(Options& options, const char* name, unsigned name_length, const char* value, Complaint& complaint);

// Reads every KEV_* variable of `envp`, reporting each refused one to `sink` (which may be null).
// Variables that only kev-run and the object exchange (KEV_PROBED, KEV_OBJECT) are skipped. Async-signal-safe.
Options from_environment(char* const* envp, ComplaintSink sink);

}  // namespace kev::config
