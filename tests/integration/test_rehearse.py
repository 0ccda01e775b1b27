# SPDX-License-Identifier: Apache-2.0
"""holdfastctl rehearse: an owner's configuration in virtual time."""

import json
import os
import re
import subprocess

import pytest

from harness import KMS_KEY, SANITIZER, program
from test_sim import ACCOUNT, Sim

PROJECT, DOMAIN = "619d3e78f61b4be68bc5aa0b59edcf7b", "8a6f5e0c1d2b4f739e0d1c2b3a495867"
ORDERS = "7033e7c3cf93438797d44ad7ae0a7d95in07"
SETTINGS = f"region: ap-southeast-1\nproject_id: {PROJECT}\ndomain_id: {DOMAIN}\n"
ORDERS_POLICY = f"""name: orders
service: taurusdb
instance_id: {ORDERS}
encryption: {{expect: on, kms_key_id: {KMS_KEY}}}
lock: {{retention_days: 30, renew_before: 7d}}
"""
AUDIT_POLICY = """name: audit
service: dbss
instance_id: 2f6b1d3c4e5f60718293a4b5c6d7e8f9
schedule: {cycle: PER_DAY, trigger_time: "2025-08-21 02:00:44", timezone: Asia/Singapore, bucket_name: cbh-ynf}
"""
GAUSS_POLICY = """name: ledger
service: gaussdb
instance_id: 1de27464abdf48519f8574c97a8f0625in14
download: {backups: latest}
"""
AT = ["--at", "2026-01-01T00:00:00Z"]


class Run:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        assert not SANITIZER.search(self.err), self.err

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def rehearse(tmp_path):
    binary = program("HOLDFASTCTL")
    if binary is None:
        pytest.skip("HOLDFASTCTL does not name a program")
    folder = tmp_path / "etc"
    (folder / "instances.d").mkdir(parents=True)

    def run(policies, *arguments, settings="", environment=None, wrapper=()):
        (folder / "holdfast.yaml").write_text(SETTINGS + settings)
        for i in range(0, len(policies), 1000):
            (folder / "instances.d" / f"all{i or ''}.yaml").write_text("---\n".join(policies[i:i + 1000]))
        (folder / "holdfast.yaml").chmod(0o644)
        return Run(subprocess.run(
            [*wrapper, binary, "--config", str(folder / "holdfast.yaml"), "--state", str(tmp_path / "state"), "rehearse",
             *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "COLUMNS": "80", **(environment or {})}))

    return run


def events(report, name, reading="from-start"):
    calendar = next(c for c in report["calendars"] if c["reading"] == reading)
    return [e for p in calendar["policies"] if p["name"] == name for e in p["events"]]


def rows(out):
    """The calendar of the text, by its columns."""
    lines = out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("WHEN (UTC)"))
    found = []
    for line in lines[first + 1:]:
        if not line:
            break
        found.append(re.split(r"  +", line.strip()))
    return found


def test_table_of_one_lock(rehearse):
    run = rehearse([ORDERS_POLICY], *AT, "--for", "60d")
    assert run.status == 0, run.err
    assert rows(run.out) == [
        ["2026-01-01 00:00", "orders", "lock enabled", "1", "2026-01-31 00:00"],
        ["2026-01-01 00:00", "orders", "encryption on", "1"],
        ["2026-01-24 00:00", "orders", "lock extended", "2", "2026-02-23 00:00"],
        ["2026-02-16 00:00", "orders", "lock extended", "1", "2026-03-18 00:00"],
    ]
    assert "No lock lapses, and nothing is refused." in run.out
    assert "2 requests (from-start), 2 (from-now)" in re.sub(r"\s+", " ", run.out)


