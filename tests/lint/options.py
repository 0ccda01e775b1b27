#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""options.py PROGRAM PAGE: --help and the manual page name the same options, and the program takes no others."""

import pathlib
import re
import subprocess
import sys

# Exit status of wrong usage where it is not 2, which holdfastctl(1) has for "there is something to tell".
WRONG_USAGE = {"holdfastctl": 64}


def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def main():
    program, page = sys.argv[1:3]
    text = pathlib.Path(page).read_text(encoding="utf-8").replace(r"\-", "-")
    section = re.search(r"^\.SH OPTIONS$(.*?)^\.SH ", text, re.S | re.M)
    tags = re.findall(r"^\.TP(?: .*)?\n(\..*)$", section[1] if section else "", re.M)
    in_page = {option for tag in tags for option in re.findall(r"--[a-z][a-z-]*", tag)}
    synopsis = re.search(r"^\.SH SYNOPSIS$(.*?)^\.SH ", text, re.S | re.M)
    said = run(program, "--help")
    in_help = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", said.stdout))

    errors = []
    if said.returncode != 0 or said.stderr:
        errors.append(f"--help exits {said.returncode} and says on stderr: {said.stderr!r}")
    if len(in_help) < 3:
        errors.append(f"--help names only {sorted(in_help)}")
    for option in sorted(in_help ^ in_page):
        errors.append(f"{option} is in only one of --help and the section OPTIONS of {page}")
    if synopsis and "OPTION" not in synopsis[1]:
        for option in sorted(in_page - {"--help", "--version"} - set(re.findall(r"--[a-z][a-z-]*", synopsis[1]))):
            errors.append(f"{option} is not in the synopsis of {page}")

    version = run(program, "--version")
    if version.returncode != 0 or not re.fullmatch(r"[a-z-]+ \d+\.\d+\.\d+\n", version.stdout):
        errors.append(f"--version exits {version.returncode} and says {version.stdout!r}")
    usage = WRONG_USAGE.get(pathlib.Path(program).name, 2)
    for wrong in (["--no-such-option"], ["stray"]):
        p = run(program, *wrong)
        if p.returncode != usage or not p.stderr:
            errors.append(f"{wrong[0]}: exit {p.returncode}, expected {usage} and a word on stderr")

    print(f"{len(in_help)} options")
    for e in errors:
        print(e, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
