// The threads beside the consumers. Each runs until the round's words tell it to end.
#pragma once

#include "random.hpp"

namespace crowd {

struct Producer {
  Random random;
  unsigned index;
};

struct Churner {
  Random random;
  unsigned first, count;  // slots that others wait for
  bool meets_limit;
};

void* run_producer(void* producer);
void* run_churner(void* churner);

}  // namespace crowd
