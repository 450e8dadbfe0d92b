// The parser that options.def is: every row becomes an entry of the table and a case of set().
//
// Does not live here: who prints complaints, the command line (preload/kev_run), what an option means.
// Runs before main in other people's processes: no allocation, no stdio, no locale.
#include "config/options.hpp"

#include <cstring>

namespace kev::config {

namespace {

// The position of the `length` bytes at `value` among "a|b|c", or -1.
constexpr int choice_index(const char* allowed, const char* value, unsigned long length) {
  int index = 0;
  for (const char* at = allowed;; ++index) {
    const char* end = at;
    while (*end != '\0' && *end != '|') ++end;
    if (static_cast<unsigned long>(end - at) == length) {
      unsigned long i = 0;
      while (i < length && at[i] == value[i]) ++i;
      if (i == length) return index;
    }
    if (*end == '\0') return -1;
    at = end + 1;
  }
}

constexpr unsigned long length_of(const char* text) {
  unsigned long n = 0;
  while (text[n] != '\0') ++n;
  return n;
}

// Decimal digits alone: no sign, no space, no "0x". False if anything else stands there or it is out of range.
bool parse_number(const char* text, unsigned minimum, unsigned maximum, unsigned& out) {
  unsigned long long value = 0;
  if (*text == '\0') return false;
  for (; *text != '\0'; ++text) {
    if (*text < '0' || *text > '9') return false;
    value = value * 10 + static_cast<unsigned>(*text - '0');
    if (value > maximum) return false;
  }
  if (value < minimum) return false;
  out = static_cast<unsigned>(value);
  return true;
}

template <typename T>
bool set_choice(T& field, const char* allowed, const char* value) {
  int index = choice_index(allowed, value, length_of(value));
  if (index < 0) return false;
  field = static_cast<T>(index);
  return true;
}

bool set_switch(bool& field, const char* value) {
  if ((value[0] != '0' && value[0] != '1') || value[1] != '\0') return false;
  field = value[0] == '1';
  return true;
}

constexpr const char* kSwitchAllowed = "0|1";

constexpr Entry kEntries[] = {
#define KEV_CHOICE(field, name, flag, initial, allowed, help) {Kind::choice, name, flag, initial, allowed, help},
#define KEV_NUMBER(field, name, flag, initial, minimum, maximum, help) \
  {Kind::number, name, flag, #initial, #minimum ".." #maximum, help},
#define KEV_STRING(field, name, flag, metavariable, help) {Kind::string, name, flag, nullptr, metavariable, help},
#define KEV_SWITCH(field, name, flag, help) {Kind::toggle, name, flag, "0", kSwitchAllowed, help},
#include "config/options.def"
#undef KEV_CHOICE
#undef KEV_NUMBER
#undef KEV_STRING
#undef KEV_SWITCH
};

// The table's defaults are those of Options.
constexpr Options kDefaults;
#define KEV_CHOICE(field, name, flag, initial, allowed, help) \
  static_assert(choice_index(allowed, initial, length_of(initial)) == static_cast<int>(kDefaults.field));
#define KEV_NUMBER(field, name, flag, initial, minimum, maximum, help) \
  static_assert(kDefaults.field == (initial) && (initial) >= (minimum) && (initial) <= (maximum));
#define KEV_STRING(field, name, flag, metavariable, help) static_assert(kDefaults.field == nullptr);
#define KEV_SWITCH(field, name, flag, help) static_assert(!kDefaults.field);
#include "config/options.def"
#undef KEV_CHOICE
#undef KEV_NUMBER
#undef KEV_STRING
#undef KEV_SWITCH

bool same(const char* name, unsigned length, const char* other) {
  return std::strlen(other) == length && std::memcmp(name, other, length) == 0;
}

// What kev-run and the object tell each other: no options.
bool is_exchange(const char* name, unsigned length) {
  return same(name, length, "KEV_PROBED") || same(name, length, "KEV_OBJECT");
}

}  // namespace

Entries entries() { return {kEntries, sizeof kEntries / sizeof kEntries[0]}; }

bool set(Options& options, const char* name, unsigned name_length, const char* value, Complaint& complaint) {
  const char* allowed = nullptr;
  bool accepted = false;
#define KEV_CHOICE(field, env, flag, initial, choices, help) \
  if (same(name, name_length, env)) {                        \
    allowed = choices;                                       \
    accepted = set_choice(options.field, choices, value);    \
  }
#define KEV_NUMBER(field, env, flag, initial, minimum, maximum, help)  \
  if (same(name, name_length, env)) {                                  \
    allowed = #minimum ".." #maximum;                                  \
    accepted = parse_number(value, (minimum), (maximum), options.field); \
  }
#define KEV_STRING(field, env, flag, metavariable, help) \
  if (same(name, name_length, env)) {                    \
    allowed = metavariable;                              \
    accepted = true;                                     \
    options.field = value;                               \
  }
#define KEV_SWITCH(field, env, flag, help)        \
  if (same(name, name_length, env)) {             \
    allowed = kSwitchAllowed;                     \
    accepted = set_switch(options.field, value);  \
  }
#include "config/options.def"
#undef KEV_CHOICE
#undef KEV_NUMBER
#undef KEV_STRING
#undef KEV_SWITCH
  if (accepted) return true;
  complaint = {name, name_length, value, allowed};
  return false;
}

Options from_environment(char* const* envp, ComplaintSink sink) {
  Options options;
  if (envp == nullptr) return options;
  for (; *envp != nullptr; ++envp) {
    const char* name = *envp;
    if (std::strncmp(name, "KEV_", 4) != 0) continue;
    const char* equals = std::strchr(name, '=');
    if (equals == nullptr) continue;
    unsigned length = static_cast<unsigned>(equals - name);
    if (is_exchange(name, length)) continue;
    Complaint complaint;
    if (!set(options, name, length, equals + 1, complaint) && sink != nullptr) sink(complaint);
  }
  return options;
}

}  // namespace kev::config
