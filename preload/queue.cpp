// Message queues, POSIX's and System V's: a message that was taken is returned.
#include <mqueue.h>
#include <sys/msg.h>
#include <sys/syscall.h>

#include "preload/point.hpp"

using namespace kev::preload;

KEV_POINT(mq_timedreceive, queue, ssize_t,
          (mqd_t queue, char* buffer, size_t size, unsigned* priority, const timespec* until),
          (queue, buffer, size, priority, until), (SYS_mq_timedreceive, queue, buffer, size, priority, until))
KEV_POINT(mq_receive, queue, ssize_t, (mqd_t queue, char* buffer, size_t size, unsigned* priority),
          (queue, buffer, size, priority), (SYS_mq_timedreceive, queue, buffer, size, priority, nullptr))
KEV_POINT(mq_timedsend, queue, int,
          (mqd_t queue, const char* data, size_t size, unsigned priority, const timespec* until),
          (queue, data, size, priority, until), (SYS_mq_timedsend, queue, data, size, priority, until))
KEV_POINT(mq_send, queue, int, (mqd_t queue, const char* data, size_t size, unsigned priority),
          (queue, data, size, priority), (SYS_mq_timedsend, queue, data, size, priority, nullptr))
KEV_POINT(msgrcv, queue, ssize_t, (int queue, void* message, size_t size, long type, int flags),
          (queue, message, size, type, flags), (SYS_msgrcv, queue, message, size, type, flags))
KEV_POINT(msgsnd, queue, int, (int queue, const void* message, size_t size, int flags),
          (queue, message, size, flags), (SYS_msgsnd, queue, message, size, flags))
