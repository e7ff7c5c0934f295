#!/usr/bin/env bash
# Keeps the fuzzers' corpus: true encodings, and what a search found to reach further.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=ops/lib/common.sh
source "$here/common.sh"

usage() {
  cat <<'TEXT'
Usage: ops/lib/fuzz.sh seeds|keep

  seeds   writes the true encodings anew (tests/fuzz/corpus/*/seed-*)
  keep    puts what the last `ops/test --preset fuzz` found into tests/fuzz/corpus, minimised:
          of each fuzzer at most 24 inputs of at most 512 bytes, named found-HASH

Examples:
  OLTP20_FUZZ_SECONDS=600 ops/test --preset fuzz && ops/lib/fuzz.sh keep
TEXT
}

most_inputs=24
most_bytes=512
corpus=$root/tests/fuzz/corpus
build=$root/build-fuzz

case ${1:-} in
  -h | --help) usage; exit 0 ;;
  seeds)
    "$here/build.sh" fuzz fuzzers
    rm -f "$corpus"/*/seed-*
    "$build/bin/fuzz_seeds" "$corpus"
    ;;
  keep)
    "$here/build.sh" fuzz fuzzers
    for fuzzer in "$build"/bin/fuzz_*; do
      name=${fuzzer##*/fuzz_}
      [[ $name != seeds && -d $build/found/$name/inputs ]] || continue
      merged=$(mktemp -d)
      # -merge=1 takes the smallest inputs first, and of them only what reaches something new.
      "$fuzzer" -merge=1 -max_len="$most_bytes" "$merged" "$corpus/$name" "$build/found/$name/inputs" 2>/dev/null
      rm -f "$corpus/$name"/found-*
      find "$merged" -type f -size -"$((most_bytes + 1))"c -printf '%s %p\n' | sort -n | awk -v most="$most_inputs" 'NR <= most' |
        while read -r _ file; do
          hash=$(sha256sum "$file" | cut -c1-12)
          # What is a seed already needs no second copy.
          if ! sha256sum "$corpus/$name"/seed-* | grep -q "^$hash"; then
            cp "$file" "$corpus/$name/found-$hash"
          fi
        done
      rm -rf "$merged"
      step "$name: $(find "$corpus/$name" -type f | wc -l) inputs"
    done
    ;;
  *) usage >&2; fail 2 "say seeds or keep" ;;
esac
