#!/bin/sh
# Makes the virtual environment in which the live tests run a real, unmodified Synapse and a client library.
# May be run again at any time: a finished installation is kept, an interrupted one is redone.
set -eu

version=1.163.2
nio=0.26.0
cache=${PRESENCED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/presenced}
venv=$cache/synapse-$version
finished=$venv/.finished-nio-$nio
log=$cache/synapse-$version.log

fail() {
    echo "set-up: $1" >&2
    exit 1
}

# Debian ships the venv module without ensurepip, so both are asked for.
has_venv() {
    python3 -c 'import ensurepip, venv' 2>/dev/null
}

if [ -e "$finished" ] && "$venv/bin/python" -c 'import synapse, nio' 2>/dev/null; then
    echo "set-up: Synapse $version and matrix-nio $nio, which the live tests need, are already in $venv"
    exit 0
fi

echo "set-up: installing Synapse $version and matrix-nio $nio in $venv, because the live tests run against real ones"
mkdir -p "$cache" || fail "cannot make the folder $cache"
: >"$log" || fail "cannot write $log"

command -v python3 >/dev/null || fail "Python 3 is not installed"
if ! has_venv && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y python3-venv; } >>"$log" 2>&1 || true
fi
has_venv || fail "this Python 3 has no venv module (Debian: the package python3-venv)"

# --clear, because pip takes a half-unpacked package of an interrupted run for an installed one.
rm -f "$finished"
python3 -m venv --clear "$venv" >>"$log" 2>&1 || fail "python3 -m venv failed, see $log"
"$venv/bin/python" -m pip install --disable-pip-version-check "matrix-synapse==$version" "matrix-nio==$nio" >>"$log" 2>&1 ||
    fail "pip cannot install matrix-synapse $version and matrix-nio $nio (no network, or no fitting Python?), see $log"
"$venv/bin/python" -c 'import synapse, nio' >>"$log" 2>&1 || fail "what was installed cannot be imported, see $log"
: >"$finished"
