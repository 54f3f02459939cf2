#!/bin/bash
# Fails when a C file is not as clang-format would write it. Exit 77 (skipped) without clang-format.
#
# Usage: check_format.sh ROOT
set -euo pipefail
cd "$1"
if ! command -v clang-format >/dev/null; then
	echo "skipped: clang-format is not installed"
	exit 77
fi
# Files that git knows and that are there; from an archive without history, all that are there.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	mapfile -t files < <(git ls-files '*.c' '*.h')
else
	mapfile -t files < <(find . -path './build*' -prune -o \( -name '*.c' -o -name '*.h' \) -print)
fi
present=()
for file in "${files[@]}"; do
	[ -e "$file" ] && present+=("$file")
done
clang-format --dry-run -Werror "${present[@]}"
