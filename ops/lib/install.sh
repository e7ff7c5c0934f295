#!/usr/bin/env bash
# Installs what is missing of the Debian 12 packages that OLTP 2.0 is built on and tested with.
# Touches nothing when all are there. No PostgreSQL cluster of the machine is created or started.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=ops/lib/common.sh
source "$here/common.sh"

usage() {
  cat <<'TEXT'
Usage: ops/lib/install.sh [--analysis] [--bench] [--dry-run]

Installs the missing packages as root or through sudo.
  --analysis  also what the lanes asan, tsan and fuzz of ops/test need
  --bench     also what only ops/bench needs
  --dry-run   only print what is missing (exit 1 when something is)

Examples:
  ops/lib/install.sh
  ops/lib/install.sh --dry-run
TEXT
}

packages=(
  build-essential cmake ninja-build ccache pkg-config git
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler
  libpqxx-dev librocksdb-dev libssl-dev prometheus-cpp-dev libcli11-dev
  libgtest-dev libgmock-dev libcpp-httplib-dev nlohmann-json3-dev libspdlog-dev
  libtoml11-dev postgresql-15 openssl clang-format iproute2 curl
)
# llvm has the symbolizer: without it reports, and suppressions by name, are mere addresses.
analysis_packages=(clang clang-tidy libclang-rt-dev llvm)
bench_packages=(nats-server)

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null |
    sed -n 's/^installed //p') || true
  printf '%s\n' "${packages[@]}" | grep -vxF -f <(printf '%s\n' "$installed" '#none') || true
}

# Runs a command as root, without questions.
as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  else
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

check_rights() {
  [[ $(id -u) -eq 0 ]] && return
  command -v sudo >/dev/null ||
    fail 1 "packages are missing and neither root nor sudo is at hand; as root, run: apt-get install -y $*"
  [[ -t 0 ]] || sudo -n true 2>/dev/null ||
    fail 1 "packages are missing and sudo asks for a password, but there is no terminal; run: sudo apt-get install -y $*"
}

retry() {
  local attempt
  for attempt in 1 2 3; do
    "$@" && return
    step "attempt $attempt of 3 failed: $*"
    sleep $((attempt * 3))
  done
  return 1
}

# The postgresql-15 package would create and start a cluster; this configuration, read when
# postgresql-common is installed, says not to. A machine that has it already keeps its choice.
keep_clusters_away() {
  local config=/etc/postgresql-common/createcluster.conf
  [[ -e $config ]] && return
  as_root mkdir -p "${config%/*}"
  echo 'create_main_cluster = false' | as_root tee "$config" >/dev/null
}

# nats-server would be started as a service, and listen on every address.
keep_nats_down() {
  local unit=/etc/systemd/system/nats-server.service
  [[ -e $unit || -L $unit ]] && return
  as_root mkdir -p "${unit%/*}"
  as_root ln -s /dev/null "$unit"
}

install_packages() {
  local -a apt=(apt-get -y -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold
    install --no-install-recommends "$@")
  # The package lists may be there and fresh; only when they are not is an update worth its time.
  if as_root "${apt[@]}" >/dev/null 2>&1; then return; fi
  step "updating the package lists"
  retry as_root apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update ||
    fail 1 "apt-get update failed; check the network and /etc/apt/sources.list"
  retry as_root "${apt[@]}" >&2 ||
    fail 1 "apt-get could not install: $*; this needs Debian 12 with its main archive"
}

main() {
  local dry_run=no
  while [[ $# -gt 0 ]]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --analysis) packages+=("${analysis_packages[@]}") ;;
      --bench) packages+=("${bench_packages[@]}") ;;
      --dry-run) dry_run=yes ;;
      *) usage >&2; fail 2 "unknown option: $1" ;;
    esac
    shift
  done
  command -v dpkg-query >/dev/null || fail 1 "this needs Debian 12: there is no dpkg here"
  local -a missing
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -eq 0 ]] && return
  if [[ $dry_run == yes ]]; then
    printf '%s\n' "${missing[@]}"
    exit 1
  fi
  check_rights "${missing[@]}"
  step "installing ${#missing[@]} packages: ${missing[*]}"
  keep_clusters_away
  [[ " ${missing[*]} " != *" nats-server "* ]] || keep_nats_down
  install_packages "${missing[@]}"
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -eq 0 ]] || fail 1 "still missing after the installation: ${missing[*]}"
}

main "$@"
