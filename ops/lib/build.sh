#!/usr/bin/env bash
# Configures and builds one CMake preset, with as many jobs as the memory allows.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=ops/lib/common.sh
source "$here/common.sh"

usage() {
  cat <<'TEXT'
Usage: ops/lib/build.sh [PRESET] [TARGET...]

Builds PRESET (release, debug, asan, tsan or fuzz; default release) into build or build-PRESET.
  OLTP20_BUILD_JOBS=N   number of compilers at once, instead of what memory allows

Examples:
  ops/lib/build.sh
  ops/lib/build.sh asan
  ops/lib/build.sh release oltp20-hub
TEXT
}

# A unit that includes gRPC takes up to 1.5 GB, with sanitizers included.
jobs() {
  if [[ -n ${OLTP20_BUILD_JOBS:-} ]]; then
    echo "$OLTP20_BUILD_JOBS"
    return
  fi
  local cores memory_kb by_memory
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  by_memory=$((memory_kb / 1500000))
  [[ $by_memory -lt 1 ]] && by_memory=1
  echo $((cores < by_memory ? cores : by_memory))
}

main() {
  case ${1:-} in
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; fail 2 "unknown option: $1" ;;
  esac
  local preset=${1:-release}
  [[ $# -gt 0 ]] && shift
  [[ $preset =~ ^(release|debug|asan|tsan|fuzz)$ ]] ||
    fail 2 "there is no preset \"$preset\"; choose release, debug, asan, tsan or fuzz"
  local build=$root/build
  [[ $preset == release ]] || build=$root/build-$preset
  local workers
  workers=$(jobs)
  [[ $workers =~ ^[1-9][0-9]*$ ]] || fail 2 "OLTP20_BUILD_JOBS=\"$workers\" is not a number of jobs"

  step "configuring $preset"
  (cd "$root" && cmake --preset "$preset" >"$root/.configure.$$" 2>&1) || {
    cat "$root/.configure.$$" >&2
    rm -f "$root/.configure.$$"
    fail 1 "CMake could not configure; its report is above"
  }
  rm -f "$root/.configure.$$"
  step "building $preset with $workers jobs"
  NINJA_STATUS='[%f/%t %es] ' ninja -C "$build" -j "$workers" "$@" >&2 ||
    fail 1 "the build failed; the first error is above"
}

main "$@"
