// The table and the JSON; the contract stands in report.hpp.
#include "report.hpp"

#include <cstdio>

namespace kev::bench {

namespace {

std::string text(const Limit& limit) {
  char buffer[32] = "";
  if (limit.kind == Limit::Kind::ratio) snprintf(buffer, sizeof buffer, "<= %.2f", limit.value);
  if (limit.kind == Limit::Kind::extra_ns) snprintf(buffer, sizeof buffer, "<= +%.0f ns", limit.value);
  return buffer;
}

void print_json(const Case& which, const Result& r) {
  printf("{\"case\": \"%s\", \"calls_per_slice\": %llu, \"native_ns\": %.2f, \"kev_ns\": %.2f, ", which.name.c_str(),
         static_cast<unsigned long long>(r.calls_per_slice), r.native_ns, r.kev_ns);
  printf("\"ratio\": %.4f, \"ratio_low\": %.4f, \"ratio_high\": %.4f, ", r.ratio.median, r.ratio.low, r.ratio.high);
  printf("\"difference_ns\": %.2f, \"difference_low_ns\": %.2f, \"difference_high_ns\": %.2f, ",
         r.difference_ns.median, r.difference_ns.low, r.difference_ns.high);
  if (r.stats_ns > 0)
    printf("\"stats_ns\": %.2f, \"stats_difference_ns\": %.2f, ", r.stats_ns, r.stats_difference_ns.median);
  printf("\"limit\": \"%s\", \"verdict\": \"%s\"}\n", text(which.limit).c_str(), verdict(which.limit, r));
}

}  // namespace

const char* verdict(const Limit& limit, const Result& result) {
  if (limit.kind == Limit::Kind::none) return "";
  const Estimate& figure = limit.kind == Limit::Kind::ratio ? result.ratio : result.difference_ns;
  if (figure.high <= limit.value) return "ok";
  if (figure.low > limit.value) return "OVER";
  return figure.median <= limit.value ? "ok?" : "over?";
}

void print_head(const Options& options) {
  if (options.json) return;
  printf("%-32s %12s %12s %12s %19s  %-24s%s\n", "case", "native ns", "kev ns", "difference", "(95 %)", "ratio (95 %)",
         options.stats ? "  stats ns    difference" : "");
}

void print(const Case& which, const Result& r, const Options& options) {
  if (options.json) return print_json(which, r);
  bool small = r.native_ns < 10'000;
  printf("%-32s %12.*f %12.*f %+12.*f ", which.name.c_str(), small ? 1 : 0, r.native_ns, small ? 1 : 0, r.kev_ns,
         small ? 1 : 0, r.difference_ns.median);
  char interval[48];
  snprintf(interval, sizeof interval, "(%+.*f .. %+.*f)", small ? 1 : 0, r.difference_ns.low, small ? 1 : 0,
           r.difference_ns.high);
  printf("%19s  %.3f (%.3f .. %.3f)  ", interval, r.ratio.median, r.ratio.low, r.ratio.high);
  if (r.stats_ns > 0)
    printf("%9.1f %+8.1f (%+.1f .. %+.1f) ", r.stats_ns, r.stats_difference_ns.median, r.stats_difference_ns.low,
           r.stats_difference_ns.high);
  printf("%s  %s\n", text(which.limit).c_str(), verdict(which.limit, r));
  fflush(stdout);
}

}  // namespace kev::bench
