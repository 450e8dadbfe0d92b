// How many registrations all mirrors of the process may hold: a tenth of what the kernel allows the user.
//
// Atomics only; any thread, async-signal-safe.
#pragma once

namespace kev::mirror {

// Reads /proc/sys/fs/epoll/max_user_watches, once in a process. Without it a limit that every kernel allows holds.
void read_watch_limit();

// One more registration; false if there are too many.
bool take_watch();
void give_watches(unsigned count);

// In a forked child, which holds none.
void forget_watches();

}  // namespace kev::mirror
