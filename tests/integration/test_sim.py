# SPDX-License-Identifier: Apache-2.0
"""holdfastd against holdfast-sim: the two programs that are handed to people work with each other."""

import json
import ssl
import subprocess
import urllib.request
from types import SimpleNamespace

import pytest

from harness import KMS_KEY, SANITIZER, Holdfast, program, wait_until

ACCOUNT = """account:
  domain_id: 8a6f5e0c1d2b4f739e0d1c2b3a495867
  domain_name: example
  projects:
    619d3e78f61b4be68bc5aa0b59edcf7b: ap-southeast-1
keys:
  SIMULATEDKEY00000001:
    secret_key: simulated-secret-key-for-trying-only
"""
INSTANCES = """instances:
  taurusdb:
    7033e7c3cf93438797d44ad7ae0a7d95in07:
      name: orders
      encryption: off
      lock: {start: -27d, end: +3d}
    8144f8d4d0a4549808e55be8bf1b8e06in07:
      name: customers
      encryption: off
      lock: none
  dbss:
    2f6b1d3c4e5f60718293a4b5c6d7e8f9:
      name: audit
      zone: "+08:00"
      schedule:
        status: off
        cycle: PER_DAY
        trigger_time: "2025-08-21 02:00:44"
        bucket_name: cbh-ynf
  gaussdb:
    1de27464abdf48519f8574c97a8f0625in14:
      name: ledger-gauss
      backups:
        e28d08754b1a490fb2b3540ed013a7fbbr14: {type: auto, begin: -8h, size_mb: 2048}
        f28d08754b1a490fb2b3540ed013a7fbbr14: {type: manual, begin: -3d, size_mb: 1900}
"""


class Sim:
    def __init__(self, binary, folder, state):
        ready, ca_file, given = folder / "ready", folder / "sim-ca.pem", folder / "sim.yaml"
        arguments = ["--listen", "127.0.0.1:0", "--ca-file", str(ca_file), "--ready-file", str(ready), "--log", "off"]
        if state is not None:
            given.write_text(state)
            arguments += ["--state", str(given)]
        self.stderr_path = folder / "sim.stderr"
        self.stdout_path = folder / "sim.stdout"
        with open(self.stderr_path, "wb") as stderr, open(self.stdout_path, "wb") as stdout:
            self.process = subprocess.Popen([binary, *arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                                            stderr=stderr)
        try:
            wait_until(lambda: ready.exists() or self.process.poll() is not None, 15, "holdfast-sim ready")
            assert self.process.poll() is None, self.stderr_path.read_text()
        except AssertionError:
            self.process.kill()
            raise
        said = dict(line.split("=", 1) for line in ready.read_text().splitlines())
        self.url, self.metadata, self.ca_file = said["cloud"], said["metadata"], ca_file
        self.context = ssl.create_default_context(cafile=str(ca_file))

    def state(self):
        with urllib.request.urlopen(f"{self.url}/sim/v1/state", context=self.context, timeout=5) as answer:
            return json.load(answer)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(10) == 0, self.stderr_path.read_text()
        assert not SANITIZER.search(self.stderr_path.read_text()), self.stderr_path.read_text()


@pytest.fixture
def make(tmp_path):
    """A simulated cloud in that state, and a holdfastd that is pointed at it."""
    binaries = program("HOLDFASTD"), program("HOLDFAST_SIM")
    if None in binaries:
        pytest.skip("HOLDFASTD and HOLDFAST_SIM do not name programs")
    made = []

    def make(state=None):
        sim = Sim(binaries[1], tmp_path, state)
        made.append(sim)
        key = SimpleNamespace(access="SIMULATEDKEY00000001", secret="simulated-secret-key-for-trying-only",
                              ca_file=sim.ca_file, secrets={"simulated-secret-key-for-trying-only"},
                              origin=lambda service: sim.metadata if service == "metadata" else sim.url)
        holdfast = Holdfast(binaries[0], tmp_path / "holdfast", key)
        made.append(holdfast)
        holdfast.configure(project_id="619d3e78f61b4be68bc5aa0b59edcf7b", domain_id="8a6f5e0c1d2b4f739e0d1c2b3a495867")
        return sim, holdfast

    yield make
    for each in reversed(made):
        each.stop() if isinstance(each, Sim) else each.finish()


def policies(holdfast, names=("orders", "customers", "audit", "ledger")):
    lock = {"retention_days": 30, "renew_before": "7d", "settle": "0s"}
    switch = {"expect": "on", "kms_key_id": KMS_KEY}
    every = {
        "orders": {"service": "taurusdb", "instance_id": "7033e7c3cf93438797d44ad7ae0a7d95in07",
                   "encryption": switch, "lock": lock},
        "customers": {"service": "taurusdb", "instance_id": "8144f8d4d0a4549808e55be8bf1b8e06in07",
                      "encryption": switch, "lock": lock},
        "audit": {"service": "dbss", "instance_id": "2f6b1d3c4e5f60718293a4b5c6d7e8f9", "schedule": {
            "status": "on", "mode": "AUTO", "cycle": "PER_DAY", "trigger_time": "2025-08-21 02:00:44",
            "timezone": "Asia/Singapore", "bucket_name": "cbh-ynf", "bucket_root_path": ""}},
        "ledger": {"service": "gaussdb", "instance_id": "1de27464abdf48519f8574c97a8f0625in14",
                   "download": {"backups": "latest"}},
    }
    for name in names:
        holdfast.policy(name, every[name])


@pytest.mark.parametrize("reading", ["from-start", "from-now", "added"])
@pytest.mark.parametrize("unit", ["milliseconds", "seconds"])
def test_everything_is_put_right(make, reading, unit):
    sim, holdfast = make(f"{ACCOUNT}{INSTANCES}lock:\n  reading: {reading}\n  unit: {unit}\n")
    policies(holdfast)
    result = holdfast.once().exits(0)
    for name in ("orders", "customers"):
        result.one("remediated", name=name, control="encryption")
        result.one("compliant", name=name, control="lock")
    assert result.named("lock-extended", name="orders") and result.one("lock-enabled", name="customers")
    result.one("remediated", name="audit")
    assert "e28d08754b1a490fb2b3540ed013a7fbbr14" in result.one("download-authorized")["MESSAGE"]
    again = holdfast.once().exits(0)
    again.none("drift", "remediated", "lock-enabled", "lock-extended", "download-authorized", "compliant")


def test_observed_only(make):
    sim, holdfast = make(ACCOUNT + INSTANCES)
    policies(holdfast)
    before = sim.state()
    result = holdfast.once("--observe").exits(3)
    assert {e["HOLDFAST_NAME"] for e in result.named("drift")} >= {"customers", "audit"}
    after = sim.state()
    assert before["instances"] and json.dumps(before["instances"]) == json.dumps(after["instances"])


def test_what_is_built_in(make):
    """Started without any state, as a newcomer would."""
    _, holdfast = make()
    policies(holdfast)
    holdfast.once().exits(0)


def test_what_it_prints_is_a_configuration(make):
    sim, holdfast = make()
    policies(holdfast)
    text = sim.stdout_path.read_text()
    holdfast.settings = None
    holdfast.config.write_text("".join(line for line in text.splitlines(True) if not line.startswith("ready:")))
    holdfast.once().exits(0)


def test_wrong_key(make):
    sim, holdfast = make(ACCOUNT + INSTANCES)
    holdfast.env["HUAWEICLOUD_SDK_SK"] = "mistyped"
    policies(holdfast)
    holdfast.once().exits(3).one("credentials-rejected")
