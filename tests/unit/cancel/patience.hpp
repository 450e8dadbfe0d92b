// A target that is tired of waiting sooner.
#pragma once

#include "cancel/request.hpp"

namespace kev::cancel {

// How long a target waits for a slow canceller.
class Patience {
 public:
  explicit Patience(int rounds) { patience = rounds; }
  ~Patience() { patience = before_; }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

 private:
  int before_ = patience;
};

}  // namespace kev::cancel
