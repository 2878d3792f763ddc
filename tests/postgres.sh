#!/usr/bin/env bash
# A PostgreSQL server for tests: postgres.sh DIR PORT makes a cluster in DIR if there is none and serves it on 127.0.0.1:PORT (no password)
# until standard input ends or the server does. DIR/data/postmaster.pid names the process, for tests that kill it.
set -euo pipefail
dir=$1 port=$2
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
if [ -z "$bin" ]; then
  command -v initdb >/dev/null || { echo "PostgreSQL is missing: apt-get install postgresql" >&2; exit 1; }
  bin=$(dirname "$(command -v initdb)")
fi
as=()
mkdir -p "$dir"
if [ "$(id -u)" -eq 0 ]; then
  # The server refuses to run as root.
  user=$(id -un postgres 2>/dev/null || echo nobody)
  as=(setpriv "--reuid=$user" "--regid=$(id -gn "$user")" --clear-groups)
  chown -R "$user" "$dir"
fi
cd "$dir"
if [ ! -f data/PG_VERSION ]; then
  "${as[@]}" "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --no-sync --no-locale >"$dir/initdb.log" 2>&1
fi
rm -f data/postmaster.pid
# No disk is pulled in these tests, so what the system has taken is as good as written.
"${as[@]}" "$bin/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 -c "unix_socket_directories=$dir" -c fsync=off \
  -c max_connections=200 -c log_min_messages=fatal >>"$dir/server.log" 2>&1 &
server=$!
# The reader ends with whoever started this; the server then has no more to do.
{ cat >/dev/null; kill -QUIT "$server" 2>/dev/null; } <&0 &
wait "$server"
