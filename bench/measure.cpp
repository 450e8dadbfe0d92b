// The order of slices: native, kev, (statistics), and back; so that a drift of the machine falls on both alike.
#include "measure.hpp"

#include <array>

#include "side.hpp"

namespace kev::bench {

namespace {

// How many calls take a slice, on this side.
uint64_t calibrate(Side& side, double slice_ns) {
  uint64_t calls = 1;
  for (;;) {
    double ns = side.run(calls);
    if (ns >= slice_ns / 4) {
      double wanted = static_cast<double>(calls) * slice_ns / ns;
      return wanted < 1 ? 1 : static_cast<uint64_t>(wanted);
    }
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
  bool with_stats = options.stats && !options.same && which.kind == Case::Kind::worker;
  size_t sides_count = with_stats ? 3 : 2;
  Result result;
  std::array<uint64_t, 3> calls{};  // of a slice, by side: what is done once in a while weighs the same on all
  std::vector<Sample> samples;
  for (unsigned process = 0; process < options.processes; ++process) {
    std::array<std::unique_ptr<Side>, 3> sides;
    constexpr Mode kModes[] = {Mode::native, Mode::kev, Mode::kev_stats};
    for (size_t i = 0; i < sides_count; ++i) {
      // Who starts first gets other memory from the kernel: turn about.
      size_t side = process % 2 == 0 ? i : sides_count - 1 - i;
      sides[side] = make_side(which, options.same ? Mode::native : kModes[side], options);
    }
    for (size_t i = 0; i < sides_count; ++i) {
      if (which.counts_bytes()) {
        calls[i] = which.calls_per_slice;
        continue;
      }
      // What the first calls set up does not count: it takes the shim some hundred calls to know an array.
      if (which.calls_per_slice == 0) sides[i]->run(which.kind == Case::Kind::worker ? 512 : 8);
      if (calls[i] == 0) calls[i] = which.calls_per_slice;
      if (calls[i] == 0) calls[i] = calibrate(*sides[i], options.slice_ms * 1e6);
      sides[i]->run(calls[i] / 2 + 1);  // warm-up
    }
    unsigned rounds = which.counts_bytes() ? 1 : (options.rounds + process) / options.processes;
    for (unsigned round = 0; round < rounds; ++round) {
      Sample sample;
      for (size_t i = 0; i < sides_count; ++i) {
        size_t side = (round + process) % 2 == 0 ? i : sides_count - 1 - i;
        sample.ns[side] = sides[side]->run(calls[side]) / static_cast<double>(calls[side]);
      }
      samples.push_back(sample);
    }
  }
  result.calls_per_slice = calls[0];
  result.native_ns = estimate(column(samples, [](const Ns& ns) { return ns[0]; })).median;
  result.kev_ns = estimate(column(samples, [](const Ns& ns) { return ns[1]; })).median;
  result.ratio = estimate(column(samples, [](const Ns& ns) { return ns[0] > 0 ? ns[1] / ns[0] : 0; }));
  result.difference_ns = estimate(column(samples, [](const Ns& ns) { return ns[1] - ns[0]; }));
  if (with_stats) {
    result.stats_ns = estimate(column(samples, [](const Ns& ns) { return ns[2]; })).median;
    result.stats_difference_ns = estimate(column(samples, [](const Ns& ns) { return ns[2] - ns[1]; }));
  }
  return result;
}

}  // namespace kev::bench
