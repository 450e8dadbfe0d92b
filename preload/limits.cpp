// setrlimit and prlimit: the limit of descriptors.
#include "preload/descriptors.hpp"

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
