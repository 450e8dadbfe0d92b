// Medians and their confidence intervals by order statistics: no assumption about how the noise is distributed.
#pragma once

#include <vector>

namespace kev::bench {

struct Estimate {
  double median = 0;
  double low = 0, high = 0;  // 95 % interval of the median
};

// Precondition: `values` is not empty.
Estimate estimate(std::vector<double> values);

}  // namespace kev::bench
