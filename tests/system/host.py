# SPDX-License-Identifier: Apache-2.0
"""holdfast as an administrator has it on a machine, and the simulated cloud beside that machine."""

import calendar
import http.client
import json
import os
import secrets
import ssl
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness import merge, to_yaml                          # noqa: E402
from machine import die_with_parent, end, wait_until       # noqa: E402

REGION, PROJECT, DOMAIN = "ap-southeast-1", "619d3e78f61b4be68bc5aa0b59edcf7b", "8a6f5e0c1d2b4f739e0d1c2b3a495867"
KMS_KEY = "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"
ORIGIN, ADDRESS, PORT = "https://127.0.0.1:8443", "127.0.0.1", 8443
DAY = 86400


def taurus_id(n):
    return f"{n:032x}in07"


def audit_id(n):
    return f"{n:032x}"


class Cloud:
    """holdfast-sim in the machine's network and outside the machine: it stays when the machine is cut off."""

    def __init__(self, program, network, folder, instances, **sections):
        self.program, self.network, self.folder = program, network, folder
        self.access, self.secret = "SYSTEMTEST" + secrets.token_hex(5).upper(), secrets.token_urlsafe(30)
        self.state_file, self.ca_file, self.process = folder / "cloud.yaml", folder / "cloud-ca.pem", None
        self.start({"account": {"domain_id": DOMAIN, "projects": {PROJECT: REGION}},
                    "keys": {self.access: {"secret_key": self.secret}},
                    "instances": instances} | sections)

    def start(self, state):
        self.state_file.write_text(json.dumps(state))
        ready = self.folder / "cloud-ready"
        ready.unlink(missing_ok=True)
        self.log = open(self.folder / "cloud.log", "ab")

        def enter():
            die_with_parent()

        self.process = subprocess.Popen(
            ["nsenter", f"--net={self.network.path}", str(self.program), "--listen", f"{ADDRESS}:{PORT}", "--metadata", "off",
             "--state", str(self.state_file), "--ca-file", str(self.ca_file), "--ready-file", str(ready), "--log", "off"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=enter)
        wait_until(lambda: self.process.poll() is not None or ready.exists() and ready.stat().st_size, 20, "holdfast-sim is ready")
        assert self.process.poll() is None, (self.folder / "cloud.log").read_text()

    def ask(self, method, what, body=None):
        with self.network.entered():
            connection = http.client.HTTPSConnection(ADDRESS, PORT, timeout=30, context=ssl.create_default_context(cafile=self.ca_file))
            connection.connect()
        try:
            connection.request(method, f"/sim/v1/{what}", json.dumps(body) if body is not None else None)
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        assert reply.status < 300, f"{method} {what}: {reply.status} {text}"
        return json.loads(text) if text else None

    def state(self):
        return self.ask("GET", "state")

    def instance(self, id):
        """As the cloud sees it."""
        found = self.ask("GET", f"state?instance={id}")["instances"]
        return next(group[id] for group in found.values() if id in group)

    def change(self, **document):
        return self.ask("POST", "change", document)

    def fault(self, **rule):
        return self.ask("POST", "faults", rule)

    def no_faults(self):
        return self.ask("DELETE", "faults")

    def requests(self, **fields):
        """The record of requests, those with these fields."""
        found = self.ask("GET", "requests?limit=10000")
        found = found["requests"] if isinstance(found, dict) else found
        return [r for r in found if all(r.get(k) == v for k, v in fields.items())]

    def close(self):
        if self.process:
            end(self.process)
            self.log.close()


class Holdfast:
    """/etc/holdfast of a machine, and what its journal says."""

    UNIT = "holdfast.service"

    def __init__(self, machine, cloud):
        self.machine, self.cloud = machine, cloud
        self.settings = {
            "region": REGION, "project_id": PROJECT, "domain_id": DOMAIN,
            "endpoints": {s: ORIGIN for s in ("taurusdb", "dbss", "gaussdb", "iam")},
            "http": {"ca_file": "/etc/holdfast/cloud-ca.pem", "connect_timeout": "2s", "timeout": "5s"},
            "defaults": {"encryption": {"poll": "1s"}, "schedule": {"poll": "1s"}, "lock": {"poll": "1s", "settle": "0s"},
                         "download": {"poll": "1s"}},
        }

    # Writing

    def configure(self, **changes):
        self.settings = merge(self.settings, changes)
        self.machine.write("/etc/holdfast/holdfast.yaml", to_yaml(self.settings) + "\n")
        return self

    def trust(self):
        self.machine.write("/etc/holdfast/cloud-ca.pem", self.cloud.ca_file.read_text())
        return self

    def credstore(self):
        """Where the unit looks for keys by itself."""
        for name, value in (("access_key", self.cloud.access), ("secret_key", self.cloud.secret)):
            self.machine.write(f"/etc/credstore/holdfast.{name}", value, 0o600)
        return self

    def policy(self, name, **document):
        self.machine.write(f"/etc/holdfast/instances.d/{name}.yaml", to_yaml(document) + "\n")
        return self

    def encryption(self, name="orders", n=1, **changes):
        return self.policy(name, service="taurusdb", instance_id=taurus_id(n),
                           encryption=merge({"expect": "on", "kms_key_id": KMS_KEY}, changes))

    def lock(self, name="orders", n=1, **changes):
        return self.policy(name, service="taurusdb", instance_id=taurus_id(n),
                           lock=merge({"retention_days": 30, "renew_before": "7d"}, changes))

    def ready(self):
        """Everything that a first start needs."""
        return self.trust().credstore().configure()

    # Running

    def systemctl(self, verb, check=True, timeout=120):
        return self.machine.run(f"systemctl {verb} holdfast", check=check, timeout=timeout)

    def start(self):
        self.systemctl("start")
        return self

    @property
    def pid(self):
        """Inside; 0 if it does not run."""
        return int(self.machine.show(self.UNIT, "MainPID"))

    @property
    def state(self):
        return self.machine.show(self.UNIT, "ActiveState")

    @property
    def n_restarts(self):
        return int(self.machine.show(self.UNIT, "NRestarts"))

    def kill(self, signal="KILL"):
        self.machine.run(f"systemctl kill --kill-whom=main --signal={signal} holdfast")

    # Reading

    def cursor(self):
        """Where the journal ends now."""
        entries = self.machine.journal("-n1")
        return entries[-1]["__CURSOR"] if entries else None

    def events(self, event=None, after=None, **fields):
        """What holdfastd said; fields without their HOLDFAST_ prefix, in lower case."""
        matches = ["_SYSTEMD_UNIT=holdfast.service", *([f"HOLDFAST_EVENT={event}"] if event else [])]
        matches += [f"HOLDFAST_{k.upper()}={v}" for k, v in fields.items()]
        return [e for e in self.machine.journal(*matches, after=after) if "HOLDFAST_EVENT" in e]

    def wait_event(self, event, after=None, timeout=20, **fields):
        return wait_until(lambda: self.events(event, after, **fields), timeout,
                          lambda: f"{event} {fields}; there was:\n{self.said(after)}", every=0.1)[-1]

    def said(self, after=None):
        """For messages about what went wrong."""
        return "\n".join(f"{e.get('HOLDFAST_EVENT', e.get('SYSLOG_IDENTIFIER'))}: {e.get('MESSAGE')}" for e in
                         self.machine.journal("-u", self.UNIT, after=after)[-60:])

    def wait_remediated(self, n=1, timeout=30):
        """Until the cloud itself says that encryption of the n-th instance is on."""
        wait_until(lambda: self.cloud.instance(taurus_id(n))["encryption"]["status"] == "on", timeout,
                   lambda: f"encryption is on; there was:\n{self.said()}", every=0.1)

    def switch_off(self, n=1):
        """Somebody in the console."""
        self.cloud.change(instances={"taurusdb": {taurus_id(n): {"encryption": "off"}}})


def days_left(cloud, n):
    """Of the n-th instance's lock; None without one."""
    lock = cloud.instance(taurus_id(n))["lock"]
    return lock and (calendar.timegm(time.strptime(lock["end"][:19], "%Y-%m-%dT%H:%M:%S")) - time.time()) / DAY


def writes(cloud, n):
    """How often something of the n-th instance was changed."""
    return cloud.instance(taurus_id(n))["writes"]


def holdfast_sim(root):
    """The packaged one; its libraries are those that it was built with, on this very system."""
    program = Path(os.environ.get("HOLDFAST_SIM") or root / "usr/bin/holdfast-sim")
    assert program.exists(), f"no {program}"
    return program
