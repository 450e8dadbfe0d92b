# shellcheck shell=bash
# C libraries of other Debian releases, unpacked into a folder; sourced by scripts/test-glibc.
#
# fetch_glibc SUITE FOLDER downloads a suite's libc6, libc6-dev, linux-libc-dev and libgcc-s1 with apt, which checks their signatures, by a
# configuration of its own: nothing is installed, and the system's package lists are left alone. What is there is kept.

# The mirror that the system itself uses, or Debian's own.
debian_mirror() {
  local mirror
  # shellcheck disable=SC2016 # apt's own variable
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
    grep -v security | head -n 1) || true
  echo "${mirror:-http://deb.debian.org/debian}"
}

# apt_aside FOLDER ARGUMENT...: apt-get with all of its state in FOLDER.
apt_aside() {
  local state=$1
  shift
  apt-get -q -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=- \
    -o Dir::State="$state/state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
    -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o Acquire::Languages=none \
    -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@"
}

fetch_glibc() {
  local suite=$1 folder=$2 state package
  [ ! -e "$folder/complete" ] || return 0
  state=$folder/apt
  mkdir -p "$state/state/lists/partial" "$state/cache/archives/partial" "$folder/root"
  : >"$state/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) $suite main" >"$state/sources.list"
  apt_aside "$state" update >"$folder/log" 2>&1 || return 1
  (cd "$folder" && apt_aside "$state" download libc6 libc6-dev linux-libc-dev libgcc-s1 >>log 2>&1) || return 1
  for package in "$folder"/*.deb; do dpkg-deb -x "$package" "$folder/root" || return 1; done
  rm -rf "$state" "$folder"/*.deb
  touch "$folder/complete"
}

# Where the loader and the libraries of an unpacked suite stand.
loader_of() { find "$1/root" \( -name 'ld-linux-x86-64.so.2' -o -name 'ld-2.*.so' \) -print -quit; }
libraries_of() { dirname "$(find "$1/root" -name libc.so.6 -print -quit)"; }

# build_for_glibc FOLDER OUTPUT SOURCE...: a C program for the C library unpacked in FOLDER. The compiler's own search finds
# the system's libraries, so each is named.
build_for_glibc() {
  local base=$1/root output=$2 libraries start
  shift 2
  libraries=$base/lib/x86_64-linux-gnu
  start=$base/usr/lib/x86_64-linux-gnu
  "${CC:-cc}" --sysroot="$base" -std=c11 -O1 -no-pie -nostdlib -o "$output" "$start/crt1.o" "$start/crti.o" "$@" \
    -Wl,--no-as-needed "$libraries"/lib{pthread,rt}.so.* "$libraries/libc.so.6" "$start/libc_nonshared.a" \
    "$libraries/ld-linux-x86-64.so.2" -lgcc "$start/crtn.o"
}
