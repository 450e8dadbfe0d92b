// Leaves out ever smaller runs of operations (Zeller and Hildebrandt's ddmin, complements only), then makes the arguments
// that remain smaller. A block's length goes with what is left out inside of it.
#include "shrink.hpp"

#include <algorithm>

#include "operations.hpp"

namespace oracle {

namespace {

bool opens_block(const Op& op) { return kOperations[op.kind].arguments[0] == BLOCK; }

Sequence without(const Sequence& sequence, size_t from, size_t count) {
  Sequence out = sequence;
  size_t to = std::min(from + count, out.ops.size());
  for (size_t at = 0; at < from; ++at) {
    if (!opens_block(out.ops[at])) continue;
    size_t end = at + 1 + static_cast<size_t>(out.ops[at].argument[0]);
    if (end > from) out.ops[at].argument[0] -= static_cast<int>(std::min(end, to) - from);
  }
  out.ops.erase(out.ops.begin() + static_cast<long>(from), out.ops.begin() + static_cast<long>(to));
  return out;
}

class Shrinker {
 public:
  Shrinker(Sequence sequence, const std::function<bool(const Sequence&)>& differs, int budget)
      : best_(std::move(sequence)), differs_(differs), budget_(budget) {}

  Sequence run() {
    size_t before;
    do {
      before = best_.ops.size();
      for (size_t count = best_.ops.size() / 2; count > 0; count /= 2) leave_out(count);
    } while (best_.ops.size() < before && budget_ > 0);
    simplify();
    return best_;
  }

 private:
  bool take(const Sequence& candidate) {
    if (budget_-- <= 0 || candidate.ops.empty() || !differs_(candidate)) return false;
    best_ = candidate;
    return true;
  }

  // From the end, where what matters least is likely to stand.
  void leave_out(size_t count) {
    for (size_t at = best_.ops.size(); at > 0 && budget_ > 0;) {
      size_t from = at > count ? at - count : 0;
      take(without(best_, from, at - from));
      at = from;
    }
  }

  void simplify() {
    Sequence candidate = best_;
    candidate.by_clone = false;
    if (best_.by_clone) take(candidate);
    for (size_t at = 0; at < best_.ops.size(); ++at) {
      candidate = best_;
      candidate.ops[at].thread = 0;
      if (best_.ops[at].thread != 0) take(candidate);
      for (size_t i = 0; i < ARGUMENTS; ++i) {
        Domain domain = kOperations[best_.ops[at].kind].arguments[i];
        if (domain == NONE || domain == BLOCK) continue;
        for (int value : {0, 1, best_.ops[at].argument[i] / 2}) {
          if (value == best_.ops[at].argument[i]) break;
          candidate = best_;
          candidate.ops[at].argument[i] = value;
          if (take(candidate)) break;
        }
      }
    }
  }

  Sequence best_;
  const std::function<bool(const Sequence&)>& differs_;
  int budget_;
};

}  // namespace

Sequence shrink(Sequence sequence, const std::function<bool(const Sequence&)>& differs, int budget) {
  return Shrinker(std::move(sequence), differs, budget).run();
}

}  // namespace oracle
