# Sourced by ops/demo: PostgreSQL clusters, hubs and spokes of its own in one directory, on loopback
# or unix sockets, and their end. Nothing of the machine's own PostgreSQL is touched.
# shellcheck shell=bash

pg_bin=/usr/lib/postgresql/15/bin
net_pids=()
pg_pids=()

# PostgreSQL refuses to run as root.
as_postgres() {
  if [[ $(id -u) -eq 0 ]]; then
    setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"
  else
    "$@"
  fi
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
  as_postgres "$pg_bin/initdb" -D "$dir/data" -U postgres -A trust --locale=C.UTF-8 -E UTF8 \
    >"$dir.initdb.log" 2>&1 || fail 1 "initdb failed: $dir.initdb.log"
  # In the background of this shell, so that its end can be waited for.
  as_postgres "$pg_bin/postgres" -D "$dir/data" -c listen_addresses=127.0.0.1 -c "port=$port" \
    -c "unix_socket_directories=$dir" -c logging_collector=off >"$dir.log" 2>&1 &
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

end_network() {
  local pid
  for pid in "${net_pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${net_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  # Fast shutdown: a client that is still there does not keep a server up.
  for pid in "${pg_pids[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
  for pid in "${pg_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  net_pids=() pg_pids=()
}
