# SPDX-License-Identifier: Apache-2.0
"""Ends without warning, under load: killed a hundred times at random moments, and the whole machine cut off ten times.

Whatever the moment, no lock is extended twice or past its cap, nothing that was begun is forgotten, and the state stays whole. The
cloud runs outside of the machine, and is the one that is asked what happened.
"""

import os
import random
import time

import pytest

from host import Holdfast, days_left, taurus_id, writes
from machine import wait_until

KILLS, CUTS = 100, 10
LEARNING, CAP_DAYS = 3, 31
SEED = int(os.environ.get("HOLDFAST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
LOCK = {"start": "-27d", "end": "+3d"}


@pytest.fixture(scope="module")
def chance():
    print(f"HOLDFAST_SEED={SEED}")
    return random.Random(SEED)


@pytest.fixture(scope="module")
def cloud(make_cloud):
    return make_cloud({"taurusdb": {taurus_id(n): {"encryption": "off", "lock": LOCK} for n in range(1, LEARNING + KILLS + 5 * CUTS + 1)}})


@pytest.fixture(scope="module")
def holdfast(machine, cloud):
    """As shipped, but that it is restarted at once and as often as it takes. A few locks have taught it how the endpoint counts."""
    machine.run("mkdir -p /var/log/journal; systemctl restart systemd-journald; systemctl stop holdfast")
    machine.drop_in("holdfast", "restart", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=1ms\n")
    holdfast = Holdfast(machine, cloud).ready().configure(http={"rate": "200/s"})
    for n in range(1, LEARNING + 1):
        holdfast.lock(f"db{n}", n)
    holdfast.start()
    for n in range(1, LEARNING + 1):
        wait_until(lambda: days_left(cloud, n) > 29, 30, lambda: f"lock of db{n}; there was:\n{holdfast.said()}")
    machine.run("systemctl enable holdfast")
    return holdfast


def work(holdfast, n):
    """A lock and an encryption that are not as written: three questions and two changes at least."""
    holdfast.policy(f"db{n}", service="taurusdb", instance_id=taurus_id(n), lock={"retention_days": 30, "renew_before": "7d"},
                    encryption={"expect": "on", "kms_key_id": "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"})


def assert_settled(holdfast, first, last):
    """Until all is as written; and never more was done than had to be."""
    cloud, n_controls = holdfast.cloud, LEARNING + 2 * (last - LEARNING)
    wait_until(lambda: f" {n_controls:,} controls: {n_controls:,} compliant" in " " + holdfast.machine.show("holdfast", "StatusText"), 60,
               lambda: f"{n_controls} controls: {holdfast.machine.show('holdfast', 'StatusText')}\n{holdfast.said()}", every=0.2)
    for n in range(1, last + 1):
        assert 29 < days_left(cloud, n) < CAP_DAYS, f"db{n}: {cloud.instance(taurus_id(n))}"
    for n in range(first, last + 1):
        # Once the lock, once encryption. What was asked with an answer that nobody heard is not asked again.
        assert writes(cloud, n) == 2, f"db{n} (seed {SEED}): {cloud.instance(taurus_id(n))}"
    for event in ("state-reset", "state-failing", "lock-frozen", "lock-refused", "policy-rejected", "credentials-rejected"):
        assert not holdfast.events(event), holdfast.said()
    database = "/var/lib/holdfast/holdfast.db"
    assert holdfast.machine.run(f"sqlite3 -readonly {database} 'PRAGMA integrity_check'").stdout.strip() == "ok"


def test_killed_a_hundred_times(holdfast, chance):
    first, n_restarts = LEARNING + 1, holdfast.n_restarts
    for n in range(first, first + KILLS):
        work(holdfast, n)                               # seen by the next start
        wait_until(lambda: holdfast.pid, 10, "a process")
        time.sleep(chance.uniform(0, 0.25))
        holdfast.kill("KILL")
    wait_until(lambda: holdfast.state == "active" and holdfast.pid, 10, "active again")
    assert holdfast.n_restarts - n_restarts >= KILLS * 0.9
    holdfast.systemctl("reload")                        # in case that the last start did not see the last policy
    assert_settled(holdfast, first, first + KILLS - 1)


def test_power_cut_ten_times(holdfast, chance):
    machine, first = holdfast.machine, LEARNING + KILLS + 1
    for k in range(CUTS):
        for n in range(first + 5 * k, first + 5 * k + 5):
            work(holdfast, n)
        machine.run("systemctl reload-or-restart --no-block holdfast")
        time.sleep(chance.uniform(0, 0.6))
        machine.cut()
        machine.boot()
        wait_until(lambda: holdfast.state == "active", 30, lambda: f"active after the boot; there was:\n{holdfast.said()}")
    assert_settled(holdfast, first, first + 5 * CUTS - 1)
