// The order of slices: native, kev, (statistics), and back; so that a drift of the machine falls on both alike.
#include "measure.hpp"

#include <algorithm>
#include <array>

#include "side.hpp"

namespace kev::bench {

namespace {

// How many calls take a slice, on this side.
uint64_t calibrate(Side& side, double slice_ns) {
  uint64_t calls = 1;
  for (;;) {
    double ns = side.run(calls);
    if (ns >= slice_ns / 4) return std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(calls) * slice_ns / ns));
    calls *= ns > slice_ns / 64 ? 4 : 16;
  }
}

struct Sample {
  std::array<double, 3> ns{};  // per call, by side
};

std::vector<double> column(const std::vector<Sample>& samples, auto value) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(value(sample.ns));
  return values;
}

}  // namespace

Result measure(const Case& which, const Options& options) {
  using Ns = std::array<double, 3>;
  bool with_stats = options.stats && which.kind == Case::Kind::worker;
  size_t sides_count = with_stats ? 3 : 2;
  Result result;
  std::vector<Sample> samples;
  for (unsigned process = 0; process < options.processes; ++process) {
    std::vector<std::unique_ptr<Side>> sides;
    sides.push_back(make_side(which, Mode::native, options));
    sides.push_back(make_side(which, options.same ? Mode::native : Mode::kev, options));
    if (with_stats) sides.push_back(make_side(which, Mode::kev_stats, options));
    if (result.calls_per_slice == 0) result.calls_per_slice = calibrate(*sides[0], options.slice_ms * 1e6);
    uint64_t calls = result.calls_per_slice;
    for (auto& side : sides) side->run(calls / 2 + 1);  // warm-up
    unsigned rounds = (options.rounds + process) / options.processes;
    for (unsigned round = 0; round < rounds; ++round) {
      Sample sample;
      for (size_t i = 0; i < sides_count; ++i) {
        size_t side = (round + process) % 2 == 0 ? i : sides_count - 1 - i;
        sample.ns[side] = sides[side]->run(calls) / static_cast<double>(calls);
      }
      samples.push_back(sample);
    }
  }
  result.native_ns = estimate(column(samples, [](const Ns& ns) { return ns[0]; })).median;
  result.kev_ns = estimate(column(samples, [](const Ns& ns) { return ns[1]; })).median;
  result.ratio = estimate(column(samples, [](const Ns& ns) { return ns[1] / ns[0]; }));
  result.difference_ns = estimate(column(samples, [](const Ns& ns) { return ns[1] - ns[0]; }));
  if (with_stats) {
    result.stats_ns = estimate(column(samples, [](const Ns& ns) { return ns[2]; })).median;
    result.stats_difference_ns = estimate(column(samples, [](const Ns& ns) { return ns[2] - ns[1]; }));
  }
  return result;
}

}  // namespace kev::bench
