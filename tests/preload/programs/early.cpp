// Calls before the object's constructor and after its destructor, and from places where little works.
#include <pthread.h>

#include <thread>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

extern "C" int early_answer();

namespace {

struct Global {
  Global() {
    Watched watched;
    watched.exercise();
    watched.close_all();
  }
  ~Global() {
    Watched watched;
    watched.exercise();
    watched.close_all();
    say("global ended\n");
  }
} global;

}  // namespace

SCENARIO(library) {
  say("answer %d\n", early_answer());
  Watched watched;
  watched.exercise();
}

namespace {

pthread_key_t key;

void poll_at_thread_exit(void* value) {
  auto* watched = static_cast<Watched*>(value);
  watched->exercise();
  watched->close_all();
  delete watched;
}

void poll_again_and_again(void* value) {
  auto* watched = static_cast<Watched*>(value);
  watched->exercise();
  ::pthread_setspecific(key, value);  // comes again, as often as the C library allows
}

void threads_with(void (*destructor)(void*), int count) {
  CHECK(::pthread_key_create(&key, destructor) == 0);
  Watched watched(20);
  watched.exercise();
  const size_t before = open_numbers().size();
  for (int i = 0; i < count; ++i) {
    auto* own = new Watched(20);
    std::thread thread([own] {
      own->exercise();
      CHECK(::pthread_setspecific(key, own) == 0);
      thread_local struct Last {
        ~Last() {
          Watched last(20);
          last.exercise();
          last.close_all();
        }
      } last;
      (void)&last;
    });
    thread.join();
    if (destructor == poll_again_and_again) own->close_all();
  }
  say("%d threads ended\n", count);
  CHECK(open_numbers().size() <= before + 12);
  watched.exercise();
}

}  // namespace

SCENARIO(thread_data) { threads_with(poll_at_thread_exit, 20); }
SCENARIO(thread_data_again) { threads_with(poll_again_and_again, 60); }

SCENARIO_MAIN