@pytest.mark.parametrize("reading, first", [("from-start", 2), ("from-now", 2), ("added", 1)])
def test_each_reading(rehearse, reading, first):
    """The period of the first extension is found out by trying; all later ones take a single request."""
    report = rehearse([ORDERS_POLICY], *AT, "--for", "1y", "--json").json
    assert report["alike"] and not report["bad"]
    extended = [e for e in events(report, "orders", reading) if e["event"] == "lock-extended"]
    assert [e["requests"] for e in extended] == [first] + [1] * (len(extended) - 1)
    assert len(extended) == 15                      # every 23 days
    for e in extended:
        assert e["lock_end"] > e["at"]


def test_json_says_what_the_table_says(rehearse):
    policies = [ORDERS_POLICY, AUDIT_POLICY, GAUSS_POLICY]
    table = rehearse(policies, *AT, "--for", "30d", "--all")
    report = rehearse(policies, *AT, "--for", "30d", "--json").json
    words = {"lock-enabled": "lock enabled", "lock-extended": "lock extended", "encryption-on": "encryption on",
             "schedule-set": "schedule set", "schedule-reapplied": "schedule re-applied",
             "download-authorized": "download granted"}
    expected = sorted([e["at"][:16].replace("T", " "), p["name"], words[e["event"]], str(e["requests"]),
                       *([e["lock_end"][:16].replace("T", " ")] if "lock_end" in e else [])]
                      for p in report["calendars"][0]["policies"] for e in p["events"])
    assert sorted(rows(table.out)) == expected
    assert len(expected) == 4 + 1 + 29              # orders: 3 and one more; ledger; audit once and daily again


def test_same_seed_same_rehearsal(rehearse):
    arguments = [*AT, "--for", "90d", "--fault", "outage=3d@20d", "--json"]
    assert rehearse([ORDERS_POLICY], *arguments).out == rehearse([ORDERS_POLICY], *arguments).out


def test_schedule_is_folded(rehearse):
    run = rehearse([AUDIT_POLICY], *AT, environment={"COLUMNS": "120"})     # a narrow table is wrapped
    assert run.status == 0
    assert ["… 2027-12-31", "audit", "schedule re-applied, 728 more, every 1 d", "1"] in rows(run.out)
    assert "If this host is down" not in run.out    # nothing can lapse


def test_as_written_begins_with_nothing_to_do(rehearse):
    report = rehearse([ORDERS_POLICY], *AT, "--for", "20d", "--start", "as-written", "--json").json
    assert report["start"] == "as-written" and events(report, "orders") == []
    assert "Nothing happens" in rehearse([ORDERS_POLICY], *AT, "--for", "20d", "--start", "as-written").out


def test_timeline(rehearse):
    """One cell a day; the lock is due on the 23rd, and nobody is there on the 30th."""
    arguments = [*AT, "--for", "71d", "--fault", "down=20d@20d", "--start", "as-written"]
    run = rehearse([ORDERS_POLICY, AUDIT_POLICY], *arguments, environment={"COLUMNS": "81"})
    lines = run.out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.strip().startswith("01-01"))
    assert [line.split(maxsplit=1) for line in lines[first + 1:first + 2]] == [["(faults)", "▒" * 21]]
    assert lines[first + 2] == "orders    " + "─" * 30 + "✗" + " " * 9 + "◆" + "─" * 22 + "●" + "─" * 7
    assert lines[first + 3] == "audit      " + "·" * 19 + " " * 20 + "·" * 31
    assert "✗ lapsed" in lines[first + 4]

    plain = rehearse([ORDERS_POLICY, AUDIT_POLICY], *arguments, environment={"LC_ALL": "C", "COLUMNS": "81"})
    assert plain.out.isascii()
    assert "orders    " + "-" * 30 + "X" + " " * 9 + "#" + "-" * 22 + "+" + "-" * 7 in plain.out


