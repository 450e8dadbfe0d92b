# Configuring and compiling a build folder; sourced by the scripts beside this folder.
#
# compile FOLDER "TARGETS" [MESON-OPTION...] is quiet unless something fails. PATH may hold other versions of Python
# in front: the system's own tools are preferred.

tool() {
  if [ -x "/usr/bin/$1" ]; then echo "/usr/bin/$1"; else command -v "$1"; fi
}

quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  [ $status = 0 ] || cat "$log" >&2
  rm -f "$log"
  return $status
}

compile() {
  local folder=$1 targets=$2
  shift 2
  local meson
  meson=$(tool meson)
  if [ ! -f "$folder/build.ninja" ]; then
    echo "configuring $(basename "$folder") ..."
    # What a broken-off configuration left would be in the way.
    rm -rf "$folder/meson-private"
    quietly "$meson" setup "$folder" "$root" "$@"
  elif [ $# != 0 ]; then
    quietly "$meson" configure "$folder" "$@"
  fi
  # shellcheck disable=SC2086 # targets are words
  if ! "$(tool ninja)" -C "$folder" -n $targets 2>/dev/null | grep -q 'no work to do'; then
    echo "compiling $(basename "$folder") ..."
    # shellcheck disable=SC2086
    quietly "$(tool ninja)" -C "$folder" $targets
  fi
}
