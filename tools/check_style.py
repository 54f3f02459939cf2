#!/usr/bin/env python3
"""Fails when a C file or a function is longer than a reader can hold, or a pure library keeps state.

Usage: check_style.py ROOT [STATIC_LIBRARY...]
Hard limits, in lines: a .c file 800, a .h file 500, a function's body 80. What must be longer has its
reason in EXCEPTIONS. The libraries given must have no writable data: state belongs to the caller.
"""
import os
import re
import subprocess
import sys

MAX_LINES = {".c": 800, ".h": 500}
MAX_FUNCTION_LINES = 80
# "path" or "path:function": the reason.
EXCEPTIONS = {}
TOPS = ["core", "vswitch", "drivers", "dataplane", "host", "control", "api", "cli", "apps", "sim", "tests",
        "bench", "tools"]

NAME = re.compile(r"(\w+)\s*\(")
# Data that the loader or nobody writes after start: constants, and constants with addresses in them.
READ_ONLY = re.compile(r"^\.(rodata|data\.rel\.ro|text|eh_frame|debug)")


def sources(root):
    for top in TOPS:
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if os.path.splitext(name)[1] in MAX_LINES:
                    yield os.path.relpath(os.path.join(folder, name), root)


def functions(lines):
    """(name, lines of the body), as clang-format lays functions out: braces in the first column."""
    start = None
    for number, line in enumerate(lines):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            head = " ".join(lines[max(0, start - 8):start])
            head = re.split(r"[;}]|\*/", head)[-1]
            name = NAME.search(head)
            yield name.group(1) if name else "?", start + 1, number - start + 1
            start = None


def long_things(root):
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            lines = file.read().splitlines()
        limit = MAX_LINES[os.path.splitext(path)[1]]
        if len(lines) > limit and path not in EXCEPTIONS:
            yield f"{path}: {len(lines)} lines; the limit is {limit}"
        for name, at, n_lines in functions(lines):
            if n_lines > MAX_FUNCTION_LINES and f"{path}:{name}" not in EXCEPTIONS:
                yield f"{path}:{at}: {name}() has {n_lines} lines; the limit is {MAX_FUNCTION_LINES}"


def writable_data(library):
    listing = subprocess.run(["nm", "--format=sysv", "--defined-only", library], capture_output=True,
                             text=True, check=True).stdout
    for line in listing.splitlines():
        columns = [c.strip() for c in line.split("|")]
        if len(columns) != 7 or columns[3] != "OBJECT" and columns[3] != "COMMON":
            continue
        if not READ_ONLY.match(columns[6]):
            yield f"{os.path.basename(library)}: {columns[0]} is writable ({columns[6]})"


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: check_style.py ROOT [STATIC_LIBRARY...]")
    found = list(long_things(sys.argv[1]))
    for library in sys.argv[2:]:
        found += writable_data(library)
    for text in found:
        print(text)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
