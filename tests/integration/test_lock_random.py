# SPDX-License-Identifier: Apache-2.0
"""Locks under chance: any reading, any fault, kills at any moment. What must hold, holds always.

Each case is made from its seed alone (times apart). HOLDFAST_SEEDS=first-last runs others than the usual ones.
"""

import os
import random
import time

import pytest

from services import DAY, READINGS, assert_requests

FIRST, LAST = (int(n) for n in os.environ.get("HOLDFAST_SEEDS", "1-25").split("-"))
REFUSED = {"error_code": "DBS.280001", "error_msg": "Parameter error."}
BUSY = {"error_code": "DBS.200019", "error_msg": "Another operation is running."}
LOST = [
    {"close": True}, {"close": True, "effect": True}, {"status": 500, "body": BUSY}, {"status": 409, "body": BUSY},
    {"status": 504, "body": b"", "effect": True}, {"status": 503, "body": b"", "effect": True}, {"delay": 1.3},
    {"status": 429, "body": b""}, {"status": 200, "body": b"", "effect": True}, {"truncate": True},
]
UNREAD = [
    {"close": True}, {"status": 503, "body": b""}, {"status": 403, "body": REFUSED}, {"status": 404, "body": REFUSED},
    {"status": 200, "body": b"{"}, {"truncate": True}, {"status": 200, "body": {"backup_vaultlock_info": 7}},
]


class Case:
    """A fleet of one endpoint: one reading, one temper; ages and policies of their own."""

    def __init__(self, seed, holdfast, cloud):
        self.chance = chance = random.Random(seed)
        self.holdfast, self.cloud = holdfast, cloud
        self.settle = chance.choice(["0s", "0s", "1h"])
        self.late = chance.choice([0, 1, 3]) if self.settle == "1h" else 0
        self.temper = {"reading": chance.choice(READINGS), "unit": chance.choice(["s", "ms"]),
                       "shorten": chance.choice(["silent", "refuse"]), "echo": chance.choice(["total", "last"]),
                       "visible_after": self.late}
        holdfast.configure(http={"timeout": "1s"})
        self.fleet = [self.instance(f"orders{i}") for i in range(chance.randint(1, 5))]

    def instance(self, name):
        chance, now = self.chance, self.cloud.now()
        retention = chance.choice([2, 7, 30, 365])
        renew = chance.uniform(0.3, 0.9) * retention
        cap = retention + chance.choice([1, 1, 5, 400])
        lock = {"start": now - chance.uniform(0.1, 300) * DAY, "end": now + chance.uniform(0.01, 1) * renew * DAY}
        if chance.random() < 0.25:
            lock = {}
        instance = self.cloud.add_taurus(name, lock=lock, **self.temper)
        self.holdfast.lock(name, instance, retention_days=retention, renew_before=f"{int(renew * DAY)}s",
                           max_retention_days=cap, settle=self.settle, poll="60s")
        return instance.lock, retention, renew, cap

    def trouble(self):
        chance = self.chance
        self.cloud.heal()
        for _ in range(chance.randint(0, 3)):
            self.cloud.fault(method="PUT", times=chance.randint(1, 3), skip=chance.randint(0, 2), **chance.choice(LOST))
        for _ in range(chance.randint(0, 2)):
            self.cloud.fault(method="GET", times=chance.randint(1, 3), skip=chance.randint(0, 4),
                             **chance.choice(UNREAD))

    def run(self):
        if self.chance.random() < 0.4:
            daemon = self.holdfast.start(ready=False)
            time.sleep(self.chance.uniform(0.05, 0.9))
            daemon.kill()
        else:
            self.holdfast.once(timeout=60).none("lock-frozen")

    def assert_safe(self):
        for lock, _, _, cap in self.fleet:
            lock.assert_cap(cap)
            assert len(lock.ends) <= 3, "more steps than there are readings"
        # What one lock disproves holds for all, so all are looked at together, under the most generous cap.
        assert_requests([f[0] for f in self.fleet], max(f[3] for f in self.fleet))
        for instance in self.cloud.taurus:
            said = [r.method for r in self.cloud.requests(path=f"{instance}/backups/vault-lock")]
            assert not said or said[0] == "GET"
            assert all(said[i - 1] == "GET" for i, m in enumerate(said) if m == "PUT"), said


@pytest.mark.parametrize("seed", range(FIRST, LAST + 1))
def test_seed(seed, holdfast, cloud):
    case = Case(seed, holdfast, cloud)
    for _ in range(case.chance.randint(1, 4)):
        case.trouble()
        case.run()
        case.assert_safe()
    cloud.heal()
    for _ in range(3):
        result = holdfast.once(timeout=60)
        result.none("lock-frozen", "lock-refused", "lock-lapsed")
        case.assert_safe()
    if case.settle == "0s":
        result.exits(0)
        for lock, _, renew, _ in case.fleet:
            assert lock.remaining_days() >= renew - 0.01
