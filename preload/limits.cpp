// setrlimit and prlimit: the limit of descriptors.
//
// poll refuses arrays larger than the limit, and ours may not stand above it: mirrors begin anew, by the program's own
// calls, once it has changed.
#include "preload/descriptors.hpp"

namespace kev::preload {

namespace {

int limit_changed(int resource, bool sets, int result) {
  if (resource == RLIMIT_NOFILE && sets && result == 0) mirror::revoke_all();
  return result;
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" int kev_setrlimit(__rlimit_resource_t resource, const rlimit* limit) {
  return limit_changed(resource, true, real().setrlimit(resource, limit));
}
extern "C" int kev_setrlimit64(__rlimit_resource_t resource, const rlimit64* limit) {
  return limit_changed(resource, true, real().setrlimit64(resource, limit));
}
extern "C" int kev_prlimit(pid_t pid, __rlimit_resource resource, const rlimit* fresh, rlimit* old) {
  return limit_changed(resource, fresh != nullptr, real().prlimit(pid, resource, fresh, old));
}
extern "C" int kev_prlimit64(pid_t pid, __rlimit_resource resource, const rlimit64* fresh, rlimit64* old) {
  return limit_changed(resource, fresh != nullptr, real().prlimit64(pid, resource, fresh, old));
}
