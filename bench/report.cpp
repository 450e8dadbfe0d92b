// The table and the JSON; the contract stands in report.hpp.
#include "report.hpp"

#include <cstdio>

namespace kev::bench {

namespace {

const char* unit_of(const Case& which) { return which.counts_bytes() ? "bytes" : "ns"; }

std::string limit_of(const Case& which) {
  const Limit& limit = which.limit;
  char buffer[32] = "";
  if (limit.kind == Limit::Kind::ratio) snprintf(buffer, sizeof buffer, "<= %.2f", limit.value);
  if (limit.kind == Limit::Kind::extra) snprintf(buffer, sizeof buffer, "<= +%.0f %s", limit.value, unit_of(which));
  return buffer;
}

void print_json(const Case& which, const Result& r) {
  const char* unit = unit_of(which);
  printf("{\"case\": \"%s\", \"calls_per_slice\": %llu, \"native_%s\": %.2f, \"kev_%s\": %.2f, ", which.name.c_str(),
         static_cast<unsigned long long>(r.calls_per_slice), unit, r.native_ns, unit, r.kev_ns);
  if (!which.counts_bytes())
    printf("\"ratio\": %.4f, \"ratio_low\": %.4f, \"ratio_high\": %.4f, ", r.ratio.median, r.ratio.low, r.ratio.high);
  printf("\"difference_%s\": %.2f, \"difference_low_%s\": %.2f, \"difference_high_%s\": %.2f, ", unit,
         r.difference_ns.median, unit, r.difference_ns.low, unit, r.difference_ns.high);
  if (r.stats_ns > 0)
    printf("\"stats_%s\": %.2f, \"stats_difference_%s\": %.2f, ", unit, r.stats_ns, unit, r.stats_difference_ns.median);
  printf("\"limit\": \"%s\", \"verdict\": \"%s\"}\n", limit_of(which).c_str(), verdict(which.limit, r));
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
  printf("%-32s %12s %12s %12s %19s  %-24s%s\n", "ns, or bytes", "native", "kev", "difference", "(95 %)",
         "ratio (95 %)", options.stats ? "  stats ns    difference" : "");
}

void print(const Case& which, const Result& r, const Options& options) {
  if (options.json) return print_json(which, r);
  bool small = r.native_ns < 10'000;
  printf("%-32s %12.*f %12.*f %+12.*f ", which.name.c_str(), small ? 1 : 0, r.native_ns, small ? 1 : 0, r.kev_ns,
         small ? 1 : 0, r.difference_ns.median);
  char interval[48];
  snprintf(interval, sizeof interval, "(%+.*f .. %+.*f)", small ? 1 : 0, r.difference_ns.low, small ? 1 : 0,
           r.difference_ns.high);
  if (which.counts_bytes())
    printf("%19s  %-24s", interval, "bytes");
  else
    printf("%19s  %.3f (%.3f .. %.3f)  ", interval, r.ratio.median, r.ratio.low, r.ratio.high);
  if (r.stats_ns > 0)
    printf("%9.1f %+8.1f (%+.1f .. %+.1f) ", r.stats_ns, r.stats_difference_ns.median, r.stats_difference_ns.low,
           r.stats_difference_ns.high);
  printf("%s  %s\n", limit_of(which).c_str(), verdict(which.limit, r));
  fflush(stdout);
}

}  // namespace kev::bench
