# shellcheck shell=bash disable=SC2154 # `root` is set by the script that sources this
# Installing the groups of scripts/packages.txt; sourced by the scripts beside this folder.
#
# install_groups GROUP... installs what is missing and is quick when nothing is. Debian and Ubuntu, as root or with
# sudo. Services that come with the packages are neither started now nor enabled for the next start.

package_list="$root/scripts/packages.txt"

# Prints the entries of the named groups, one a line; alternatives stay separated by "|".
packages_of() {
  awk -v wanted=" $* " '
    { sub(/#.*/, ""); gsub(/[ \t]/, "") }
    /^\[.*\]$/ { on = index(wanted, " " substr($0, 2, length($0) - 2) " "); next }
    on && length' "$package_list"
}

# The name of a package with the system's own version of gcc in it.
with_version() {
  local version=
  if [[ $1 == *%gcc* ]]; then
    version=$(apt-cache depends gcc 2>/dev/null | sed -n 's/^ *Depends: gcc-\([0-9]*\)$/\1/p')
  fi
  echo "${1//%gcc/$version}"
}

# The names of all packages that are installed, one a line.
installed() {
  dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p'
}

# Prints the entries of the named groups of which no alternative is installed.
missing_of() {
  local entry package found all
  all=$'\n'$(installed)$'\n'
  while read -r entry; do
    found=
    for package in ${entry//|/ }; do
      if [[ $all == *$'\n'$(with_version "$package")$'\n'* ]]; then found=1; fi
    done
    [ -n "$found" ] || echo "$entry"
  done < <(packages_of "$@")
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The first alternative of an entry that apt offers; nothing if it offers none. (No `grep -q` behind a pipe here: it
# leaves at the first match, and what it leaves behind dies of SIGPIPE, which pipefail takes for a failure.)
offered_of() {
  local package policy
  for package in ${1//|/ }; do
    package=$(with_version "$package")
    policy=$(apt-cache policy "$package" 2>/dev/null) || policy=
    if [[ $policy =~ "Candidate: "[^\(] ]]; then
      echo "$package"
      return
    fi
  done
}

# Keeps the services of the packages given from being started when the machine starts.
disable_services() {
  [ -d /run/systemd/system ] || return 0
  local package unit
  for package in "$@"; do
    for unit in $(dpkg-query -L "$package" 2>/dev/null |
        sed -n 's,^\(/usr\)\?/lib/systemd/system/\([^/@]*\.service\)$,\2,p'); do
      as_root systemctl -q disable "$unit" >/dev/null 2>&1 || true
    done
  done
}

install_groups() {
  local missing entry package chosen=() unknown=() log policy=/usr/sbin/policy-rc.d status=0
  missing=$(missing_of "$@")
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "please install by hand: ${missing//$'\n'/ }" >&2
    return 1
  fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    echo "root or sudo is needed to install: ${missing//$'\n'/ }" >&2
    return 1
  fi
  log=$(mktemp)
  echo "installing packages ..."
  as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 || status=$?
  for entry in $missing; do
    package=$(offered_of "$entry")
    if [ -n "$package" ]; then chosen+=("$package"); else unknown+=("$entry"); fi
  done
  if [ ${#unknown[@]} != 0 ]; then
    # A source that cannot be read is no matter as long as the others offer everything.
    [ $status = 0 ] || cat "$log" >&2
    echo "not offered on this system: ${unknown[*]}" >&2
  fi
  if [ ${#chosen[@]} != 0 ]; then
    # invoke-rc.d asks this file whether it may start a service; one that is there already is left alone.
    if [ -e "$policy" ]; then policy=; else printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null; fi
    [ -z "$policy" ] || as_root chmod 755 "$policy"
    status=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends \
      install "${chosen[@]}" >>"$log" 2>&1 </dev/null || status=$?
    [ -z "$policy" ] || as_root rm -f "$policy"
    disable_services "${chosen[@]}"
  fi
  if [ $status != 0 ]; then
    cat "$log" >&2
    echo "installing failed: ${missing//$'\n'/ }" >&2
  fi
  rm -f "$log"
  return $status
}
