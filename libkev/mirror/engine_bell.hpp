// A bell for the private set of a mirror whose waits with timeout 0 mostly find nothing in it.
//
// What says_nothing() answers is true by the rules of bell/ring.hpp: the set was empty, and nothing has rung since. The
// owner's alone; a set that another thread takes is held by its bell until the owner comes by, which nobody sees.
#pragma once

#include "bell/ring.hpp"
#include "bell/worth.hpp"

namespace kev::mirror {

class EngineBell {
 public:
  // Whether the set has nothing, from memory; a system call if something has rung. False: it is to be asked.
  bool says_nothing();
  // It was asked, right after that, and had nothing, or something.
  void had_nothing(int epfd);
  void had_something();
  // The set is closed. Any thread.
  void let_go();

  bell::Ring& ring() { return ring_; }

 private:
  bool is_usable();
  void drop();

  bell::Ring ring_;
  bell::Worth worth_;
  unsigned bell_ = 0;
  unsigned empty_ = 0;      // calls that found nothing, lately
  bool is_armed_ = false;
  bool is_lost_ = false;    // the set was taken by another thread
};

}  // namespace kev::mirror