@pytest.mark.parametrize("lock, down, permission", [
    ("retention_days: 30, renew_before: 7d, poll: 1h", 7 * 86400, 3600),
    ("retention_days: 30, renew_before: 7d, poll: 24h", 7 * 86400, 86400),
    ("retention_days: 30, renew_before: 3h, poll: 1h", 3 * 3600, 3600),
    ("retention_days: 400, renew_before: 20d, poll: 12h", 20 * 86400, 12 * 3600),
])
def test_lapse_figures(rehearse, lock, down, permission):
    """A lock may lapse after renew_before; where nobody is told that it works again, a poll earlier."""
    report = rehearse([f"name: orders\nservice: taurusdb\ninstance_id: {ORDERS}\nlock: {{{lock}}}\n"], *AT, "--for", "1d",
                      "--json").json
    [lapse] = report["lapses"]
    assert lapse["name"] == "orders" and lapse["policies"] == 1
    assert lapse["down"]["reckoned"] == down
    assert lapse["down"]["held"] == down and lapse["down"]["lapsed"] == down + 60
    assert lapse["no-permission"]["reckoned"] == down - permission
    for kind, late in ("no-permission", permission), ("outage", 300):
        assert down - late - 120 <= lapse[kind]["held"] <= down
        assert lapse[kind]["lapsed"] == lapse[kind]["held"] + 60


def test_lapses_name_the_first(rehearse):
    billing = ORDERS_POLICY.replace("orders", "billing").replace("7033", "8033").replace("renew_before: 7d", "renew_before: 14d")
    report = rehearse([ORDERS_POLICY, billing], *AT, "--for", "1d", "--json").json
    assert [(x["name"], x["down"]["held"]) for x in report["lapses"]] == [("orders", 7 * 86400), ("billing", 14 * 86400)]
    run = rehearse([ORDERS_POLICY, billing], *AT, "--for", "1d")
    assert "The first to lapse is orders." in run.out


@pytest.mark.parametrize("days, bad", [(6, False), (8, True)])
def test_down(rehearse, days, bad):
    """The lock of the first day ends on the 30th day, and is due on the 23rd."""
    run = rehearse([ORDERS_POLICY], *AT, "--for", "60d", "--fault", f"down={days}d@22d12h", "--json")
    assert run.status == (2 if bad else 0)
    lapsed = [e for e in events(run.json, "orders") if e["event"] == "lock-lapsed"]
    assert [e["at"] for e in lapsed] == (["2026-01-31T00:00:00Z"] if bad else [])
    assert run.json["bad"] is bad


def test_down_until_after_the_end(rehearse):
    run = rehearse([ORDERS_POLICY], *AT, "--for", "60d", "--fault", "down=20d@20d", "--json")
    assert run.status == 2
    names = [(e["event"], e["at"][:10]) for e in events(run.json, "orders") if e["event"].startswith("lock")]
    assert names == [("lock-enabled", "2026-01-01"), ("lock-lapsed", "2026-01-31"), ("lock-enabled", "2026-02-10")]


@pytest.mark.parametrize("fault, expected", [
    ("outage=2d@22d", {"api-failing", "unknown", "api-recovered"}),
    ("error=2d@22d", {"api-failing", "unknown", "api-recovered"}),
    ("throttled=2d@22d", {"api-failing", "unknown", "api-recovered"}),
    ("no-permission=2d@22d", {"api-failing", "unknown", "api-recovered"}),
    ("clock=+20m@22d", {"clock-skew"}),
])
def test_faults(rehearse, fault, expected):
    run = rehearse([ORDERS_POLICY], *AT, "--for", "29d", "--fault", fault, "--json")
    said = {e["event"] for p in run.json["calendars"][0]["policies"] for e in p["events"]}
    assert expected <= said
    extended = [e["at"][:10] for e in events(run.json, "orders") if e["event"] == "lock-extended"]
    if fault.startswith("clock"):                   # no lock is written while the clocks disagree
        assert run.status == 2 and extended == [] and "lock-expiring" in said
    elif fault.startswith("no-permission"):         # that nothing can be done is an alarm, though it passes
        assert run.status == 2 and extended == ["2026-01-25"] and "lock-refused" in said
    else:
        assert run.status == 0 and extended == ["2026-01-25"], run.out


