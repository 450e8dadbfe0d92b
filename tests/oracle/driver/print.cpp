#include "print.hpp"

#include "domain.hpp"
#include "operations.hpp"

namespace oracle {

namespace {

// From a little before the first word that differs.
std::string words(const Trace& trace, const std::vector<int>& values, size_t differs_at) {
  constexpr size_t kBefore = 8, kMost = 24;
  if (values.empty() && trace.hung) return "hangs";
  if (values.empty() && trace.status != 0) return "ends with status " + std::to_string(trace.status);
  size_t from = differs_at > kBefore ? differs_at - kBefore : 0;
  std::string out = from > 0 ? "... " : "";
  for (size_t i = from; i < values.size() && i < from + kMost; ++i)
    out.append(i == from ? "" : " ").append(std::to_string(values[i]));
  return out + (values.size() > from + kMost ? " ..." : "");
}

std::string line(const Op& op) {
  const Operation& operation = kOperations[op.kind];
  std::string out = "OP_AS(" + std::to_string(op.thread) + ", " + operation.name;
  bool any = false;
  for (size_t i = 0; i < ARGUMENTS && operation.arguments[i] != NONE; ++i) {
    out += ", " + text_of(operation.arguments[i], op.argument[i]);
    any = true;
  }
  return out + (any ? ")" : ", 0)");
}

}  // namespace

std::string program(const Sequence& sequence, const Difference& difference, const std::string& origin) {
  size_t at_word = 0;
  while (at_word < difference.native.size() && at_word < difference.kev.size() &&
         difference.native[at_word] == difference.kev[at_word])
    ++at_word;
  std::string out = "// " + origin + "\n";
  out += "// operation " + std::to_string(difference.op) + ": natively  " + words(difference.native_trace, difference.native, at_word) + "\n";
  out += "//               the shim  " + words(difference.kev_trace, difference.kev, at_word) + "\n";
  out += "#include \"replay.h\"\n\nREPLAY(" + std::to_string(sequence.by_clone) + ",\n";
  unsigned indent_until = 0;
  for (size_t at = 0; at < sequence.ops.size(); ++at) {
    const Op& op = sequence.ops[at];
    if (at == difference.op) out += "  // here:\n";
    out.append(at < indent_until ? 4 : 2, ' ').append(line(op));
    out.append(at + 1 < sequence.ops.size() ? ",\n" : "\n");
    if (kOperations[op.kind].arguments[0] == BLOCK) indent_until = static_cast<unsigned>(at) + 1 + static_cast<unsigned>(op.argument[0]);
  }
  return out + ")\n";
}

}  // namespace oracle
