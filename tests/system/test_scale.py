# SPDX-License-Identifier: Apache-2.0
"""Ten thousand policies: the unit's own limits hold them, and the time limits of the service manager."""

import os
import time
from pathlib import Path

import pytest

from host import Holdfast, taurus_id
from machine import wait_until

N = 10000
# The limits of holdfast.service, in seconds; that nothing comes near them is what is tested.
START_LIMIT, RELOAD_LIMIT, STOP_LIMIT = 180, 90, 30
SHARE = 0.3


@pytest.fixture(scope="module")
def cloud(make_cloud):
    """All of one kind, and with encryption on: what costs is that they are many."""
    return make_cloud({"taurusdb": {taurus_id(n): {"encryption": "on"} for n in range(1, N + 1)}})


@pytest.fixture(scope="module")
def holdfast(machine, cloud):
    machine.run("systemctl stop holdfast")
    # As an administrator has them: polled every five minutes. 20,000 controls ask for 67 requests a second.
    holdfast = Holdfast(machine, cloud).ready().configure(defaults=None, http={"rate": "100/s"})
    for n in range(1, N + 1):
        machine.path(f"/etc/holdfast/instances.d/db{n:05}.yaml").write_text(
            f"service: taurusdb\ninstance_id: {taurus_id(n)}\nencryption: {{expect: on}}\n"
            f"lock: {{retention_days: 3, renew_before: 1d, poll: 1h}}\nmode: observe\n")
    return holdfast


def timed(what):
    started = time.monotonic()
    what()
    return time.monotonic() - started


def test_start(holdfast):
    seconds = timed(holdfast.start)
    assert seconds < START_LIMIT * SHARE, f"start took {seconds:.1f} s"
    assert f"{N} policies with {2 * N} controls in force, 0 rejected" in holdfast.events("started")[-1]["MESSAGE"]
    assert holdfast.machine.show("holdfast", "StatusText").startswith("20,000 controls")


def test_it_works_and_fits(holdfast):
    """Locks are looked at first, at the rate that is allowed, while the watchdog is fed and the memory stays within its limit."""
    machine, cloud = holdfast.machine, holdfast.cloud
    n, started = cloud.ask("GET", "requests?limit=1")["total"], time.monotonic()
    time.sleep(5)
    rate = (cloud.ask("GET", "requests?limit=1")["total"] - n) / (time.monotonic() - started)
    assert 40 < rate < 130, f"{rate:.0f} requests a second, where 100 are allowed"
    outside = machine.pid_outside(holdfast.pid)
    lines = Path(f"/proc/{outside}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    assert peak < int(machine.show("holdfast", "MemoryMax")) / 3, f"{peak >> 20} MiB"
    # A loop that is busy all the time would starve somebody: it has to be idle for most of it.
    before, started = cpu_seconds(outside), time.monotonic()
    time.sleep(2)
    assert cpu_seconds(outside) - before < 0.6 * (time.monotonic() - started)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_reload(holdfast):
    """With one changed, one broken and one gone."""
    machine, cursor = holdfast.machine, holdfast.cursor()
    folder = machine.path("/etc/holdfast/instances.d")
    (folder / "db00001.yaml").write_text((folder / "db00001.yaml").read_text().replace("poll: 1h", "poll: 2h"))
    (folder / "db00002.yaml").write_text("service: [")
    (folder / "db00003.yaml").unlink()
    pid = holdfast.pid
    seconds = timed(lambda: holdfast.systemctl("reload", timeout=RELOAD_LIMIT))
    holdfast.wait_event("reloaded", cursor, timeout=RELOAD_LIMIT)
    wait_until(lambda: holdfast.state == "active", RELOAD_LIMIT, "active again")
    assert seconds < RELOAD_LIMIT * SHARE and holdfast.pid == pid
    assert "9999 policies with 19998 controls in force, 1 rejected" in holdfast.events("reloaded", cursor)[-1]["MESSAGE"]
    assert len(holdfast.events("policy-rejected", cursor)) == 1 and len(holdfast.events("policy-removed", cursor)) == 1


def test_stop_and_start_again(holdfast):
    seconds = timed(lambda: holdfast.systemctl("stop"))
    assert seconds < STOP_LIMIT * 0.5, f"stop took {seconds:.1f} s"
    assert holdfast.machine.show("holdfast", "Result") == "success"
    seconds = timed(holdfast.start)                     # with what the state remembers, and without the policy that is broken
    assert seconds < START_LIMIT * SHARE, f"start took {seconds:.1f} s"
    wait_until(lambda: holdfast.machine.show("holdfast", "StatusText").startswith("19,996 controls"), 10,
               lambda: holdfast.machine.show("holdfast", "StatusText"))
    assert holdfast.n_restarts == 0
