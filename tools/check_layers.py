#!/usr/bin/env python3
"""Reads the layers off the include lines and fails when a directory includes one it may not.

Usage: check_layers.py ROOT [STAMP DEPFILE]
With a stamp it is part of the build: it is written when nothing was found, and made anew when a source or
a folder changed.
"""
import os
import re
import sys

STDLIB_CORE = {"stdint.h", "stddef.h", "stdbool.h", "limits.h", "string.h", "stdatomic.h",
               "stdarg.h"}
OWN = ["core", "vswitch", "drivers", "dataplane", "host", "control", "api", "cli", "sim", "apps"]

# directory: (directories or single headers it may include from the root, may use DPDK?, libraries)
# libraries: None = any system header that is not DPDK's; a set = only these.
RULES = {
    "core": ({"core"}, False, STDLIB_CORE),
    "vswitch": ({"core", "vswitch"}, False, STDLIB_CORE),
    "drivers": ({"core", "vswitch", "drivers"}, True, None),
    "dataplane": ({"core", "vswitch", "dataplane", "drivers/driver.h"}, True, None),
    "host": ({"core/units.h", "core/error.h", "core/compiler.h", "host"}, False, None),
    "control": ({"core", "host", "control", "dataplane/dataplane.h"}, False, None),
    "api": ({"core", "api", "control/control.h", "control/credits.h"}, False, None),
    "cli": ({"core/units.h", "core/error.h", "core/compiler.h", "api/human.h", "api/schema.h", "api/nearest.h", "api/config.h", "core/verdict.h", "cli"}, False, None),
    "sim": ({"core", "vswitch", "sim", "drivers/driver.h", "drivers/simnic.h"}, False, None),
}
# These may use everything.
FREE = {"apps", "tests", "bench", "tools"}
# Drivers that must build without DPDK.
PURE_DRIVERS = {"driver.h", "dummy.c", "dummy.h", "simnic.c", "simnic.h", "simnic_card.c", "simnic_card.h",
                "simnic_completion.c", "simnic_line.c", "simnic_line.h", "simnic_text.c", "simnic_text.h",
                "wire.c", "wire.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def unknown(root):
    """Folders with sources for which there is no rule: nobody would look at what they include."""
    for top in sorted(os.listdir(root)):
        base = os.path.join(root, top)
        if top in RULES or top in FREE or top.startswith(".") or os.path.isdir(os.path.join(base, "meson-info")):
            continue
        if any(name.endswith((".c", ".h")) for _, _, names in os.walk(base) for name in names):
            yield f"{top}/: has sources, and no rule says what they may include"


def problems(root):
    yield from unknown(root)
    for top, (own_ok, dpdk_ok, libs) in RULES.items():
        base = os.path.join(root, top)
        for folder, _, names in os.walk(base):
            for name in sorted(names):
                if not name.endswith((".c", ".h")):
                    continue
                path = os.path.join(folder, name)
                rel = os.path.relpath(path, root)
                is_test = name.endswith("_test.c")
                for number, line in enumerate(open(path, encoding="utf-8"), 1):
                    match = INCLUDE.match(line)
                    if not match:
                        continue
                    header = match.group(2)
                    where = f"{rel}:{number}: includes {header}"
                    first = header.split("/")[0]
                    if first in OWN:
                        if not any(header == ok or first == ok for ok in own_ok):
                            yield f"{where}; {top}/ may use only {', '.join(sorted(own_ok))}"
                    elif first == "tests":
                        if not is_test:
                            yield f"{where}; only tests may use tests/"
                    elif match.group(1) == '"':
                        yield f"{where}; write includes from the root of the project"
                    elif header.startswith("rte_"):
                        if not dpdk_ok or (top == "drivers" and name in PURE_DRIVERS):
                            yield f"{where}; no DPDK in this layer"
                    elif libs is not None and header not in libs and not is_test:
                        yield f"{where}; {top}/ may use only {', '.join(sorted(libs))}"


def write_stamp(root, stamp, depfile):
    """Folders, too: a new file changes them."""
    seen = [os.path.join(folder, name) for top in RULES
            for folder, _, names in os.walk(os.path.join(root, top))
            for name in ["."] + [n for n in names if n.endswith((".c", ".h"))]]
    with open(depfile, "w", encoding="utf-8") as out:
        out.write(f"{stamp}: " + " ".join(os.path.normpath(s).replace(" ", "\\ ") for s in seen) + "\n")
    with open(stamp, "w", encoding="utf-8"):
        pass


def main():
    if len(sys.argv) not in (2, 4):
        sys.exit("usage: check_layers.py ROOT [STAMP DEPFILE]")
    found = list(problems(sys.argv[1]))
    for text in found:
        print(text)
    if found:
        sys.exit(1)
    if len(sys.argv) == 4:
        write_stamp(*sys.argv[1:])


if __name__ == "__main__":
    main()
