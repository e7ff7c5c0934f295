#!/usr/bin/env bash
# One lane of ops/test: builds a preset, or what of it the lane needs, and runs its tests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=ops/lib/common.sh
source "$here/common.sh"

usage() {
  cat <<'TEXT'
Usage: ops/lib/lane.sh LANE [--quick] [--filter REGEX]

  release   everything, as it is shipped
  debug     everything, without optimization
  asan      everything with the address and undefined-behaviour sanitizers, clang-tidy, and a
            planted fault of each kind; not the tests whose bounds are of time or memory
  tsan      tests labelled "threads" with the thread sanitizer, and planted races
  fuzz      each fuzzer for OLTP20_FUZZ_SECONDS (60)

The counts are left in BUILD/lane.txt: passed, failed, seconds.

Examples:
  ops/lib/lane.sh tsan
  OLTP20_FUZZ_SECONDS=600 ops/lib/lane.sh fuzz --filter envelope

Exit codes: 0 all passed; 1 something failed; 2 wrong usage.
TEXT
}

# Settings of the sanitizers. Reports go to files, since most of the product runs in processes that
# tests start and kill: any report fails the lane, whoever wrote it.
set_sanitizers() {
  local log=$build/reports/report
  rm -rf "$build/reports"
  mkdir -p "$build/reports"
  export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:log_path=$log
  export UBSAN_OPTIONS=print_stacktrace=1:log_path=$log
  export LSAN_OPTIONS=suppressions=$here/lsan.supp:print_suppressions=0:log_path=$log
  export TSAN_OPTIONS=suppressions=$here/tsan.supp:second_deadlock_stack=1:log_path=$log
}

count_reports() {
  local -a reports
  mapfile -t reports < <(find "$build/reports" -type f -size +0 2>/dev/null)
  [[ ${#reports[@]} -eq 0 ]] || head -n 120 "${reports[@]}" >&2
  echo "${#reports[@]}"
}

main() {
  local lane=${1:-} quick=no filter=''
  case $lane in
    -h | --help) usage; exit 0 ;;
    release | debug | asan | tsan | fuzz) shift ;;
    *) usage >&2; fail 2 "there is no lane \"$lane\"; choose release, debug, asan, tsan or fuzz" ;;
  esac
  while [[ $# -gt 0 ]]; do
    case $1 in
      --quick) quick=yes ;;
      --filter)
        [[ $# -ge 2 && -n $2 ]] || fail 2 "--filter needs a value"
        filter=$2
        shift
        ;;
      *) usage >&2; fail 2 "unknown option: $1" ;;
    esac
    shift
  done
  local build=$root/build started=$SECONDS
  [[ $lane == release ]] || build=$root/build-$lane
  local -a targets=() arguments=(--test-dir "$build" --output-on-failure --no-tests=error
    -j "$(nproc)") leave_out=() run=()
  case $lane in
    asan) leave_out+=('^unsanitized$') ;;
    tsan)
      targets+=(thread_tests)
      arguments+=(--label-regex '^(threads|gate)$')
      # Where addresses are spread too widely this sanitizer does not start.
      setarch -R true 2>/dev/null && run=(setarch -R)
      ;;
    fuzz)
      targets+=(fuzzers)
      arguments+=(--label-regex '^(fuzz|gate)$')
      ;;
  esac
  [[ $quick == yes ]] && leave_out+=('^slow$')
  [[ ${#leave_out[@]} -eq 0 ]] ||
    arguments+=(--label-exclude "$(IFS='|'; echo "${leave_out[*]}")")
  [[ -n $filter ]] && arguments+=(--tests-regex "$filter")
  "$here/build.sh" "$lane" "${targets[@]}"
  set_sanitizers
  # Settings of the caller's environment must not reach the programs under test.
  local name
  while IFS= read -r name; do
    [[ $name == OLTP20_FUZZ_SECONDS ]] || unset "$name"
  done < <(compgen -v OLTP20_ || true)

  step "testing $lane"
  local code=0
  "${run[@]}" ctest "${arguments[@]}" | tee "$build/lane.log" || code=1
  local total failed reports
  total=$(sed -nE 's/^[0-9]+% tests passed, [0-9]+ tests? failed out of ([0-9]+)$/\1/p' "$build/lane.log")
  failed=$(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of [0-9]+$/\1/p' "$build/lane.log")
  reports=$(count_reports)
  [[ $reports -eq 0 ]] || step "$lane: $reports processes wrote a sanitizer's report; they are above"
  : "${total:=0}" "${failed:=1}"
  echo "$((total - failed)) $((failed + reports)) $((SECONDS - started))" >"$build/lane.txt"
  [[ $code -eq 0 && $reports -eq 0 ]] || exit 1
}

main "$@"
