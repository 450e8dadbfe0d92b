// The descriptors that are ours: few, closed on exec, and out of the program's way.
//
// They stand near the top of the descriptor table's present size, so that the program gets the numbers that it
// would get without us, and the table does not grow past 1024 on our account (a high number slows fork). When the
// program's own numbers come near `private_guard`, or it meets its descriptor limit, whoever holds private
// descriptors gives them back (record/registry.hpp) and makes new ones when they are next needed.
//
// The table of marks says which numbers are ours in the process that made them. That the file which stands at one is ours
// the file itself says (its F_GETSIG): the number may be the program's since a bare system call closed it, and a child of
// vfork, which has its parent's marks, has a table of its own.
#pragma once

#include <atomic>

#include "engine/epoll_engine.hpp"

namespace kev::process {

// The program's numbers come near ours from here on; INT_MAX while there are none.
extern std::atomic<int> private_guard;
extern std::atomic<int> private_count;
// The highest number that the program was seen to have, open or closed.
extern std::atomic<int> highest_seen;

// Moves a fresh descriptor to its place and marks it. The new number, or -errno with `fd` closed. A few system
// calls; reads /proc/self/status.
int adopt_private(int fd);

// In a child of vfork: whether the file at `fd`, which its parent has marked, is ours here. One system call.
bool is_copy_of_private(int fd);
// The same for all: closes them, in the child's own table. True if there were any.
bool discard_copies();

// Closes a descriptor of ours, if the number is still ours.
void discard_private(int fd);

// Whether `fd` is still ours: a bare system call may have closed it, and the number may be a file of the program's
// since. Forgets one that is not. One system call, for numbers that are marked.
bool is_still_private(int fd);

// The program was given `fd` by the kernel, or closed it: it is not ours, whatever was marked.
void give_up_private(int fd);

// Tells the placement of a number that the program has; and of one that comes near ours.
void program_has(int fd);
void program_uses(int fd);

// The size of the kernel's descriptor table: as last seen (it only grows, but in a forked child), or read anew from
// /proc/self/status. No open descriptor is beyond it; 0 without /proc.
int table_size();
int table_size_now();

// In a forked child: none is ours any more (the numbers stay open until exec unless discarded before).
void forget_private();

extern const engine::DescriptorPolicy private_descriptors;

}  // namespace kev::process
