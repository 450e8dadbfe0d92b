# shellcheck shell=bash disable=SC2154 # `root` is set by the script that sources this
# Configuring and compiling a build folder; sourced by the scripts beside this folder.
#
# compile FOLDER "TARGETS" [MESON-OPTION...] is quiet unless something fails. PATH may hold other versions of Python
# in front: the system's own tools are preferred.

tool() {
  if [ -x "/usr/bin/$1" ]; then
    echo "/usr/bin/$1"
  elif ! command -v "$1"; then
    echo "$1 is not installed" >&2
    return 1
  fi
}

quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  [ $status = 0 ] || cat "$log" >&2
  rm -f "$log"
  return $status
}

# configure FOLDER [MESON-OPTION...]
configure() {
  local folder=$1 meson
  shift
  meson=$(tool meson)
  if [ ! -f "$folder/build.ninja" ]; then
    echo "configuring $(basename "$folder") ..."
    # What a broken-off configuration left would be in the way.
    rm -rf "$folder/meson-private"
    quietly "$meson" setup "$folder" "$root" "$@"
  elif [ $# != 0 ]; then
    quietly "$meson" configure "$folder" "$@"
  fi
}

# compile_targets FOLDER "TARGET..." (none: all)
compile_targets() {
  local left
  # shellcheck disable=SC2086 # targets are words
  left=$("$(tool ninja)" -C "$1" -n $2 2>/dev/null) || true
  if [[ $left != *'no work to do'* ]]; then
    echo "compiling $(basename "$1") ..."
    # shellcheck disable=SC2086
    quietly "$(tool ninja)" -C "$1" $2
  fi
}

compile() {
  local folder=$1 targets=$2
  shift 2
  configure "$folder" "$@"
  compile_targets "$folder" "$targets"
}
