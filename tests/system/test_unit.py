# SPDX-License-Identifier: Apache-2.0
"""The unit as systemd runs it: installing, readiness, status, reload, exit status, journal, sandbox."""

import re
import sqlite3
from pathlib import Path

import pytest

from host import Holdfast, audit_id, taurus_id
from machine import TOP, wait_until
from prepare import install

SECURITY_MAX = 1.2
FLEET = {
    "taurusdb": {taurus_id(1): {"name": "orders", "encryption": "off", "lock": {"start": "-27d", "end": "+3d"}},
                 taurus_id(2): {"name": "customers", "encryption": "on", "lock": "none"}},
    "dbss": {audit_id(3): {"name": "audit", "schedule": "none", "zone": "+08:00"}},
}


@pytest.fixture(scope="module")
def cloud(make_cloud):
    return make_cloud(FLEET)


@pytest.fixture(scope="module")
def fresh(make_machine, base, packages):
    """A machine on which the packages were just installed, by apt, while it was on."""
    machine = make_machine(base).boot()
    machine.installed_by = install(machine, packages)
    return machine


@pytest.fixture(scope="module")
def holdfast(fresh, cloud):
    """With the shipped configuration, as far as it goes, and one policy."""
    holdfast = Holdfast(fresh, cloud).ready()
    holdfast.policy("orders", service="taurusdb", instance_id=taurus_id(1),
                    encryption={"expect": "on", "kms_key_id": "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"},
                    lock={"retention_days": 30, "renew_before": "7d", "max_retention_days": 45})
    holdfast.start()
    holdfast.wait_event("lock-extended", control="lock")
    holdfast.wait_event("remediated", control="encryption")
    return holdfast


