# SPDX-License-Identifier: Apache-2.0
"""A daemon that stands still, or that turns and does nothing: restarted in the time that the unit allows, and nothing lost."""

import os
import signal
import time
from pathlib import Path

import pytest

from host import Holdfast, days_left, taurus_id, writes
from machine import wait_until

N = 4
WATCHDOG_SECONDS = 3
GRACE_SECONDS = 4               # an engine that has nothing to do for a second does not hang yet; and machines are busy


@pytest.fixture(scope="module")
def cloud(make_cloud):
    """Locks that end in three days."""
    instance = {"encryption": "on", "lock": {"start": "-27d", "end": "+3d"}}
    return make_cloud({"taurusdb": {taurus_id(first + k): instance for first in (1, 11, 21) for k in range(N)}})


@pytest.fixture(scope="module")
def hang():
    """The file that makes the engine hang."""
    return "/var/lib/holdfast-test-hang"


@pytest.fixture(scope="module")
def holdfast(machine, cloud, preload, hang):
    """With a short watchdog, a short rest before a restart, and the library."""
    machine.drop_in("holdfast", "watchdog",
                    f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}s\nRestartSec=200ms\nStartLimitBurst=1000\nLimitCORE=0\n"
                    f"Environment=LD_PRELOAD={preload} HOLDFAST_TEST_HANG={hang}\n")
    machine.run("systemctl stop holdfast")
    holdfast = Holdfast(machine, cloud).ready()
    for n in range(1, N + 1):
        holdfast.lock(f"db{n}", n)
    holdfast.start()
    for n in range(1, N + 1):
        holdfast.wait_event("lock-extended", name=f"db{n}")
    return holdfast


def restarted_within(holdfast, pid, seconds):
    """Until another process is ready."""
    started = time.monotonic()
    wait_until(lambda: holdfast.pid not in (0, pid) and holdfast.state == "active", seconds,
               lambda: f"restart; there was:\n{holdfast.said()}")
    return time.monotonic() - started


def test_it_is_fed(holdfast):
    """For three times as long as it would live without."""
    pid, n = holdfast.pid, holdfast.n_restarts
    time.sleep(3 * WATCHDOG_SECONDS)
    assert (holdfast.pid, holdfast.n_restarts) == (pid, n)


def stands_still(holdfast, hang):
    holdfast.kill("STOP")


def does_nothing(holdfast, hang):
    holdfast.machine.write(hang, "")


@pytest.mark.parametrize(("how", "first"), [(stands_still, 11), (does_nothing, 21)])
def test_restarted_and_nothing_lost(holdfast, hang, how, first):
    """In the middle of what it has to do: locks to be extended, with the answers on their way."""
    machine, cloud, cursor, pid = holdfast.machine, holdfast.cloud, holdfast.cursor(), holdfast.pid
    mine = range(first, first + N)
    cloud.fault(call="lock-set", delay="1s")
    for n in mine:
        holdfast.lock(f"db{n}", n)
    holdfast.systemctl("reload")
    wait_until(lambda: any(writes(cloud, n) for n in mine), 10, "the first extension")
    how(holdfast, hang)
    try:
        restarted_within(holdfast, pid, WATCHDOG_SECONDS + GRACE_SECONDS)
    finally:
        machine.path(hang).unlink(missing_ok=True)
        cloud.no_faults()
    assert "watchdog" in holdfast.said(cursor).lower(), holdfast.said(cursor)

    for n in mine:
        # What was asked before the hang shows when it is read back; what was not is asked now.
        wait_until(lambda: days_left(cloud, n) > 29, 20, lambda: f"lock of db{n} is extended; there was:\n{holdfast.said(cursor)}")
        holdfast.wait_event("compliant", cursor, name=f"db{n}")
        assert days_left(cloud, n) < 31 and writes(cloud, n) == 1, f"db{n}: {cloud.instance(taurus_id(n))}"
    assert not holdfast.events("lock-frozen", cursor)


def test_a_hang_is_seen_although_the_loop_turns(holdfast, hang):
    """The library does what it says: without the engine, SIGTERM is still heard."""
    machine, pid = holdfast.machine, holdfast.pid
    machine.write(hang, "")
    try:
        time.sleep(0.3)
        outside = machine.pid_outside(pid)
        os.kill(outside, signal.SIGTERM)
        wait_until(lambda: not Path(f"/proc/{outside}").exists(), 12, "it ends")
        assert holdfast.events("stopping")
    finally:
        machine.path(hang).unlink(missing_ok=True)
        machine.run("systemctl reset-failed holdfast; systemctl start holdfast")
