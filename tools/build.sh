#!/bin/bash
# build: the release build in build/, quietly when there is nothing to do; says everything on failure.
#
# Use: tools/build.sh [TARGET...]      (none: all)
cd "$(dirname "$0")/.." || exit 1
log=$(mktemp) && trap 'rm -f "$log"' EXIT
if [ ! -e build/build.ninja ]; then
	echo "configuring" >&2
	meson setup build >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
[ "$(ninja -C build -n "$@" 2>/dev/null | tail -1)" != "ninja: no work to do." ] || exit 0
echo "building (a minute the first time)" >&2
if [ -t 2 ]; then
	ninja -C build "$@" >&2
else
	ninja -C build "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
