// Waiting for children: a child that was reaped has its status returned.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "preload/point.hpp"

using namespace kev::preload;

KEV_POINT(wait4, child, pid_t, (pid_t pid, int* status, int options, rusage* usage), (pid, status, options, usage),
          (SYS_wait4, pid, status, options, usage))
KEV_POINT(wait3, child, pid_t, (int* status, int options, rusage* usage), (status, options, usage),
          (SYS_wait4, -1, status, options, usage))
KEV_POINT(waitpid, child, pid_t, (pid_t pid, int* status, int options), (pid, status, options),
          (SYS_wait4, pid, status, options, nullptr))
KEV_ALIAS(__waitpid, pid_t, (pid_t pid, int* status, int options), kev_waitpid(pid, status, options))
KEV_POINT(wait, child, pid_t, (int* status), (status), (SYS_wait4, -1, status, 0, nullptr))
KEV_ALIAS(__wait, pid_t, (int* status), kev_wait(status))
KEV_POINT(waitid, child, int, (idtype_t type, id_t id, siginfo_t* info, int options), (type, id, info, options),
          (SYS_waitid, type, id, info, options, nullptr))
