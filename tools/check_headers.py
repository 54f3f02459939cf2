#!/usr/bin/env python3
"""Compiles every public header alone, and twice in a row, so that each brings what it needs.

Usage: check_headers.py ROOT CC [ARGS...]
Headers of core/ and vswitch/ are held to ISO C17; the others may use GNU C and the libraries that
pkg-config knows. A header that needs a library which is not installed is skipped and said so.
Exit 1 if a header does not compile; the last line counts.
"""
import os
import re
import subprocess
import sys

STRICT = ["core", "vswitch"]
OTHERS = ["drivers", "dataplane", "host", "control", "api", "cli", "sim"]
LIBRARIES = ["libdpdk", "jansson", "libmicrohttpd", "yaml-0.1", "libxdp", "libbpf", "libsystemd"]
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror"]
MISSING = re.compile(r"fatal error: '?<?([\w/.-]+)>?'?(: No such file| file not found)")


def library_flags():
    flags = []
    for name in LIBRARIES:
        found = subprocess.run(["pkg-config", "--cflags", name], capture_output=True, text=True)
        if found.returncode == 0:
            # As system headers, whose warnings are not ours.
            flags += [re.sub(r"^-I", "-isystem", f) for f in found.stdout.split()]
    return flags


def compile_alone(root, cc, header, flags):
    source = f'#include "{header}"\n' * 2
    return subprocess.run(cc + flags + ["-fsyntax-only", "-I", root, "-x", "c", "-"], input=source,
                          capture_output=True, text=True)


def headers(root, tops):
    for top in tops:
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith(".h"):
                    yield os.path.relpath(os.path.join(folder, name), root)


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: check_headers.py ROOT CC [ARGS...]")
    root, cc = sys.argv[1], sys.argv[2:]
    strict = ["-std=c17", "-Wpedantic", "-Wconversion"] + WARNINGS
    gnu = ["-std=gnu17", "-D_GNU_SOURCE"] + WARNINGS + library_flags()
    passed = failed = skipped = 0
    for tops, flags in (STRICT, strict), (OTHERS, gnu):
        for header in headers(root, tops):
            result = compile_alone(root, cc, header, flags)
            missing = MISSING.search(result.stderr)
            if result.returncode == 0:
                passed += 1
            elif missing and not os.path.exists(os.path.join(root, missing.group(1))) and tops is OTHERS:
                skipped += 1
                print(f"skipped: {header} needs {missing.group(1)}, which is not installed")
            else:
                failed += 1
                print(f"FAILED: {header} does not compile alone\n{result.stderr}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
