// Medians; the contract stands in statistics.hpp.
#include "statistics.hpp"

#include <algorithm>
#include <cmath>

namespace kev::bench {

Estimate estimate(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t n = values.size();
  double median = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  // Ranks from the normal approximation of the binomial distribution.
  double half = 1.96 * std::sqrt(static_cast<double>(n)) / 2, middle = static_cast<double>(n) / 2;
  double low = std::floor(middle - half), high = std::ceil(middle + half);
  auto at = [&](double rank) { return values[static_cast<size_t>(std::clamp(rank, 0.0, static_cast<double>(n - 1)))]; };
  return {median, at(low), at(high)};
}

}  // namespace kev::bench
