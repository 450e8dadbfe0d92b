// The report: a table for each process, their total, and the verdict, as text or JSON.
//
// The counters may be changing while they are read, and the file may have been written by anybody: every figure
// stands alone, and every text is bounded and escaped.
#include "stats/report.hpp"

#include "os/clock.hpp"
#include "os/pid.hpp"
#include "stats/page.hpp"
#include "stats/verdict.hpp"

#include <cstring>

namespace kev::stats {

namespace {

struct Column {
  const char* key;
  const char* title;
};

constexpr const char* kCallNames[] = {
#define KEV_CALL(id, name) name,
#include "stats/counters.def"
#undef KEV_CALL
};
constexpr Column kColumns[] = {
#define KEV_COUNTER(id, key, title) {key, title},
#include "stats/counters.def"
#undef KEV_COUNTER
};
constexpr Column kReasons[] = {
#define KEV_FALLBACK(id, key, text) {key, text},
#include "stats/counters.def"
#undef KEV_FALLBACK
};
constexpr unsigned kSleep = static_cast<unsigned>(Counter::sleep_ns);
constexpr unsigned kWidth = 12;
constexpr unsigned kIdleShown = 8;  // processes without calls are shown one by one among the first so many

// A slot's text, terminated whatever the file says.
struct Text {
  char bytes[192];
  unsigned length;

