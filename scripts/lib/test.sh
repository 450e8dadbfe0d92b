# shellcheck shell=bash disable=SC2154 # `root` is set by the script that sources this
# Running Meson's tests suite by suite and collecting their results; sourced by scripts/test.
#
# Each run leaves its logs in a folder of its own under the build folder (results/NAME), listed in `folders`;
# summarize() counts them all. A failing suite does not keep the next ones from being run.

strict=()
[ "${CI:-}" != true ] || strict=(-Dwerror=true)

has_build_tools() {
  command -v c++ >/dev/null && command -v meson >/dev/null && command -v ninja >/dev/null &&
    command -v pkg-config >/dev/null && pkg-config --exists gtest_main
}

# run_meson BUILD-FOLDER NAME TITLE [MESON-ARGUMENT...]
run_meson() {
  local folder=$1 name=$2 title=$3 result
  shift 3
  result=$folder/results/$name
  rm -rf "$result"
  mkdir -p "$result"
  rm -f "$folder"/meson-logs/testlog*
  echo "== $title"
  "$(tool meson)" test -C "$folder" --no-rebuild --print-errorlogs "$@" || true
  # Nothing is left where no test matched.
  if [ -f "$folder/meson-logs/testlog.json" ]; then
    mv "$folder"/meson-logs/testlog* "$result"
    folders+=("$result")
  fi
}

# The names of a build's tests, one a line, as "SUITE NAME".
tests_of() {
  "$(tool meson)" introspect --tests "$1" | "$(tool python3)" -c '
import json, sys
for test in json.load(sys.stdin):
    for suite in test["suite"]:
        print(suite.split(":")[-1], test["name"])' | sort -u
}

run_suites() {
  local suite
  for suite in $(tests_of "$1" | awk '{ print $1 }' | sort -u | awk '
      { order = index("unit conformance preload apps", $1); print (order ? order : 99), $1 }' | sort -n |
      awk '{ print $2 }'); do
    run_meson "$1" "$suite" "suite $suite" --suite "$suite"
  done
}

# Without the tests that start other programs: little to compile, soon done.
# Builds and runs what tests the core by itself, and that the object loads.
run_quick() {
  local folder=$1 names
  configure "$folder" "${strict[@]}"
  names=$(tests_of "$folder" | awk '$1 == "unit" { print $2 }')
  # shellcheck disable=SC2086 # names are words
  compile_targets "$folder" "preload/libkev-preload.so $(targets_of "$folder" $names)"
  run_meson "$folder" unit "suite unit" --suite unit
}

# The arm64 build, by Debian's cross compiler, and what of its tests the emulator can run.
run_aarch64() {
  local folder=$root/build-aarch64 cross=()
  [ -f "$folder/build.ninja" ] || cross=(--cross-file "$root/scripts/cross/aarch64.ini")
  configure "$folder" "${cross[@]}" "${strict[@]}"
  compile_targets "$folder" "preload/libkev-preload.so tools/kev-conformance"
  run_meson "$folder" aarch64 "suite aarch64 (cross-compiled, emulated)" --suite aarch64
}

run_named() {
  local folder=$1 name
  shift
  for name in "$@"; do
    if tests_of "$folder" | awk -v name="$name" '$1 == name { found = 1 } END { exit !found }'; then
      run_meson "$folder" "$name" "suite $name" --suite "$name"
    elif tests_of "$folder" | awk -v name="$name" '$2 == name { found = 1 } END { exit !found }'; then
      run_meson "$folder" "$name" "test $name" "$name"
    else
      echo "there is no test or suite $name; tests are:" >&2
      tests_of "$folder" >&2
      exit 2
    fi
  done
}

# The programs of the tests given, as build targets.
targets_of() {
  local folder=$1
  shift
  "$(tool meson)" introspect --tests "$folder" | "$(tool python3)" -c '
import json, os, sys
folder, names = os.path.realpath(sys.argv[1]), sys.argv[2:]
programs = {test["cmd"][0] for test in json.load(sys.stdin) if test["name"] in names}
print(*sorted(os.path.relpath(os.path.realpath(program), folder) for program in programs))' "$folder" "$@"
}

# run_sanitized_build FOLDER NAME TITLE SANITIZER FILTER: builds and runs the tests that the awk filter names.
# The core has no type information, so that UBSan cannot check the types behind pointers. Warnings are no errors
# here: gcc gives more of them, and wrong ones, with a sanitizer.
run_sanitized_build() {
  local folder=$root/$1 names targets
  configure "$folder" "-Db_sanitize=$4" -Db_lundef=false -Dbuildtype=debugoptimized \
    -Dcpp_args=-fno-sanitize=vptr
  names=$(tests_of "$folder" | awk "$5 { print \$2 }")
  # shellcheck disable=SC2086 # names and targets are words
  {
    targets=$(targets_of "$folder" $names)
    compile_targets "$folder" "$targets"
    run_meson "$folder" "$2" "$3" -t 4 $names
  }
}

# The core's own tests, and the waits with the interposing functions linked in; where threads meet, a second time.
# Left out: cancelled threads, as AddressSanitizer does not see the frames go that an unwinding from within libc leaves;
# and an array that is longer than the memory, as its poll() reads all of it before the kernel may refuse.
run_sanitized() {
  export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 TSAN_OPTIONS=halt_on_error=1
  GTEST_FILTER='*-*LifecycleCancelTest*:PollWithoutEntriesTest.HugeCountIsInvalid' \
    run_sanitized_build build-asan asan "AddressSanitizer and UBSan" address,undefined \
    '$1 == "unit" || $2 ~ /^linked/'
  run_sanitized_build build-tsan tsan "ThreadSanitizer" thread '$1 == "unit" && $2 ~ /-concurrent$/'
}

# The fuzzers, with clang and both sanitizers in everything that they test.
run_fuzzers() {
  local folder=$root/build-fuzz
  CC=$(tool clang) CXX=$(tool clang++) configure "$folder" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
    -Dbuildtype=debugoptimized "-Dcpp_args=-fsanitize=fuzzer-no-link -fno-sanitize=vptr -fno-sanitize-recover=all"
  compile_targets "$folder" "$(targets_of_fuzzers "$folder")"
  run_meson "$folder" fuzz "suite fuzz ($KEV_FUZZ_SECONDS s of processor time)" --suite fuzz
}

targets_of_fuzzers() {
  tests_of "$1" | awk '$1 == "fuzz" { print "tests/fuzz/" $2 }'
}

summarize() {
  "$(tool python3)" "$root/scripts/lib/summary.py" "$@"
}
