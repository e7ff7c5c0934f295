# Sourced by ops/demo: PostgreSQL clusters, hubs and spokes of its own in one directory, on loopback
# or unix sockets, and their end. Nothing of the machine's own PostgreSQL is touched.
# shellcheck shell=bash

pg_bin=/usr/lib/postgresql/15/bin
net_pids=()
pg_pids=()

# PostgreSQL refuses to run as root. An array, not a function: a function in the background would be
# a shell of its own, and signals to its pid would never reach the server.
as_postgres=()
[[ $(id -u) -ne 0 ]] || as_postgres=(setpriv --reuid=nobody --regid=nogroup --clear-groups --)

# A directory of our own that PostgreSQL's user reaches too.
make_network_directory() {
  local dir
  for parent in "${TMPDIR:-/tmp}" /tmp; do
    dir=$(mktemp -d "$parent/oltp20-demo.XXXXXX") || continue
    chmod 755 "$dir"
    if "${as_postgres[@]}" test -x "$dir"; then
      echo "$dir"
      return
    fi
    rmdir "$dir"
  done
  fail 1 "no directory for the databases: set TMPDIR to one that user nobody may enter"
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}

# start_postgres DIR PORT
start_postgres() {
  local dir=$1 port=$2
  mkdir -p "$dir"
  [[ $(id -u) -ne 0 ]] || chown nobody:nogroup "$dir"
  "${as_postgres[@]}" "$pg_bin/initdb" -N -D "$dir/data" -U postgres -A trust --locale=C.UTF-8 -E UTF8 \
    >"$dir.initdb.log" 2>&1 || fail 1 "initdb failed: $dir.initdb.log"
  # In the background of this shell, so that its end can be waited for.
  "${as_postgres[@]}" "$pg_bin/postgres" -D "$dir/data" -c listen_addresses=127.0.0.1 \
    -c "port=$port" -c unix_socket_directories= -c logging_collector=off >"$dir.log" 2>&1 &
  pg_pids+=($!)
  local tries
  for tries in {1..200}; do
    "$pg_bin/pg_isready" -q -h 127.0.0.1 -p "$port" && return
    sleep 0.05
  done
  fail 1 "PostgreSQL does not start: $dir.log"
}

# sql PORT DATABASE STATEMENTS: unaligned tuples only.
sql() {
  PGOPTIONS='-c client_min_messages=warning' psql -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 \
    -p "$1" -U postgres -d "$2" -c "$3"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || fail 1 "$what did not happen in time; logs are in ${net:-?}"
    sleep 0.02
  done
}

ready() { curl -fsS --max-time 2 "http://127.0.0.1:$1/readyz"; }

# stop_all SIGNAL LAST PID...: what has not ended within 15 s gets LAST.
stop_all() {
  local signal=$1 last=$2 pid deadline=$((SECONDS + 15))
  shift 2
  for pid in "$@"; do kill "-$signal" "$pid" 2>/dev/null || true; done
  for pid in "$@"; do
    while kill -0 "$pid" 2>/dev/null; do
      ((SECONDS < deadline)) || { kill "-$last" "$pid" 2>/dev/null || true; break; }
      sleep 0.05
    done
    wait "$pid" 2>/dev/null || true
  done
}

end_network() {
  stop_all TERM KILL "${net_pids[@]}"
  # Fast shutdown: a client that is still there does not keep a server up.
  stop_all INT QUIT "${pg_pids[@]}"
  net_pids=() pg_pids=()
}
