#!/usr/bin/env bash
# Installs what the tests talk to, builds, and runs every test. Exits non-zero when anything is missing or fails.
set -euo pipefail
cd "$(dirname "$0")/.."

# program:Debian package. The tests run the real ones; none of them is replaced by an imitation.
programs=(
  prometheus:prometheus                         # scrapes, evaluates rules, sends alerts
  promtool:prometheus                           # checks deploy/prometheus.yml and the rules beside it
  prometheus-alertmanager:prometheus-alertmanager # groups alerts and posts them to us
  amtool:prometheus-alertmanager                # checks deploy/alertmanager.yml
  psql:postgresql-client                        # makes and asks databases of the server below
  openssl:openssl                               # makes the certificates that a Prometheus shows and asks for
  faketime:faketime                             # gives Afterword a clock that is off
  systemd-analyze:systemd                       # checks deploy/afterword.service
  python3:python3                               # runs the calendar library below
)
packages=()
for entry in "${programs[@]}"; do
  command -v "${entry%%:*}" >/dev/null || packages+=("${entry#*:}")
done
# The server's programs are not on the path; tests/postgres.sh finds them.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages+=(postgresql)
# Debian packs venv apart from python3; only trying it tells.
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)

if [ ${#packages[@]} -gt 0 ]; then
  mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
  echo "installing: ${packages[*]}"
  if ! command -v apt-get >/dev/null; then
    echo "no apt-get here: install the programs named at the top of tests/run.sh and run it again" >&2
    exit 1
  fi
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  # RUNLEVEL=1 keeps the packages from starting services of their own on the ports that people use.
  "${as_root[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

# Calendar libraries that are not ours: one reads the invites we write, one the on-call calendars we read.
libraries=(icalendar==7.3.0 recurring-ical-events==3.8.2)
venv=target/python
mkdir -p target
if [ "$(cat "$venv/libraries" 2>/dev/null)" != "${libraries[*]}" ]; then
  echo "installing: ${libraries[*]} into $venv"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${libraries[@]}"
  echo "${libraries[*]}" > "$venv/libraries"
fi

cargo build --locked
cargo test --locked --no-run
log=target/test.log
status=0
cargo test --locked --no-fail-fast 2>&1 | tee "$log" || status=$?
awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
     END { printf "\n%d passed, %d failed, %d ignored\n", passed, failed, ignored; exit passed == 0 || ignored > 0 }' "$log" || status=1
exit "$status"
