// Makes a sequence that differs smaller, as long as it differs.
#pragma once

#include <functional>

#include "sequence.hpp"

namespace oracle {

// `differs` tells whether a sequence still shows a difference; it is asked at most `budget` times.
Sequence shrink(Sequence sequence, const std::function<bool(const Sequence&)>& differs, int budget);

}  // namespace oracle
