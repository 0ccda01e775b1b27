#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""standalone.py SOURCE: the tree speaks of itself alone.

No file names a place of somebody's machine, or reaches above the top of the tree, and nothing that a build downloads or a
tool leaves behind lies in it.
"""

import os
import pathlib
import re
import sys

SKIPPED = re.compile(r"^(\.git|build|build-.*|__pycache__|\.pytest_cache|\.cache)$")

# Absolute paths that exist only where somebody wrote the file. Written so that this line does not match itself.
PLACES = re.compile(r"""(?<![\w.~$}*/-])/(work|home|Users|mnt|media|workspace|builds|root|opt/homebrew)/[\w.-]""")
# Somebody's folder in /tmp; a single file there is an example, and a script makes its own with XXX.
TMP = re.compile(r"(?<![\w.~$}*/-])/tmp/(?!\S*XXX)(build[\w.-]|[\w.-]+/)")

# Examples of paths that a user of any machine has.
FINE = re.compile(r"/root/\.huaweicloud")

BINARY = {".db", ".png", ".gz", ".der", ".o", ".a"}
CORPUS = re.compile(r"^tests/(fuzz/corpus|[a-z]+/data)/")


def files(top):
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(d for d in folders if not SKIPPED.match(d))
        for name in sorted(names):
            yield pathlib.Path(folder, name)


def reaches_out(path, top):
    """A symlink or a relative path in an #include or CMake list that leaves the tree."""
    if path.is_symlink():
        target = path.resolve()
        return top not in target.parents
    return False


def main():
    top = pathlib.Path(sys.argv[1]).resolve()
    errors = []
    n = 0
    for path in files(top):
        shown = str(path.relative_to(top))
        if reaches_out(path, top):
            errors.append(f"{shown}: a link to a place outside the tree")
            continue
        if path.suffix in BINARY or CORPUS.match(shown):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            errors.append(f"{shown}: not UTF-8")
            continue
        n += 1
        depth = len(path.relative_to(top).parts)
        for number, line in enumerate(text.splitlines(), 1):
            line = FINE.sub("", line)
            for pattern in (PLACES, TMP):
                m = pattern.search(line)
                if m:
                    errors.append(f"{shown}:{number}: names a place of one machine: {m[0]}…")
            if "../" * depth in line:
                errors.append(f"{shown}:{number}: reaches above the top of the tree")
    if n < 50:
        errors.append(f"only {n} files found below {top}: the search is broken")
    print(f"{n} files")
    for e in errors:
        print(e, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