@pytest.mark.parametrize("arguments, said", [
    (["--for", "3"], "--for: found '3', expected a duration"),
    (["--fault", "x"], "expected KIND=DURATION@WHEN"),
    (["--fault", "outage=3d"], "found no @"),
    (["--fault", "boom=3d@1d"], "found 'boom' as the kind"),
    (["--fault", "outage=0s@1d"], "found '0s' as the duration"),
    (["--fault", "outage=3d@x"], "found 'x' as the time"),
    (["--fault", "clock=@1d"], "expected a step"),
    (["--for", "10d", "--fault", "down=1d@10d"], "expected a time within the 10d"),
    (["--fault", "outage=3d@1d", "--fault", "outage=3d@2d"], "begins before the one before it ends"),
    (["--at", "tomorrow"], "--at: found 'tomorrow'"),
    (["--at", "1999-01-01"], "expected a year from 2015"),
    (["--start", "x"], "expected bare or as-written"),
    (["--seed", "0"], "whole number from 1"),
    (["--seed", "-1"], "whole number from 1"),
    (["--from-cloud", *AT], "--at does not go with it"),
    (["--frobnicate"], "unrecognized option"),
])
def test_wrong_usage(rehearse, arguments, said):
    run = rehearse([ORDERS_POLICY], *arguments)
    assert run.status == 64 and said in run.err and run.out == ""


def test_broken_policies_are_said_and_left_out(rehearse):
    run = rehearse([ORDERS_POLICY, "name: broken\nservice: taurusdb\n"], *AT, "--for", "10d", "--json")
    assert run.status == 1
    assert "all.yaml:7:1: " in run.err and run.json["rejected"] == 1 and run.json["policies"] == 1


def test_names(rehearse):
    report = rehearse([ORDERS_POLICY, AUDIT_POLICY], *AT, "--for", "10d", "--json", "aud*").json
    assert {p["name"] for c in report["calendars"] for p in c["policies"]} == {"audit"}
    assert rehearse([ORDERS_POLICY], *AT, "nobody").status == 4


def test_contacts_nobody_and_needs_no_key(rehearse):
    """Without a network, and with credentials that cannot be read."""
    unshare = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        unshare = []
    settings = "credentials: {source: files, directory: /nonexistent}\n"
    run = rehearse([ORDERS_POLICY, AUDIT_POLICY, GAUSS_POLICY], *AT, "--for", "60d", settings=settings, wrapper=unshare)
    assert run.status == 0, run.err
    assert ["2026-01-24 00:00", "orders", "lock extended", "2", "2026-02-23 00:00"] in rows(run.out)


@pytest.mark.parametrize("source", ["password", "metadata", "auto"])
def test_every_source_of_credentials(rehearse, source):
    more = ", user_name: someone, domain_name: example" if source == "password" else ""
    run = rehearse([ORDERS_POLICY], *AT, "--for", "30d", settings=f"credentials: {{source: {source}{more}}}\n")
    assert run.status == 0, run.err


def test_limit_of_new_locks(rehearse):
    """Five locks, two a day: the others wait, and it is said why."""
    policies = [f"name: lock-{i}\nservice: taurusdb\ninstance_id: {i:032x}in07\nlock: {{retention_days: 30}}\n" for i in range(5)]
    run = rehearse(policies, *AT, "--for", "10d", "--json", settings="limits: {new_locks_per_day: 2}\n")
    assert run.status == 2
    enabled = {e["at"][:10] for p in run.json["calendars"][0]["policies"] for e in p["events"] if e["event"] == "lock-enabled"}
    assert {"2026-01-01", "2026-01-02"} <= enabled
    assert "new_locks_per_day" in run.json["calendars"][0]["reasons"]["lock-refused"]


