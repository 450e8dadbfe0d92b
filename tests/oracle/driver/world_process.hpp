// One world as the driver sees it: a process that executes sequences, native or with a shim preloaded, and the memory
// shared with it.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "sequence.hpp"

namespace oracle {

// What a sequence came to in one world.
struct Trace {
  struct Record {
    uint32_t op;  // its index; the number of operations: what stands at the end
    std::vector<int> words;
    bool operator==(const Record&) const = default;
  };
  std::vector<Record> records;
  bool hung = false;
  uint32_t at = 0;  // the operation it was at, if it hung or crashed
  int status = 0;   // the process's wait status
  bool operator==(const Trace& other) const {
    return hung == other.hung && status == other.status && records == other.records;
  }
};

struct WorldOptions {
  std::string program;                    // oracle-world
  std::vector<std::string> environment;   // beside the driver's own
  int hang_seconds = 10;
};

class WorldProcess {
 public:
  explicit WorldProcess(const WorldOptions& options);
  ~WorldProcess();
  WorldProcess(const WorldProcess&) = delete;
  WorldProcess& operator=(const WorldProcess&) = delete;

  void begin(const Sequence& sequence);
  Trace finish();  // waits until it is done, or has made no progress for hang_seconds

 private:
  void start();
  void stop();

  WorldOptions options_;
  std::string folder_;
  Shared* shared_ = nullptr;
  pid_t pid_ = -1;
};

}  // namespace oracle
