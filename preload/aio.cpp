// aio_suspend(), which waits inside libc and takes nothing.
//
// libc's own acts on a request that comes while it waits. One that is pending already it finds only if it has to wait:
// here it is acted on first, as POSIX has it. Whatever else it does is libc's. Not so for pthread_join() and its kin, whose
// callers may count on libc's letting them through: docs/cancellation.md.
#include "cancel/point.hpp"
#include "preload/point.hpp"

namespace kev::preload {

namespace {

void look_first() {
  if (has_points(Family::aio)) cancel::pass_point();
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" int kev_aio_suspend(const aiocb* const* list, int count, const timespec* timeout) {
  look_first();
  return behind<&Next::aio_suspend>(list, count, timeout);
}

extern "C" int kev_aio_suspend64(const aiocb64* const* list, int count, const timespec* timeout) {
  look_first();
  return behind<&Next::aio_suspend64>(list, count, timeout);
}
