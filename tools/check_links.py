#!/usr/bin/env python3
"""Fails when a link of a document leads nowhere: to a file that is not there, or to a heading that it does not have.

Usage: check_links.py ROOT
Looks at every .md below ROOT but for folders that begin with a dot or with "build". Links to other hosts are not followed.
"""
import os
import re
import sys

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)", re.M)
CODE = re.compile(r"^```.*?^```|^ {4}[^\n]*", re.M | re.S)


def documents(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "build")))
        yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(".md"))


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def anchors(path):
    """What a heading is called in a link: in small letters, without marks, "-" for each blank."""
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in HEADING.findall(read(path))}


def dead(root):
    for path in documents(root):
        for link in LINK.findall(CODE.sub("", read(path))):
            file, _, heading = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            where = f"{os.path.relpath(path, root)}: {link}"
            if "://" in link:
                continue
            if not os.path.exists(target):
                yield f"{where}: there is no such file"
            elif heading and heading not in anchors(target):
                yield f"{where}: there is no such heading"


def main():
    found = list(dead(sys.argv[1]))
    print("\n".join(found) or "all links lead somewhere")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
