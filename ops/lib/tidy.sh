#!/usr/bin/env bash
# clang-tidy over the product's sources with the short list of .clang-tidy; each finding is an error.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=ops/lib/common.sh
source "$here/common.sh"

usage() {
  cat <<'TEXT'
Usage: ops/lib/tidy.sh [--quick] [BUILD] [FILE...]

Looks at FILEs, by default at every source that is not a test, as BUILD (default build-asan) compiles
it: clang's own build, configured and with its headers generated.
  --quick   without clang's static analyzer, which takes most of the time; ops/test runs this

Examples:
  ops/lib/tidy.sh
  ops/lib/tidy.sh build-asan hub/core/ingest.cc

Exit codes: 0 nothing found; 1 something found; 2 wrong usage.
TEXT
}

checks=()
case ${1:-} in
  -h | --help) usage; exit 0 ;;
  --quick)
    checks=(--checks=-clang-analyzer-*)
    shift
    ;;
  -*) usage >&2; fail 2 "unknown option: $1" ;;
esac
build=${1:-$root/build-asan}
[[ $# -eq 0 ]] || shift
[[ -f $build/compile_commands.json ]] || fail 2 "$build is not built; run ops/lib/build.sh asan"
cd "$root"
files=("$@")
[[ ${#files[@]} -ne 0 ]] || mapfile -t files < <(git ls-files 'common/*.cc' 'hub/*.cc' 'spoke/*.cc' 'ops/*.cc')
step "clang-tidy on ${#files[@]} files"
# The largest first, so that the last one does not make the others' processors wait.
printf '%s\n' "${files[@]}" | xargs wc -c | sort -rn | awk '$2 != "total" { print $2 }' |
  xargs -P "$(nproc)" -n 1 clang-tidy -p "$build" --quiet "${checks[@]}" 2>/dev/null ||
  fail 1 "clang-tidy found what stands above"
step "clang-tidy found nothing"
