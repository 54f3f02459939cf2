#!/usr/bin/env python3
"""The sources keep the layers; and a source that does not is found, for each kind of rule.

Usage: check_layers_test.py ROOT
"""
import os
import sys
import tempfile

from check_layers import problems

BROKEN = (
    ("core/bucket.c", '#include "drivers/driver.h"'),
    ("core/bucket.c", "#include <stdio.h>"),
    ("core/bucket.c", '#include "tests/harness.h"'),
    ("vswitch/parse.h", '#include "../core/units.h"'),
    ("control/control.c", '#include "api/schema.h"'),
    ("control/control.c", '  #  include <rte_mbuf.h>'),
    ("drivers/simnic.c", "#include <rte_mbuf.h>"),
    ("api/http.c", '#include "dataplane/dataplane.h"'),
    ("dataplane/path.c", '#include "drivers/tap.h"'),
    ("sim/card.c", '#include "drivers/tap.h"'),
    ("ext/kit/kit.h", '#include "core/units.h"'),
)
KEPT = (
    ("core/bucket.c", '#include "core/units.h"'),
    ("core/bucket_test.c", '#include "tests/harness.h"'),
    ("dataplane/path.c", '#include "drivers/driver.h"'),
    ("drivers/tap.c", "#include <rte_mbuf.h>"),
    ("sim/card.c", '#include "drivers/simnic.h"'),
    ("apps/headgate.c", '#include "drivers/tap.h"'),
    (".cache/copy.c", '#include "drivers/tap.h"'),
)


def found_in(path, line):
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, os.path.dirname(path)))
        with open(os.path.join(root, path), "w", encoding="utf-8") as out:
            out.write(f"/* why */\n{line}\n")
        return list(problems(root))


def main():
    failed = list(problems(sys.argv[1]))
    failed += [f"not found: {case}" for case in BROKEN if len(found_in(*case)) != 1]
    failed += [f"found: {case}" for case in KEPT if found_in(*case)]
    for text in failed:
        print(text)
    n = 1 + len(BROKEN) + len(KEPT)
    print(f"{n - len(failed)} passed, {len(failed)} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
