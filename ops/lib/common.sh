# Sourced by the scripts of ops: progress lines and errors. Colour only on a terminal.
# shellcheck shell=bash
if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' red='' plain=''
fi

step() { printf '%s== %s%s\n' "$bold" "$*" "$plain" >&2; }

# An error ends the script with exit code $1: 1 the operation failed, 2 wrong usage.
fail() {
  local code=$1
  shift
  printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
  exit "$code"
}
