# shellcheck shell=bash disable=SC2154 # `root` is set by the script that sources this
# Running the oracle on this tree's object and on others; sourced by scripts/oracle.

# shellcheck disable=SC2034 # for the script that sources this
oracle_targets="tests/oracle/oracle tests/oracle/oracle-world tests/oracle/oracle-crowd preload/libkev-preload.so"

# run_oracle OBJECT ARGUMENT...
run_oracle() {
  local object=$1
  shift
  "$root/build/tests/oracle/oracle" "--world=$root/build/tests/oracle/oracle-world" "--preload=$object" "$@"
}

# A copy of the tree's sources as they stand, in the folder given.
copy_tree() {
  rm -rf "$1"
  mkdir -p "$1"
  (cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - --ignore-failed-read) |
    tar -xmf - -C "$1"  # with fresh times: what is built from the last mutation is old
}

# Which of the mutations (names, none: all) are found, each in a copy of the tree. Status 1 if one is not.
find_mutants() {
  local work=$root/build-mutants patch name seconds missed=0 found=0 log
  copy_tree "$work/tree"
  (
    root=$work/tree
    configure "$work/build" -Dtests=false
  )
  for patch in "$root"/tests/oracle/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
    log=$work/$name.log
    quietly patch -d "$work/tree" -p1 -i "$patch"
    quietly "$(tool ninja)" -C "$work/build" preload/libkev-preload.so
    seconds=$SECONDS
    if judge_mutant "$work/build/preload/libkev-preload.so" >"$log" 2>&1; then
      echo "not found: $name ($((SECONDS - seconds)) s)"
      missed=$((missed + 1))
    else
      echo "found: $name ($((SECONDS - seconds)) s, $(grep -c . "$log") lines in ${log#"$root"/})"
      found=$((found + 1))
    fi
    quietly patch -R -d "$work/tree" -p1 -i "$patch"
  done
  echo "$found mutations found, $missed not found"
  [ $missed = 0 ]
}

# Fails as soon as one part of the suite finds a difference.
judge_mutant() {
  local engine
  for engine in epoll auto; do
    run_oracle "$1" "--engine=$engine" --seed=1 --operations=700000 --seconds=300 --failures=1 --quick || [ $? = 3 ] || return 1
  done
  "$root/build/tests/oracle/oracle-crowd" "--preload=$1" --seconds=30
}

# Builds the object with counters and prints, file by file, how much of it the sequences reach, and the lines never
# reached in build-coverage/uncovered.txt.
measure_coverage() {
  local work=$root/build-coverage engine
  compile "$root/build" "$oracle_targets"
  configure "$work" -Db_coverage=true -Db_lto=false -Dtests=false -Dbuildtype=debug
  compile_targets "$work" preload/libkev-preload.so
  find "$work" -name '*.gcda' -delete
  for engine in epoll auto; do
    # A difference is not what this is about: it is reported, and the lines are counted all the same.
    ORACLE_EXIT=1 run_oracle "$work/preload/libkev-preload.so" "--engine=$engine" --seed=1 --quick "$@" || [ $? != 2 ]
  done
  "$(tool python3)" "$root/scripts/lib/coverage.py" "$work" "$root"
}
