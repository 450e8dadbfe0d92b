// Whether a bell pays: the system calls that it has spared, less those that were made on its account.
#pragma once

namespace kev::bell {

class Worth {
 public:
  void begin() { balance_ = kFirst; }
  void spares(unsigned calls) {
    balance_ += static_cast<int>(calls < kMost ? calls : kMost);
    if (balance_ > kMost) balance_ = kMost;
  }
  // False: it does not pay, and the next one is to come after twice as many empty calls.
  bool costs(int calls) {
    balance_ -= calls;
    if (balance_ > 0) return true;
    if (patience_ < kMostPatience) ++patience_;
    return false;
  }
  // By how much more than at first the calls have to be empty: a power of two.
  unsigned patience() const { return patience_; }

 private:
  static constexpr int kFirst = 16, kMost = 256;
  static constexpr unsigned kMostPatience = 10;

  int balance_ = 0;
  unsigned patience_ = 0;
};

}  // namespace kev::bell