  template <unsigned size>
  explicit Text(const char (&from)[size]) : length(static_cast<unsigned>(::strnlen(from, size - 1))) {
    static_assert(size <= sizeof bytes);
    std::memcpy(bytes, from, length);
    bytes[length] = '\0';
  }
};

// The slots that a report is about, in turn: `next` starts at 0. Null after the last.
const Slot* next_slot(const Header* header, unsigned pid, unsigned& next) {
  uint32_t used = header->used.load(std::memory_order_relaxed);
  while (next < kSlots && next < used) {
    const Slot* s = slot_at(header, next++);
    unsigned owner = s->pid.load(std::memory_order_acquire);
    if (owner != 0 && (pid == 0 || owner == pid)) return s;
  }
  return nullptr;
}

enum class Life { running, ended, gone };

Life life_of(const Slot& s) {
  if (s.ended.load(std::memory_order_acquire) != 0) return Life::ended;
  return os::process_runs(s.pid.load(std::memory_order_relaxed)) ? Life::running : Life::gone;
}

uint64_t age_ns(const Slot& s) {
  uint64_t end = life_of(s) == Life::ended ? s.ended_ns.load(std::memory_order_relaxed) : os::monotonic_ns();
  uint64_t start = s.started_ns.load(std::memory_order_relaxed);
  return end > start ? end - start : 0;
}

// Text.

void write_table(Writer& out, const Totals& figures) {
  if (figures.sum(Counter::calls) == 0) {
    out.put("  no calls\n");
    return;
  }
  out.put("  ").left("call", kWidth);
  for (const Column& column : kColumns) out.put(' ').right(column.title, kWidth);
  out.put('\n');
  for (unsigned call = 0; call < kCalls; ++call) {
    if (figures.counters[call][static_cast<unsigned>(Counter::calls)] == 0) continue;
    out.put("  ").left(kCallNames[call], kWidth);
    for (unsigned i = 0; i < kCounters; ++i) {
      uint64_t value = figures.counters[call][i];
      out.put(' ');
      if (i == kSleep) out.duration(value, kWidth);
      else out.right(value, kWidth);
    }
    out.put('\n');
  }
}

void write_fallbacks(Writer& out, const Totals& figures) {
  bool any = false;
  for (unsigned i = 0; i < kFallbacks; ++i) {
    if (figures.fallbacks[i] == 0) continue;
    if (!any) out.put("  answered by the program's own system call because of:\n");
    any = true;
    out.put("    ").right(figures.fallbacks[i], kWidth).put("  ").put(kReasons[i].title).put('\n');
  }
  if (figures.kernel_bytes != 0)
    out.put("  kernel memory for registrations, at most: ").put(figures.kernel_bytes).put(" bytes\n");
}

void write_process(Writer& out, const Slot& s) {
  Text command(s.command);
  Text note(s.note);
  unsigned parent = s.parent.load(std::memory_order_relaxed);
  out.put("process ").put(uint64_t{s.pid.load(std::memory_order_relaxed)}).put(" (").printable(command.bytes).put(')');
  if (parent != 0) out.put(", forked by ").put(uint64_t{parent});
  out.put(": ").put(state_text(s.state.load(std::memory_order_relaxed)));
  if (note.length != 0) out.put(" (").printable(note.bytes).put(')');
  switch (life_of(s)) {
    case Life::running: out.put("; running for ").duration(age_ns(s)).put('\n'); break;
    case Life::ended: out.put("; ended after ").duration(age_ns(s)).put('\n'); break;
    case Life::gone: out.put("; ended without exit handlers\n"); break;
  }
}

// Has nothing to tell: a shell script's report would consist of such.
bool is_idle(const Totals& figures) {
  if (figures.active != figures.processes || figures.sum(Counter::calls) != 0) return false;
  for (uint64_t n : figures.fallbacks)
    if (n != 0) return false;
  return true;
}

void write_text(Writer& out, const Header* header, unsigned pid) {
  Totals total = {};
  unsigned next = 0;
  unsigned idle = 0;
  out.put("kev statistics\n");
  while (const Slot* s = next_slot(header, pid, next)) {
    Totals own = {};
    add_slot(own, *s);
    add_slot(total, *s);
    if (is_idle(own) && total.processes > kIdleShown) {
      ++idle;
      continue;
    }
    write_process(out, *s);
    write_table(out, own);
    write_fallbacks(out, own);
  }
  if (idle != 0) out.put(uint64_t{idle}).put(" further processes without calls\n");
  if (total.processes > 1) {
    out.put("total of ").put(uint64_t{total.processes}).put(" processes\n");
    write_table(out, total);
    write_fallbacks(out, total);
  }
  out.put("verdict: ");
  write_verdict(out, *header, total);
  out.put('\n');
}

// JSON.

void write_figures(Writer& out, const Totals& figures) {
  out.put("\"calls\":{");
  for (unsigned call = 0; call < kCalls; ++call) {
    out.put(call == 0 ? "\"" : ",\"").put(kCallNames[call]).put("\":{");
    for (unsigned i = 0; i < kCounters; ++i)
      out.put(i == 0 ? "\"" : ",\"").put(kColumns[i].key).put("\":").put(figures.counters[call][i]);
    out.put('}');
  }
  out.put("},\"fallbacks\":{");
  for (unsigned i = 0; i < kFallbacks; ++i)
    out.put(i == 0 ? "\"" : ",\"").put(kReasons[i].key).put("\":").put(figures.fallbacks[i]);
  out.put("},\"kernel_bytes\":").put(figures.kernel_bytes);
}

void write_json_process(Writer& out, const Slot& s) {
  static constexpr const char* kStates[] = {"unused", "active", "off", "seccomp", "foreign", "refused"};
  static constexpr const char* kLives[] = {"running", "ended", "gone"};
  Text command(s.command);
  Text note(s.note);
  unsigned state = static_cast<unsigned>(s.state.load(std::memory_order_relaxed));
  Totals own = {};
  add_slot(own, s);
  out.put("{\"pid\":").put(uint64_t{s.pid.load(std::memory_order_relaxed)});
  out.put(",\"parent\":").put(uint64_t{s.parent.load(std::memory_order_relaxed)});
  out.put(",\"command\":\"").json_text(command.bytes, command.length);
  out.put("\",\"state\":\"").put(state < sizeof kStates / sizeof kStates[0] ? kStates[state] : "unknown");
  out.put("\",\"note\":\"").json_text(note.bytes, note.length);
  out.put("\",\"life\":\"").put(kLives[static_cast<unsigned>(life_of(s))]);
  out.put("\",\"age_ns\":").put(age_ns(s)).put(',');
  write_figures(out, own);
  out.put('}');
}

void write_json(Writer& out, const Header* header, unsigned pid) {
  Totals total = {};
  unsigned next = 0;
  out.put("{\"version\":1,\"main_pid\":").put(uint64_t{header->main_pid.load(std::memory_order_relaxed)});
  out.put(",\"processes\":[");
  while (const Slot* s = next_slot(header, pid, next)) {
    if (total.processes != 0) out.put(',');
    add_slot(total, *s);
    write_json_process(out, *s);
  }
  out.put("],\"total\":{");
  write_figures(out, total);
  out.put("},\"calibration\":{\"poll_base_ps\":").put(header->poll_base_ps.load(std::memory_order_relaxed));
  out.put(",\"poll_descriptor_ps\":").put(header->poll_descriptor_ps.load(std::memory_order_relaxed));
  out.put(",\"core_entry_ps\":").put(header->core_entry_ps.load(std::memory_order_relaxed));
  Estimate saved = estimate(*header, total);
  out.put("},\"estimated_cpu_saved_ns\":");
  if (!saved.known) out.put("null");
  else if (saved.saved_ns < 0) out.put('-').put(static_cast<uint64_t>(-saved.saved_ns));
  else out.put(static_cast<uint64_t>(saved.saved_ns));
  out.put(",\"verdict\":\"");
  {
    Writer escaped([](void* to, const char* text, unsigned length) { static_cast<Writer*>(to)->json_text(text, length); },
                   &out);
    write_verdict(escaped, *header, total);
  }
  out.put("\"}\n");
}

}  // namespace

void write_report(const Header* header, unsigned pid, config::StatsFormat format, Sink sink, void* context) {
  Writer out(sink, context);
  if (format == config::StatsFormat::json) write_json(out, header, pid);
  else write_text(out, header, pid);
}

}  // namespace kev::stats
