#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples.py HOLDFASTD SOURCE: what the documents show must work.

Every yaml block of README.md and docs/, every .EX block of a manual page that holds YAML, and every example file of etc/ passes
holdfastd --check. A block with an instance_id is a policy file, any other is a holdfast.yaml.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

# What a policy example may leave to holdfast.yaml.
SETTINGS = """\
region: ap-southeast-1
project_id: 619d3e78f61b4be68bc5aa0b59edcf7b
domain_id: 8a6f5e0c1d2b4f739e0d1c2b3a495867
"""

ROFF = [(r"\e", "\\"), (r"\-", "-"), (r"\(aq", "'"), (r"\(dq", '"'), (r"\(ti", "~"), (r"\(ha", "^"), (r"\&", "")]


def markdown_blocks(path):
    text = path.read_text(encoding="utf-8")
    for m in re.finditer(r"^```yaml\n(.*?)^```", text, re.S | re.M):
        yield text.count("\n", 0, m.start()) + 2, m[1]


def man_blocks(path):
    text = path.read_text(encoding="utf-8")
    for m in re.finditer(r"^\.(?:EX|nf)\n(.*?)^\.(?:EE|fi)", text, re.S | re.M):
        lines = [line for line in m[1].splitlines() if not line.startswith((".", "'"))]
        block = "\n".join(lines) + "\n"
        for roff, plain in ROFF:
            block = block.replace(roff, plain)
        block = re.sub(r"\\f[BIRP]|\\f\((?:CW|CR)", "", block)
        if looks_like_yaml(block):
            yield text.count("\n", 0, m.start()) + 2, block


def looks_like_yaml(block):
    """A key of ours at the beginning of the first line that says something: commands and log lines are left alone."""
    keys = r"(name|service|instance_id|region|project_id|domain_id|language|mode|credentials|endpoints|http|limits|defaults):(\s|$)"
    for line in block.splitlines():
        if line.strip() and not line.lstrip().startswith("#") and line.strip() != "---":
            return re.match(keys, line) is not None
    return False


def check(holdfastd, block):
    with tempfile.TemporaryDirectory(prefix="holdfast-examples-") as folder:
        top = pathlib.Path(folder)
        (top / "instances.d").mkdir()
        (top / "ca.pem").touch()        # the one that is named need not be on this host
        block = re.sub(r"^(\s*ca_file:) .*", rf"\1 {top / 'ca.pem'}", block, flags=re.M)
        if re.search(r"^instance_id:", block, re.M):
            (top / "holdfast.yaml").write_text(SETTINGS, encoding="utf-8")
            (top / "instances.d" / "example.yaml").write_text(block, encoding="utf-8")
        else:
            (top / "holdfast.yaml").write_text(block, encoding="utf-8")
        p = subprocess.run(
            [holdfastd, "--check", "--config", str(top / "holdfast.yaml"), "--instances", str(top / "instances.d")],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        return p.returncode, (p.stderr + p.stdout).strip()


def examples(source):
    for path in [source / "README.md", *sorted((source / "docs").rglob("*.md"))]:
        yield from ((path, line, block) for line, block in markdown_blocks(path))
    for path in sorted((source / "man").glob("*.[1-8]")):
        yield from ((path, line, block) for line, block in man_blocks(path))
    for path in sorted([*(source / "etc").rglob("*.yaml"), *(source / "etc").rglob("*.yaml.example")]):
        if path.name == "holdfast-sim.yaml":    # what is in the simulated cloud; a program of its own reads it
            continue
        yield path, 1, path.read_text(encoding="utf-8")


def main():
    holdfastd, source = sys.argv[1], pathlib.Path(sys.argv[2])
    seen = set()
    failed = n = 0
    for path, line, block in examples(source):
        n += 1
        seen.add(path.name)
        code, text = check(holdfastd, block)
        if code != 0:
            failed += 1
            print(f"{path.relative_to(source)}:{line}: --check exits {code}:\n{text}\n", file=sys.stderr)
    for needed in ("README.md", "holdfastd.8"):
        if needed not in seen:
            print(f"no example found in {needed}: the search is broken", file=sys.stderr)
            failed += 1
    # A check that accepts everything proves nothing.
    if check(holdfastd, "name: x\nservice: taurusdb\ninstance_id: 7033e7c3cf93438797d44ad7ae0a7d95in07\nlokc: {}\n")[0] == 0:
        print("--check accepts a misspelt control", file=sys.stderr)
        failed += 1
    print(f"{n} examples")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