def test_ten_thousand_policies(rehearse):
    """Every policy is accounted for, whoever was played."""
    policies = []
    for i in range(10000):
        if i % 3 == 0:
            policies.append(ORDERS_POLICY.replace("orders", f"orders-{i:05}").replace(ORDERS, f"{i:032x}in07"))
        elif i % 3 == 1:
            policies.append(AUDIT_POLICY.replace("audit", f"audit-{i:05}").replace("2f6b1d3c4e5f60718293a4b5c6d7e8f9", f"{i:032x}"))
        else:
            policies.append(GAUSS_POLICY.replace("ledger", f"ledger-{i:05}")
                            .replace("1de27464abdf48519f8574c97a8f0625in14", f"{i:032x}in14"))
    run = rehearse(policies, *AT, "--for", "6h", "--start", "as-written", "--json")
    assert run.status == 0, run.err
    report = run.json
    assert report["policies"] == 10000
    assert [p["policies"] for p in report["calendars"][0]["policies"]] == [3333]         # downloads, all alike
    assert [x["policies"] for x in report["lapses"]] == [3334]
    for endpoint in report["endpoints"]:
        assert 0 < endpoint["mean_per_second"] <= endpoint["peak_per_second"] <= endpoint["limit_per_second"] == 20


@pytest.fixture
def sim(tmp_path):
    binary = program("HOLDFAST_SIM")
    if binary is None:
        pytest.skip("HOLDFAST_SIM does not name a program")
    made = []

    def start(instances):
        folder = tmp_path / "sim"
        folder.mkdir()
        made.append(Sim(binary, folder, ACCOUNT + instances))
        return made[-1]

    yield start
    for each in made:
        each.stop()


def test_from_cloud(rehearse, sim):
    """A lock with three days left is extended at once, one with twenty later, and the cloud itself stays as it was."""
    other = "8144f8d4d0a4549808e55be8bf1b8e06in07"
    cloud = sim(f"""instances:
  taurusdb:
    {ORDERS}: {{encryption: on, lock: {{start: -27d, end: +3d}}}}
    {other}: {{encryption: off, lock: {{start: -10d, end: +20d}}}}
  dbss:
    2f6b1d3c4e5f60718293a4b5c6d7e8f9: {{schedule: none}}
""")
    before = cloud.state()["instances"]
    settings = "".join([
        "credentials: {source: environment}\n",
        f"endpoints: {{taurusdb: \"{cloud.url}\", dbss: \"{cloud.url}\", gaussdb: \"{cloud.url}\", iam: \"{cloud.url}\"}}\n",
        f"http: {{ca_file: {cloud.ca_file}}}\n"])
    customers = ORDERS_POLICY.replace("orders", "customers").replace(ORDERS, other)
    run = rehearse([ORDERS_POLICY, customers, AUDIT_POLICY], "--from-cloud", "--for", "16d", "--json", settings=settings,
                   environment={"HUAWEICLOUD_SDK_AK": "SIMULATEDKEY00000001",
                                "HUAWEICLOUD_SDK_SK": "simulated-secret-key-for-trying-only"})
    assert run.status == 0, run.err + run.out
    report = run.json
    assert report["start"] == "cloud" and report["unread"] == 0
    names = {n: [e["event"] for e in events(report, n)] for n in ("orders", "customers", "audit")}
    assert names["orders"] == ["lock-extended"]                         # at once; encryption is on already
    assert sorted(names["customers"]) == ["encryption-on", "lock-extended"]
    assert names["audit"][0] == "schedule-set"
    begin, extended = report["begin"], next(e for e in events(report, "customers") if e["event"] == "lock-extended")
    assert extended["at"][:10] > begin[:10]
    assert cloud.state()["instances"] == before


def test_from_cloud_out_of_reach(rehearse):
    """Who cannot be read begins as --start says, and that is said."""
    settings = "credentials: {source: environment}\nendpoints: {taurusdb: \"https://127.0.0.1:1\"}\nhttp: {timeout: 1s, connect_timeout: 1s}\n"
    run = rehearse([ORDERS_POLICY], "--from-cloud", "--for", "5d", "--json", settings=settings,
                   environment={"HUAWEICLOUD_SDK_AK": "SIMULATEDKEY00000001", "HUAWEICLOUD_SDK_SK": "not-a-secret"})
    assert run.status in (0, 1), run.err
    if run.status == 0:
        assert run.json["unread"] == 2
