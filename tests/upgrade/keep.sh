#!/bin/sh
# Makes kept/ anew: delivers a small repository with the ADX of the first version, and keeps what that left behind.
# Needs what `make setup` and `make tools` need. Usage, anywhere in a clone of this repository: sh tests/upgrade/keep.sh
# PYTHON names the Python of the old ADX; the state that is kept has places in its library: best that of the system.
set -eu
FIRST=c94e5ca # the last commit of the first version: merges delivered and restored; no previews, fleets or migrations yet
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
chmod 755 "$work" # PostgreSQL does not run as root, and must reach its programs
trap 'rm -rf "$work"' EXIT
git clone --quiet "$(git -C "$here" rev-parse --show-toplevel)" "$work/adx"
git -C "$work/adx" checkout --quiet "$FIRST"
make --directory "$work/adx" setup
cd "$work/adx" # its modules, not today's
PYTHONPATH="$work/adx" .venv/bin/python "$here/keep.py" "$work/story" "$here/kept"
