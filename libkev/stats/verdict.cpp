// The estimate and the sentence made of it.
#include "stats/verdict.hpp"

#include <cstring>

namespace kev::stats {

namespace {

// The calls that scan an array: those which the core can save work.
constexpr Call kScans[] = {Call::poll, Call::ppoll, Call::select, Call::pselect};

constexpr const char* kFallbackTexts[] = {
#define KEV_FALLBACK(id, key, text) text,
#include "stats/counters.def"
#undef KEV_FALLBACK
};

uint64_t of_scans(const Totals& totals, Counter counter) {
  uint64_t sum = 0;
  for (Call call : kScans) sum += totals.get(call, counter);
  return sum;
}

uint64_t waits(const Totals& totals) {
  return totals.sum(Counter::calls) - totals.get(Call::epoll_ctl, Counter::calls);
}

// Why no array was answered by the core: the reason named most often.
void write_fallback_reason(Writer& out, const Totals& totals) {
  unsigned most = 0;
  for (unsigned i = 1; i < kFallbacks; ++i)
    if (totals.fallbacks[i] > totals.fallbacks[most]) most = i;
  if (totals.fallbacks[most] == 0) {
    out.put("no call was answered by the core");
    return;
  }
  out.put(kFallbackTexts[most]).put(" (").put(totals.fallbacks[most]).put(" calls)");
}

void write_gain(Writer& out, const Header& header, const Totals& totals) {
  uint64_t core = totals.sum(Counter::core);
  Estimate e = estimate(header, totals);
  if (!e.known) {
    out.put(core).put(" calls answered by the core; what they saved is unknown: costs were not calibrated");
    return;
  }
  if (e.saved_ns <= 0) {
    out.put("nothing gained: the core's own system calls cost what the ").put(core).put(" calls that it answered saved (estimate)");
    return;
  }
  out.put("about ").duration(static_cast<uint64_t>(e.saved_ns)).put(" of CPU time saved (estimate: ").put(core);
  out.put(" calls answered by the core, at costs calibrated at start)");
}

}  // namespace

uint64_t Totals::sum(Counter counter) const {
  uint64_t sum = 0;
  for (const auto& call : counters) sum += call[static_cast<unsigned>(counter)];
  return sum;
}

void add_slot(Totals& totals, const Slot& s) {
  for (unsigned call = 0; call < kCalls; ++call)
    for (unsigned i = 0; i < kCounters; ++i)
      totals.counters[call][i] += s.counters[call][i].load(std::memory_order_relaxed);
  for (unsigned i = 0; i < kFallbacks; ++i) totals.fallbacks[i] += s.fallbacks[i].load(std::memory_order_relaxed);
  uint64_t bytes = s.kernel_bytes.load(std::memory_order_relaxed);
  if (bytes > totals.kernel_bytes) totals.kernel_bytes = bytes;
  State state = s.state.load(std::memory_order_relaxed);
  ++totals.processes;
  if (state == State::active) {
    ++totals.active;
  } else if (totals.processes - totals.active == 1) {
    totals.state = state;
    std::memcpy(totals.note, s.note, sizeof totals.note - 1);  // the file's may lack its end
  }
}

Estimate estimate(const Header& header, const Totals& totals) {
  constexpr double kPsPerNs = 1000;
  double base = static_cast<double>(header.poll_base_ps.load(std::memory_order_relaxed));
  double each = static_cast<double>(header.poll_descriptor_ps.load(std::memory_order_relaxed));
  double entry = static_cast<double>(header.core_entry_ps.load(std::memory_order_relaxed));
  if (entry == 0) return {false, 0};

  double answered = static_cast<double>(of_scans(totals, Counter::core));
  double descriptors = static_cast<double>(of_scans(totals, Counter::core_descriptors));
  double native = answered * base + descriptors * each;
  // Each call that the core did not answer made one entry of its own; the others are the core's. A verification
  // is a native poll.
  double entries = static_cast<double>(of_scans(totals, Counter::entries));
  double passed = static_cast<double>(of_scans(totals, Counter::calls)) - answered;
  double verified = static_cast<double>(totals.fallbacks[static_cast<unsigned>(Fallback::verify)]);
  double own = entries - passed - verified;
  double cost = own > 0 ? own * entry : 0;
  if (answered > 0) cost += verified * (base + each * descriptors / answered);
  // A call answered without entering the kernel, on a set that is no array, saved an entry.
  double memory = static_cast<double>(totals.sum(Counter::memory) - of_scans(totals, Counter::memory));
  // Figures that anybody wrote may be beyond what the result holds.
  constexpr double kMost = 9e18;
  double saved = (native + memory * entry - cost) / kPsPerNs;
  return {true, static_cast<int64_t>(saved > kMost ? kMost : saved < -kMost ? -kMost : saved)};
}

const char* state_text(State state) {
  switch (state) {
    case State::unused: return "not started";
    case State::active: return "active";
    case State::off: return "engine off";
    case State::seccomp: return "not active: seccomp filter";
    case State::foreign: return "not active: another interposer";
    case State::refused: return "not active";
  }
  return "unknown";
}

void write_verdict(Writer& out, const Header& header, const Totals& totals) {
  if (totals.sum(Counter::core) != 0 || totals.sum(Counter::memory) != 0) return write_gain(out, header, totals);
  out.put("nothing gained: ");
  if (totals.processes == 0) {
    out.put("no process was counted");
  } else if (totals.active == 0) {
    out.put(state_text(totals.state));
    if (totals.note[0] != '\0') out.put(" (").printable(totals.note).put(')');
  } else if (waits(totals) == 0) {
    out.put("no libc waits seen: the program makes raw system calls, or does not wait");
  } else if (of_scans(totals, Counter::calls) == 0) {
    out.put("all waits are on epoll sets, which stay with the kernel");
  } else {
    write_fallback_reason(out, totals);
  }
}

}  // namespace kev::stats
