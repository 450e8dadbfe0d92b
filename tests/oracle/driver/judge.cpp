#include "judge.hpp"

namespace oracle {

namespace {

constexpr int kRepeats = 12;
constexpr int kNativeRepeats = 40;
constexpr int kRunsToShrink = 2;

}  // namespace

std::optional<Difference> compare(const Trace& native, const Trace& kev) {
  if (native == kev) return std::nullopt;
  size_t at = 0;
  while (at < native.records.size() && at < kev.records.size() && native.records[at] == kev.records[at]) ++at;
  Difference difference = {0, {}, {}, native, kev};
  if (at < native.records.size()) {
    difference.op = native.records[at].op;
    difference.native = native.records[at].words;
  }
  if (at < kev.records.size()) {
    difference.op = kev.records[at].op;
    difference.kev = kev.records[at].words;
  }
  if (at == native.records.size() && at == kev.records.size()) difference.op = kev.hung ? kev.at : native.at;
  return difference;
}

std::optional<Difference> Judge::run(const Sequence& sequence) {
  native_.begin(sequence);
  kev_.begin(sequence);
  Trace native = native_.finish();
  return compare(native, kev_.finish());
}

Verdict Judge::judge(const Sequence& sequence, std::optional<Difference>& difference) {
  difference = run(sequence);
  if (!difference) return Verdict::same;
  Trace first = difference->native_trace;
  int again = 0;
  for (int i = 0; i < kRepeats; ++i) {
    std::optional<Difference> next = run(sequence);
    native_.begin(sequence);
    if (!(native_.finish() == first) || (next && !(next->native_trace == first))) return Verdict::unsteady;
    if (next) ++again;
    if (again == 2) break;
  }
  if (again == 0) return Verdict::once;
  // On a busy machine two worlds that now and then differ from themselves may have done so in turn.
  for (int i = 0; i < kNativeRepeats; ++i) {
    native_.begin(sequence);
    if (!(native_.finish() == first)) return Verdict::unsteady;
  }
  return Verdict::different;
}

bool Judge::differs(const Sequence& sequence) {
  for (int i = 0; i < kRunsToShrink; ++i)
    if (std::optional<Difference> difference = run(sequence)) {
      native_.begin(sequence);
      return native_.finish() == difference->native_trace;
    }
  return false;
}

}  // namespace oracle
