// What the object's system calls are called in the table of faults.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace faults {

// "epoll_ctl ADD", "openat status", ...: system call `number` with these arguments, made by thread `tid`.
std::string kind_of(pid_t tid, uint64_t number, const uint64_t* arguments);

pid_t process_of(pid_t tid);

// What descriptor `fd` of `tid` is ("anon_inode:[eventpoll]").
std::string descriptor_name(pid_t tid, int fd);

}  // namespace faults
