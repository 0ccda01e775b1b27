# SPDX-License-Identifier: Apache-2.0
"""docs/getting-started.md, word by word, on a Debian that has never seen holdfast.

A console block is typed in: after "# " comes a command, and below it what it shows, where "…" stands for anything. A yaml or ini block is
what the file holds that the paragraph before it names. Commands that only look are repeated for a while until they show it, as the page
says.
"""

import re
import shutil
import time

import pytest

from machine import TOP

PAGE = TOP / "docs/getting-started.md"
LOOKS = ("journalctl", "holdfastctl status", "systemctl show", "systemctl is-active", "curl")
# They have advice on the other stream: of scripts, and of disks that are not encrypted.
CHATTY = ("apt ", "systemd-creds ")
PATIENCE_SECONDS = 40
# What is pasted into commands that read from the terminal.
PASTED = {"--name=access_key": "REALACCESSKEY00000001", "--name=secret_key": "a-real-secret-that-nobody-may-see"}


def blocks(text):
    """(kind, content, paragraph before) of each fenced block, in order."""
    for m in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.S | re.M):
        before = text[:m.start()].rstrip().rsplit("\n\n", 1)[-1]
        yield m[1], m[2], before


def steps():
    """("write", path, content) or ("run", command, shown)."""
    for kind, content, before in blocks(PAGE.read_text(encoding="utf-8")):
        if kind == "console":
            for part in re.split(r"^# ", content, flags=re.M)[1:]:
                command, _, shown = part.partition("\n")
                yield "run", command, shown
        else:
            assert kind in ("yaml", "ini"), kind
            named = re.match(r"`(/[^`]+)`", before)
            assert named, f"a {kind} block without a file: {before}"
            yield "write", named[1], content


def fits(shown, output):
    """Line by line, blanks apart. A line that is nothing but … stands for any number of lines."""
    pattern = ""
    for line in shown.splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            words = (r"\s+".join(map(re.escape, part.split(" "))) for part in " ".join(line.split()).split("…"))
            pattern += r"\s*" + ".*".join(words) + r"\s*\n"
    return re.fullmatch(pattern, output if output.endswith("\n") or not output else output + "\n") is not None


def test_fits():
    assert fits("a …\n…\nb\n", "a x y\n1\n2\nb\n") and fits("…\n", "") and fits("", "") and fits("  a  b\n", "a b")
    assert not fits("a\n", "b\n") and not fits("", "x\n") and not fits("a\n…\nb\n", "a\n1\n")


@pytest.fixture(scope="module")
def fresh(make_machine, base, packages):
    machine = make_machine(base).boot()
    for package in packages:
        shutil.copy(package, machine.path("/root"))
    return machine


def run(machine, command, shown):
    pasted = next((text for option, text in PASTED.items() if option in command), None)
    deadline = time.monotonic() + (PATIENCE_SECONDS if command.startswith(LOOKS) else 0)
    while True:
        done = machine.run(f"cd /root; {command}", check=False, input=pasted)
        output = done.stdout + (done.stderr if not command.startswith(CHATTY) else "")
        # 2 is how holdfastctl says that something is not compliant.
        if (done.rc == 0 or done.rc == 2 and command.startswith("holdfastctl ")) and fits(shown, output):
            return
        if time.monotonic() > deadline:
            journal = machine.run("journalctl -q -u holdfast -o cat | tail -30", check=False).stdout
            pytest.fail(f"# {command}\nexit status {done.rc}; it shows:\n{output}\nthe page says:\n{shown}\nthe journal:\n{journal}")
        time.sleep(0.3)


def test_the_page(fresh):
    n_commands, n_files = 0, 0
    for what, subject, text in steps():
        if what == "write":
            fresh.write(subject, text)
            n_files += 1
        else:
            run(fresh, subject, text)
            n_commands += 1
    assert n_commands > 20 and n_files == 4, (n_commands, n_files)

    # Where it ends: the daemon runs with the sealed key, in mode observe, and the real cloud is out of this machine's reach.
    assert fresh.show("holdfast", "ActiveState") == "active"
    assert "REALACCESSKEY00000001" not in fresh.run("grep -rs -e REALACCESSKEY -e a-real-secret /etc /var/lib || true").stdout
    pid = fresh.show("holdfast", "MainPID")
    assert fresh.run(f"nsenter -t {pid} -m cat /run/credentials/holdfast.service/secret_key").stdout == PASTED["--name=secret_key"]
    events = fresh.journal("-u", "holdfast", "HOLDFAST_EVENT=policy-rejected")
    assert not events, [e["MESSAGE"] for e in events]
