#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""unit_versions.py UNIT README: every directive of the unit is in the table of packaging/README.md that says since when systemd
knows it, none is younger than the oldest systemd that holdfast promises to work with, and the table has no others.
"""
import re
import sys
from pathlib import Path

OLDEST = 249

unit, readme = (Path(path).read_text() for path in sys.argv[1:])
used = set(re.findall(r"^([A-Z]\w+)=", unit, re.M))
if len(used) < 30:
    sys.exit("the unit has next to no directives: the test is broken")

since = {}
for version, names in re.findall(r"^\| (\d+|before) \| (.+) \|$", readme, re.M):
    for name in re.findall(r"`([A-Z]\w+)=`", names):
        since[name] = 0 if version == "before" else int(version)

problems = [f"{name}= is not in the table" for name in sorted(used - since.keys())]
problems += [f"{name}= is in the table, and not in the unit" for name in sorted(since.keys() - used)]
problems += [f"{name}= came with systemd {since[name]}" for name in sorted(used & since.keys()) if since[name] > OLDEST]
if problems:
    sys.exit("\n".join(problems))
