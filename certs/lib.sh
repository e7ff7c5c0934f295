# Shared by the scripts in this folder; sourced, not run.
set -euo pipefail

fail() {
  echo "${0##*/}: $1" >&2
  exit "${2:-1}"
}

need_ca() {
  [ -f "$1/ca.pem" ] && [ -f "$1/ca.key" ] ||
    fail "$1 holds no CA (ca.pem and ca.key): make one with certs/make-ca $1"
}

check_name() {
  [[ $2 =~ ^[A-Za-z0-9._-]{1,63}$ ]] ||
    fail "$1 '$2' is not a name: 1 to 63 letters, digits, '.', '_' or '-'" 2
}

need_argument() {
  [ "$#" -ge 2 ] && [ -n "$2" ] || fail "$1 takes a value" 2
}

# write_crl DIR: signs the list of what was revoked.
write_crl() {
  openssl ca -config "$1/ca.cnf" -gencrl -out "$1/crl.pem.new" 2>/dev/null ||
    fail "openssl cannot write the revocation list in $1"
  mv "$1/crl.pem.new" "$1/crl.pem"
}