def test_installed_it_runs_and_waits_for_policies(fresh, cloud):
    assert not re.search(r"warning|error|failed", fresh.installed_by.text, re.I), fresh.installed_by
    assert fresh.show("holdfast", "ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "enabled"}
    assert fresh.show("holdfast", "StatusText").startswith("0 controls")
    assert [e["HOLDFAST_EVENT"] for e in Holdfast(fresh, cloud).events()] == ["bus-joined", "started"]
    wait_until(lambda: fresh.run("busctl status org.holdfast1", check=False).rc == 0, 15, "the daemon is on the bus, without a restart")
    assert fresh.run("systemctl is-system-running").stdout.strip() == "running"
    assert fresh.run("id -u holdfast").stdout.strip() != "0"
    assert fresh.run("stat -c '%U %a' /var/lib/holdfast").stdout.split() == ["holdfast", "750"]
    modes = fresh.run("stat -c '%U %a' /etc/holdfast/holdfast.yaml /etc/holdfast/instances.d").stdout
    assert modes.splitlines() == ["root 644", "root 755"]


def test_shipped_configuration_with_one_policy(fresh, cloud):
    """Nothing is set in what is shipped; a policy that says where it is is enough to be told what lacks."""
    fresh.run("holdfastd --check")
    fresh.write("/etc/holdfast/instances.d/orders.yaml",
                f"region: ap-southeast-1\nservice: taurusdb\ninstance_id: {taurus_id(1)}\nencryption: {{expect: on}}\n")
    fresh.run("holdfastd --check", user="holdfast")
    fresh.run("systemctl restart holdfast")
    holdfast = Holdfast(fresh, cloud)
    assert holdfast.state == "active"
    # There is no key, so a server's agency was the last hope; and there is no network.
    assert "169.254.169.254" in holdfast.wait_event("api-failing")["MESSAGE"]
    assert re.search(r"^holdfastd .*: 1 policy with 1 control in force, 0 rejected$", holdfast.events("started")[-1]["MESSAGE"])
    fresh.run("systemctl stop holdfast")
    assert fresh.show("holdfast", "Result") == "success"


def test_active_only_after_ready(holdfast):
    """systemctl start returns when READY=1 was said, and what holdfastd said before it was said before the unit was active."""
    machine = holdfast.machine
    cursor = holdfast.cursor()
    machine.run("systemctl restart holdfast")
    assert machine.show("holdfast", "ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}
    entries = machine.journal("-u", "holdfast", after=cursor)
    started = [i for i, e in enumerate(entries) if e.get("HOLDFAST_EVENT") == "started"]
    active = [i for i, e in enumerate(entries) if e.get("JOB_TYPE") in ("start", "restart") and e.get("JOB_RESULT") == "done"]
    assert started and active and started[0] < active[-1], [e.get("MESSAGE") for e in entries]


def test_not_active_before_ready(fresh, cloud):
    """The same binary, whose READY=1 nobody hears: the start does not succeed."""
    fresh.run("systemctl stop holdfast")
    fresh.drop_in("holdfast", "deaf", "[Service]\nExecStart=\nExecStart=/usr/bin/env -u NOTIFY_SOCKET /usr/sbin/holdfastd\n"
                  "TimeoutStartSec=2s\nRestart=no\n")
    assert fresh.run("systemctl start holdfast", check=False).rc != 0
    assert fresh.show("holdfast", "Result") in ("timeout", "protocol")
    fresh.path("/etc/systemd/system/holdfast.service.d/deaf.conf").unlink()
    fresh.run("systemctl daemon-reload; systemctl reset-failed holdfast; systemctl start holdfast")


def test_status_line(holdfast):
    wait_until(lambda: holdfast.machine.show("holdfast", "StatusText").startswith("2 controls: 2 compliant, 0 violated, 0 unknown"), 20,
               lambda: holdfast.machine.show("holdfast", "StatusText"))
    text = holdfast.machine.run("systemctl status holdfast").stdout
    expected = r"^ *Status: \"2 controls: 2 compliant, 0 violated, 0 unknown; next lock to extend: orders in 2[0-9] d"
    assert re.search(expected, text, re.M), text


def test_reload_with_a_broken_policy_keeps_the_good_one(holdfast):
    machine, cloud = holdfast.machine, holdfast.cloud
    pid, good = holdfast.pid, machine.path("/etc/holdfast/instances.d/orders.yaml").read_text()
    cursor = holdfast.cursor()

    machine.write("/etc/holdfast/instances.d/orders.yaml", good.replace("renew_before: 7d", "renew_befor: 7d"))
    holdfast.systemctl("reload")
    rejected = holdfast.wait_event("policy-rejected", cursor)
    assert rejected["PRIORITY"] == "3" and rejected["HOLDFAST_LINE"].isdigit() and rejected["HOLDFAST_COLUMN"].isdigit()
    assert rejected["HOLDFAST_FILE"].endswith("orders.yaml") and "renew_before" in rejected["MESSAGE"]
    assert "1 policy with 2 controls in force, 1 rejected" in holdfast.wait_event("reloaded", cursor)["MESSAGE"]
    wait_until(lambda: holdfast.state == "active", 10, "active again")
    assert holdfast.pid == pid

    holdfast.switch_off()
    holdfast.wait_remediated()          # the last good version is enforced

    machine.write("/etc/holdfast/instances.d/orders.yaml", good)
    cursor = holdfast.cursor()
    holdfast.systemctl("reload")
    assert "0 rejected" in holdfast.wait_event("reloaded", cursor)["MESSAGE"]
    assert cloud.instance(taurus_id(1))["encryption"]["status"] == "on"


def test_reload_with_broken_settings_keeps_the_good_ones(holdfast):
    machine, pid, cursor = holdfast.machine, holdfast.pid, holdfast.cursor()
    machine.write("/etc/holdfast/holdfast.yaml", "region: [")
    holdfast.systemctl("reload")
    holdfast.wait_event("reloaded", cursor)
    assert any("stay in force" in e["MESSAGE"] for e in holdfast.events("policy-rejected", cursor)), holdfast.said(cursor)
    holdfast.configure()
    holdfast.systemctl("reload")
    wait_until(lambda: holdfast.state == "active", 10, "active again")
    assert holdfast.pid == pid


def test_bad_configuration_is_not_tried_again(holdfast):
    machine = holdfast.machine
    holdfast.systemctl("stop")
    machine.write("/etc/holdfast/holdfast.yaml", "region: [")
    assert holdfast.systemctl("start", check=False).rc != 0
    shown = machine.show("holdfast", "ActiveState", "ExecMainStatus", "NRestarts", "SubState")
    assert shown == {"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0", "SubState": "failed"}
    holdfast.configure()
    machine.run("systemctl reset-failed holdfast")
    holdfast.start()


def catalog():
    """event → MESSAGE_ID, of the source of the catalog."""
    text = (TOP / "systemd/holdfast.catalog").read_text()
    return {event: id for event, id in re.findall(r"^# ([a-z-]+)\n-- ([0-9a-f]{32})$", text, re.M)}


def test_journal_fields(holdfast):
    ids, entries = catalog(), holdfast.events()
    assert {"started", "drift", "remediated", "lock-extended", "policy-rejected"} <= {e["HOLDFAST_EVENT"] for e in entries}
    for e in entries:
        assert e["MESSAGE_ID"] == ids[e["HOLDFAST_EVENT"]], e
        assert e["PRIORITY"] in "01234567" and e["SYSLOG_IDENTIFIER"] == "holdfastd" and e["_UID"] != "0", e
        if "HOLDFAST_CONTROL" in e:
            assert e["HOLDFAST_NAME"] == "orders" and e["HOLDFAST_INSTANCE"] == taurus_id(1), e
            assert e["HOLDFAST_SERVICE"] == "taurusdb" and e["HOLDFAST_REGION"] == "ap-southeast-1", e
    extended = [e for e in entries if e["HOLDFAST_EVENT"] == "lock-extended"]
    assert extended and all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", e["HOLDFAST_LOCK_END"]) for e in extended)


def test_journal_explains(holdfast):
    text = holdfast.machine.run("journalctl -x -u holdfast HOLDFAST_EVENT=lock-extended").stdout
    assert "Subject: orders: the compliance lock was extended" in text and f"instance {taurus_id(1)}" in text, text
    assert "Nothing needs to be done." in text and not re.search(r"@[A-Z_]+@", text), text
    listed = holdfast.machine.run("journalctl --list-catalog").stdout
    assert all(id in listed for id in catalog().values())


def test_journal_tells_the_story_of_one_instance(holdfast):
    text = holdfast.machine.run("journalctl HOLDFAST_NAME=orders").stdout
    assert "encryption" in text and "lock" in text
    assert holdfast.machine.run("journalctl -q HOLDFAST_NAME=somebody-else").stdout == ""


def test_state_is_kept(holdfast):
    """What was learned and granted lies in a database that only holdfast and root read."""
    machine = holdfast.machine
    assert machine.run("stat -c '%U %a' /var/lib/holdfast/holdfast.db").stdout.split()[0] == "holdfast"
    assert machine.run("cat /var/lib/holdfast/holdfast.db >/dev/null", user="nobody", check=False).rc != 0
    assert machine.run("sqlite3 -readonly /var/lib/holdfast/holdfast.db 'PRAGMA integrity_check'").stdout.strip() == "ok"


def test_sandbox_score(holdfast):
    text = holdfast.machine.run("systemd-analyze --no-pager security holdfast").stdout
    score = float(re.search(r"Overall exposure level for holdfast\.service: ([0-9.]+)", text)[1])
    assert score <= SECURITY_MAX, text


def test_sandbox_holds(holdfast):
    """What the kernel says of the process, not what the unit says."""
    outside = holdfast.machine.pid_outside(holdfast.pid)
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{outside}/status").read_text().splitlines() if ":\t" in line)
    for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[key], 16) == 0, (key, status[key])
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert "0" not in status["Uid"].split()
    mounts = [line.split() for line in Path(f"/proc/{outside}/mountinfo").read_text().splitlines()]
    root = next(m for m in mounts if m[4] == "/")
    assert "ro" in root[5].split(","), root
    writable = {m[4] for m in mounts if "rw" in m[5].split(",")}
    assert "/var/lib/holdfast" in writable
    assert not any(w.startswith(("/etc", "/usr", "/home", "/root", "/boot")) for w in writable), writable


def test_stop_is_quick_and_clean(holdfast):
    holdfast.systemctl("stop")
    shown = holdfast.machine.show("holdfast", "ActiveState", "Result", "ExecMainStatus")
    assert shown == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    holdfast.start()
