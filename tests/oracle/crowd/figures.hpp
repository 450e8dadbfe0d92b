// What is counted, in memory that the driver, the players and their children share; and how a failure is told.
#pragma once

#include <atomic>
#include <cstdint>

namespace crowd {

struct Figures {
  std::atomic<uint64_t> rounds, events, waits, cancels, signals, forks, changes, failures;
};

extern Figures* figures;
extern uint64_t round_seed;

constexpr int kFiguresFd = 3;  // where a player finds them

void attach_figures(int fd);

int64_t now_ns();
void pause_us(unsigned us);  // not a cancellation point, seen by no shim

// Says it with the seed. After a few the player ends: what follows is mostly the same again.
void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));
[[noreturn]] void end_player(int status);

}  // namespace crowd
