# SPDX-License-Identifier: Apache-2.0
"""holdfastctl against the real holdfastd, with a bus of its own and without a daemon; and what the documents show of it."""

import fcntl
import json
import os
import pty
import re
import shutil
import sqlite3
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from cloud import DOMAIN, PROJECT, Fault
from harness import KMS_KEY, SANITIZER, merge, program, wait_until
from services import DAY

SOURCE = Path(__file__).resolve().parents[2]
NO_BUS = "unix:path=/nonexistent"
VERBS = ("status", "why", "history", "log", "plan", "rehearse", "check", "reconcile", "reload", "thaw", "schema", "iam-policy", "help")

BUS_CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>
  </policy>
</busconfig>
"""


class Done:
    def __init__(self, process):
        self.rc, self.stdout, self.stderr = process.returncode, process.stdout, process.stderr

    def exits(self, rc):
        assert self.rc == rc, f"exit {self.rc}, expected {rc}:\n{self.stdout}{self.stderr}"
        return self

    @property
    def json(self):
        return json.loads(self.stdout)

    def has(self, *texts):
        for text in texts:      # sentences are wrapped
            assert text in self.stdout or text in " ".join(self.stdout.split()), f"no {text!r} in:\n{self.stdout}"
        return self

    def complains(self, *texts):
        for text in texts:
            assert text in self.stderr, f"no {text!r} in:\n{self.stderr}"
        return self


class Ctl:
    """holdfastctl on the files of an installation, or, with `files=False`, on nothing but the bus."""

    def __init__(self, binary, holdfast):
        self.binary, self.holdfast = binary, holdfast

    def __call__(self, *args, files=True, timeout=60, env=None, **options):
        command = [self.binary]
        if files:
            command += ["--config", str(self.holdfast.config), "--state", str(self.holdfast.state)]
        done = Done(subprocess.run(
            [*command, *args], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, cwd=self.holdfast.folder,
            env=self.holdfast.environment() | {"LANG": "C.UTF-8"} | (env or {}), **options))
        assert not SANITIZER.search(done.stderr), done.stderr
        for secret in self.holdfast.cloud.secrets:
            assert secret not in done.stdout + done.stderr, "a secret is shown"
        return done

    def bus(self, *args, **options):
        return self(*args, files=False, **options)


@pytest.fixture
def ctl(holdfast):
    binary = program("HOLDFASTCTL")
    if binary is None:
        pytest.skip("HOLDFASTCTL does not name a program")
    return Ctl(binary, holdfast)


@pytest.fixture
def bus(holdfast, tmp_path):
    """A bus of its own; daemons and tools of the installation find it."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("no dbus-daemon")
    path = tmp_path / "bus"
    config = tmp_path / "bus.conf"
    config.write_text(BUS_CONFIG.format(path=path))
    process = subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(path.exists, what="the bus")
    holdfast.env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={path}"
    yield holdfast.env["DBUS_SYSTEM_BUS_ADDRESS"]
    process.kill()
    process.wait()


def held(cloud, days):
    return {"start": cloud.now() - (30 - days) * DAY, "end": cloud.now() + days * DAY}


def fleet(holdfast, cloud):
    """One that is well, one that may not be looked at, and one that has drifted and may not be mended."""
    orders = cloud.add_taurus("orders", lock=held(cloud, 23.4))
    holdfast.policy("orders", {"service": "taurusdb", "instance_id": orders.id, "encryption": {"expect": "on", "kms_key_id": KMS_KEY},
                               "lock": {"retention_days": 30, "renew_before": "7d"}})
    customers = holdfast.lock("customers", cloud.add_taurus("customers", lock=held(cloud, 12.2)))
    cloud.faults.append(Fault(service="taurusdb", method="GET", path=f"{customers.id}/backups/vault-lock", status=403, body={
        "error_code": "DBS.200010", "error_msg": "Policy doesn't allow gaussdb:backup:listVaultLock to be performed."}))
    audit = cloud.add_audit("audit")
    holdfast.schedule("audit", audit)
    path = holdfast.instances / "audit.yaml"
    path.write_text("mode: observe\n" + path.read_text())
    holdfast.write()
    return orders, customers, audit


def control(document, name, kind):
    found = [c for c in document["controls"] if (c["name"], c["control"]) == (name, kind)]
    assert len(found) == 1, found
    return found[0]


def all_looked_at(ctl):
    """Has the daemon looked at all of fleet()?"""
    document = ctl.bus("status", "--json").json
    return document["counts"]["unknown"] == 1 and control(document, "customers", "lock")["failure"] is not None


# Without a daemon

def test_status_of_nothing(ctl, holdfast, cloud):
    holdfast.encryption("orders")
    holdfast.write()
    done = ctl("status").exits(2).has("1 control of 1 instance: 0 compliant, 0 violated, 1 unknown", "it was not looked at yet")
    done.complains("holdfastd is not running, and has left no state")
    assert not list(holdfast.state.iterdir()), "who only looks leaves nothing behind"


def test_status_of_what_was_left(ctl, holdfast, cloud):
    fleet(holdfast, cloud)
    holdfast.once().exits(3)
    before = {p.name: p.stat().st_mtime_ns for p in holdfast.state.iterdir()}
    done = ctl("status").exits(2).complains("holdfastd is not running; this is the state as of ")
    done.has("4 controls of 3 instances: 2 compliant, 1 violated, 1 unknown")
    assert re.search(r"^customers +lock +unknown .*listVaultLock", done.stdout, re.M), done.stdout
    assert re.search(r"^audit +schedule +violated ", done.stdout, re.M), done.stdout
    assert re.search(r"^orders +\S+ \S+Z +23 d 9 h +█+░+ +in 16 d 9 h$", done.stdout, re.M), done.stdout
    assert before == {p.name: p.stat().st_mtime_ns for p in holdfast.state.iterdir()}

    ctl("status", "orders").exits(0).has("● encryption: compliant since", "Extend at", "nothing, as long as holdfastd does not run")
    ctl("status", "--no-legend", "--verdict", "unknown").exits(2).has("customers")
    assert len(ctl("--no-legend", "status", "--verdict", "unknown").stdout.splitlines()) == 1
    assert ctl("status", env={"LANG": "C"}).stdout.isascii()


def test_status_as_json(ctl, holdfast, cloud):
    orders, _, _ = fleet(holdfast, cloud)
    holdfast.once().exits(3)
    document = ctl("status", "--json").exits(2).json
    assert document["counts"] == {"instances": 3, "controls": 4, "compliant": 2, "violated": 1, "unknown": 1}
    assert document["daemon"]["running"] is False
    lock = control(document, "orders", "lock")
    assert lock["instance_id"] == orders.id and lock["verdict"] == "compliant" and lock["renew_before"] == 7 * 86400
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", lock["lock_end"])
    assert lock["file"] == "orders.yaml" and lock["frozen"] is False and lock["failure"] is None
    assert {tuple(c) for c in document["controls"]} == {tuple(lock)}, "every control has the same keys"


def test_colours(ctl, holdfast, cloud):
    fleet(holdfast, cloud)
    assert "\x1b[" not in ctl("status").stdout
    assert "\x1b[" in ctl("status", "--color", "always").stdout
    assert "\x1b[" in ctl("status", env={"SYSTEMD_COLORS": "1"}).stdout
    assert "\x1b[" not in ctl("status", env={"SYSTEMD_COLORS": "0"}).stdout
    assert "\x1b[" not in ctl("status", "--color=never", env={"SYSTEMD_COLORS": "1"}).stdout


def test_names(ctl, holdfast, cloud):
    for name in ("orders", "orders-archive", "ledger"):
        holdfast.encryption(name)
    holdfast.write()

    def names(*args):
        return sorted({c["name"] for c in ctl("status", "--json", *args).exits(2).json["controls"]})

    assert names("orders") == ["orders"]
    assert names("led") == ["ledger"]
    assert names("orders*") == ["orders", "orders-archive"]
    assert names(cloud.taurus[list(cloud.taurus)[0]].id) == ["orders"]
    assert names("ledger", "orders-a") == ["ledger", "orders-archive"]
    ctl("status", "order").exits(4).complains("beginning of 2 names")
    ctl("status", "legder").exits(4).complains("did you mean ledger?")
    ctl("status", "nothing*").exits(4)
    ctl("status", "").exits(4)
    ctl("status", "\x1b[31mred\n").exits(4).complains("?[31mred")
    ctl("status", "x" * 5000).exits(4)


def test_why(ctl, holdfast, cloud):
    fleet(holdfast, cloud)
    holdfast.once().exits(3)
    ctl("why", "audit").exits(2).has("audit: schedule is violated", "audit.yaml", "mode is observe", "Whoever owns the policy must let")
    ctl("why", "customers").exits(2).has("customers: lock is unknown", "neither taken for compliant nor acted upon", "systemctl start holdfast")
    ctl("why", "orders").exits(0).has("Whoever runs this host must start it", "less than 7 d of the lock will remain")
    sentences = control(ctl("why", "--json", "orders").exits(0).json, "orders", "lock")["sentences"]
    assert set(sentences) == {"rule", "facts", "next", "changes", "blocked"} and "systemctl start" in sentences["blocked"]
    assert max(map(len, ctl("why", "orders", "customers").stdout.splitlines())) <= 100


def test_history(ctl, holdfast, cloud):
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    holdfast.once().exits(0)
    with cloud.lock:
        instance.encryption = "off"
    holdfast.once().exits(0)
    document = ctl("history", "--json", "--changes", "orders").exits(0).json["history"]
    assert [h["what"] for h in document] == ["remediated", "remediated"]
    assert all(h["request_id"].startswith("req-") and h["control"] == "encryption" for h in document)
    everything = ctl("history").exits(0).has("encrypted backup is on again").stdout.splitlines()
    times = [line.split()[:2] for line in everything[1:] if line[0].isdigit()]
    assert times == sorted(times) and len(times) > 4
    assert len(ctl("history", "-n", "2", "--json").json["history"]) == 2
    assert ctl("history", "--json", "--since", "2100-01-01T00:00:00Z").exits(0).json["history"] == []
    (holdfast.instances / "orders.yaml").unlink()
    assert ctl("history", "--json", "orders").exits(0).json["history"], "also of a policy that is gone"


def test_history_under_an_old_name(ctl, holdfast, cloud):
    """What happened to an instance is found by every name that its policy had, and by its id."""
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    holdfast.once().exits(0)
    (holdfast.instances / "orders.yaml").unlink()
    holdfast.encryption("trading", instance)
    holdfast.once().exits(0)
    changes = [ctl("history", "--json", "--changes", name).exits(0).json["history"] for name in ("orders", "trading", instance.id)]
    assert changes[0] == changes[1] == changes[2] and [h["name"] for h in changes[0]] == ["trading"]
    assert changes[0][0]["detail"].startswith("orders: ")
    ctl("history", "order").exits(4)
    with sqlite3.connect(holdfast.state / "holdfast.db") as db:
        db.execute("DELETE FROM control")
    db.close()
    (holdfast.instances / "trading.yaml").unlink()
    assert [h["instance_id"] for h in ctl("history", "--json", "--changes", "orders").exits(0).json["history"]] == [instance.id]


def test_broken_state(ctl, holdfast, cloud):
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    database = holdfast.state / "holdfast.db"
    sound = database.read_bytes()
    database.write_bytes(b"no database at all" * 1000)
    ctl("status").exits(1).complains("damaged")
    ctl("history").exits(1).complains("damaged")
    database.write_bytes(sound[:len(sound) // 2])
    assert ctl("status").rc in (0, 1, 2)
    database.write_bytes(sound)
    with sqlite3.connect(database) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    for verb in (("status",), ("why", "orders"), ("history",), ("plan",), ("thaw",)):
        ctl(*verb).exits(1).complains("is of version 999, and this program knows up to version").complains("install that one again")
    assert not list(holdfast.state.glob("*broken*"))
    database.unlink()
    database.mkdir()
    ctl("status").exits(1)


def test_check_says_that_the_ca_file_is_missing(ctl, holdfast):
    holdfast.configure(http={"ca_file": str(holdfast.folder / "nowhere.pem")}).write()
    ctl("check").exits(78).complains("holdfast.yaml: http.ca_file: found ", "nowhere.pem, which cannot be read")


@pytest.mark.parametrize("verb", ["check", "plan", "iam-policy"])
def test_named_folder_must_be_there(ctl, holdfast, verb):
    nowhere = str(holdfast.folder / "nowhere")
    holdfast.write()
    assert f"{nowhere}: found no such folder" in ctl("--instances", nowhere, verb).exits(78).stderr


def test_unreadable_state(ctl, holdfast, cloud):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    (holdfast.state / "holdfast.db").chmod(0o600)
    for folder in (holdfast.folder, *holdfast.folder.parents):
        if folder.stat().st_uid != 0 or folder.stat().st_mode & 0o005 != 0o005:
            if folder == Path("/"):
                break
            folder.chmod(folder.stat().st_mode | 0o005)
    ctl("status", user=65534, group=65534, extra_groups=[]).exits(77).complains("root may read the state")


def test_broken_policies_leave_the_state(ctl, holdfast, cloud):
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    holdfast.policy("broken", "service: nothing\n")
    ctl("status").exits(2).complains("1 policy is broken and left out").has("1 control of 1 instance")
    holdfast.config.write_text("nonsense: true\n")
    ctl("status").exits(2).complains("this is the state alone").has("1 control of 1 instance: 1 compliant")


def test_ten_thousand_instances(ctl, holdfast, cloud):
    for k in range(10):
        text = "\n---\n".join(f"name: db-{i:05}\nservice: taurusdb\ninstance_id: {i:032x}in07\nencryption: {{expect: on}}"
                              for i in range(1000 * k, 1000 * k + 1000))
        (holdfast.instances / f"{k}.yaml").write_text(text)
    holdfast.write()
    ctl("status", timeout=60).exits(2).has("10000 controls of 10000 instances")
    assert ctl("status", "--json", "db-0424*").exits(2).json["counts"]["controls"] == 10
    assert len(ctl("status", "--json").json["controls"]) == 10000


# check, schema, iam-policy

def test_check(ctl, holdfast, cloud):
    holdfast.encryption("orders")
    holdfast.write()
    assert ctl("check").exits(0).stdout == holdfast.run("--check", log="text").stdout
    holdfast.policy("broken", "service: taurusdb\ninstance_id: x\nencyption: {}\n")
    done = ctl("check").exits(78)
    assert done.stderr == holdfast.run("--check", log="text").stderr
    mistakes = ctl("check", "--json").exits(78).json["mistakes"]
    assert any(m["file"] == "broken.yaml" and m["line"] == 3 for m in mistakes)


def yaml_documents(text):
    """As editors read YAML: on and off are texts, and so is what looks like a time (YAML 1.2)."""
    yaml = pytest.importorskip("yaml")

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":timestamp"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    return list(yaml.load_all(text, Loader))


def documented():
    """Every yaml block of the documents and every example file, as (where, text)."""
    for path in [SOURCE / "README.md", *sorted((SOURCE / "docs").rglob("*.md"))]:
        for block in re.findall(r"^```yaml\n(.*?)^```", path.read_text(), re.S | re.M):
            yield path.name, block
    for path in sorted((SOURCE / "etc").rglob("*.yaml*")):
        if path.name != "holdfast-sim.yaml":
            yield path.name, path.read_text()
    for block in re.findall(r"^\.(?:EX|nf)\n(.*?)^\.(?:EE|fi)", (SOURCE / "man/holdfast.yaml.5").read_text(), re.S | re.M):
        text = "\n".join(line for line in block.splitlines() if not line.startswith((".", "'")))
        for roff, plain in ((r"\-", "-"), (r"\(aq", "'"), (r"\(dq", '"'), (r"\&", ""), (r"\e", "\\")):
            text = text.replace(roff, plain)
        if re.match(r"(name|service|instance_id|region|credentials|limits|defaults|http|mode):", text.lstrip("#\n ")):
            yield "holdfast.yaml.5", text


def test_schema(ctl, holdfast):
    jsonschema = pytest.importorskip("jsonschema")
    both = ctl("schema").exits(0).json
    validators = {}
    for name in ("settings", "instance"):
        schema = ctl("schema", name).exits(0).json
        assert schema == both[name]
        jsonschema.Draft7Validator.check_schema(schema)
        validators[name] = jsonschema.Draft7Validator(schema)

    n = {"settings": 0, "instance": 0}
    for where, text in documented():
        for document in yaml_documents(text):
            if document is None:
                continue
            kind = "instance" if "instance_id" in document else "settings"
            errors = [e.message for e in validators[kind].iter_errors(document)]
            assert not errors, f"{where}: {errors}\n{text}"
            n[kind] += 1
    assert n["instance"] >= 5 and n["settings"] >= 2, n

    lock = {"service": "taurusdb", "instance_id": "7033e7c3cf93438797d44ad7ae0a7d95in07", "lock": {"retention_days": 30, "renew_before": "7d"}}
    assert validators["instance"].is_valid(lock)
    for bad in ({"lock": {"retention_days": "thirty"}}, {"lock": {"retention_days": 0}}, {"lock": {"renew_before": "7 days"}},
                {"lokc": {}}, {"lock": {"extension": "sideways"}}, {"service": "dbss"}, {"service": "oracle"}, {"service": None},
                {"instance_id": None}, {"lock": None}, {"lock": {"retention_days": None}}, {"schedule": {"status": "on"}}):
        document = merge(lock, bad)
        assert not validators["instance"].is_valid(document), document
    for bad in ({"regoin": "x"}, {"http": {"rate": "20"}}, {"http": {"max_connections": 0}}, {"limits": {"new_locks_per_day": -1}},
                {"credentials": {"source": "sky"}}, {"defaults": {"lock": {"retention_days": 30}}}, {"mode": "on"}):
        assert not validators["settings"].is_valid(bad), bad


def test_iam_policy(ctl, holdfast, cloud):
    fleet(holdfast, cloud)
    document = ctl("iam-policy", "--json").exits(0).json
    actions = {part: {a for s in document[part]["Statement"] for a in s["Action"]} for part in ("observe", "enforce")}
    assert actions["observe"] == {"gaussdb:backup:encrypt", "gaussdb:backup:listVaultLock"}
    assert actions["enforce"] == {"gaussdb:backup:encrypt", "gaussdb:backup:modifyVaultLock"}
    assert document["unknown"] == [{"call": "schedule-get", "part": "observe", "service": "dbss", "grant_instead": "DBSS ReadOnlyAccess"}]
    assert all(document[p]["Version"] == "1.1" for p in actions)

    identity = ctl("iam-policy", "--identity", "--part", "enforce").exits(0).json
    assert identity == {"Version": "5.0", "Statement": [{"Effect": "Allow", "Action": [
        "gaussdbformysql:backup:encrypt", "gaussdbformysql:backup:modifyVaultLock"]}]}
    text = ctl("iam-policy").exits(0).has("DBSS ReadOnlyAccess", "never needs the right to delete").stdout
    assert "delete" not in text.replace("never needs the right to delete anything", "").lower()

    # In observe mode nothing that changes is needed.
    holdfast.configure(mode="observe")
    holdfast.write()
    assert ctl("iam-policy", "--json").json["enforce"]["Statement"] == []


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--part", "observe")])
def test_iam_policy_of_rejected_policies(ctl, holdfast, cloud, arguments):
    """What is left out may need more, and where all are, nothing is granted: no script takes that for the whole."""
    holdfast.policy("orders", "nonsense: [")
    holdfast.write()
    ctl("iam-policy", *arguments).exits(2).complains("orders.yaml:")


# plan

def test_plan_sends_nothing(ctl, holdfast, cloud):
    orders = cloud.add_taurus("orders", encryption="off")
    holdfast.policy("orders", {"service": "taurusdb", "instance_id": orders.id, "encryption": {"expect": "on", "kms_key_id": KMS_KEY},
                               "lock": {"retention_days": 30, "renew_before": "7d"}})
    holdfast.schedule("audit")
    holdfast.download("ledger", "1de27464abdf48519f8574c97a8f0625in14")
    cloud.gauss.add_backup("full", "1de27464abdf48519f8574c97a8f0625in14", DAY)
    holdfast.write()

    document = ctl("plan", "--json").exits(2).json
    assert document["n_requests"] == 4, document
    steps = {(s["name"], s["control"]): s for s in document["steps"]}
    lock = steps["orders", "lock"]["request"]
    assert lock["method"] == "PUT" and lock["url"].endswith(f"/instances/{orders.id}/backups/vault-lock")
    assert lock["body"] == {"backup_vaultlock_info": {"lock_retention_days": 30, "lock_policy": True}, "action": "enable"}
    assert steps["orders", "encryption"]["request"]["body"]["kms_key_id"] == KMS_KEY
    assert "off" in steps["orders", "encryption"]["found"] and steps["orders", "encryption"]["wanted"].startswith("encrypted backup on")
    assert not [r for r in cloud.log if r.write], "a plan has written"
    assert not list(holdfast.state.iterdir()), "a plan has left something behind"
    planned = {k: (s["request"]["method"], s["request"]["url"], s["request"]["body"]) for k, s in steps.items()}

    text = ctl("plan", "orders").exits(2).has("Would send:", "PUT https://", "2 requests would be sent; nothing was")
    assert "audit" not in text.stdout and "uthorization:" not in text.stdout

    # The daemon does as was planned.
    del cloud.log[:]
    holdfast.once().exits(0)
    sent = {(r.method, cloud.origin(r.service) + r.path, json.dumps(r.json, sort_keys=True)) for r in cloud.log if r.write}
    assert sent == {(m, u, json.dumps(b, sort_keys=True)) for m, u, b in planned.values()}
    ctl("plan").exits(0).has("Nothing to do: 4 controls looked at, 4 compliant")


def test_plan_looks_up_who_we_are(ctl, holdfast, cloud):
    """Project and account are read from IAM, and are in what would be sent."""
    holdfast.schedule("audit")
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    holdfast.configure(project_id=None, domain_id=None).write()
    urls = {s["name"]: s["request"]["url"] for s in ctl("plan", "--json").exits(2).json["steps"]}
    assert f"/v1/{DOMAIN}/audit/" in urls["audit"] and f"/v3/{PROJECT}/instances/" in urls["orders"]
    assert not [r for r in cloud.log if r.write]


def test_plan_with_a_password(ctl, holdfast, cloud):
    """A token is obtained, by a POST that changes nothing; it and the password are shown nowhere."""
    cloud.iam.passwords["account", "user"] = "password-of-user"
    cloud.secrets.add("password-of-user")
    holdfast.env = {"CREDENTIALS_DIRECTORY": str(holdfast.credential_files(password="password-of-user"))}
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    holdfast.configure(credentials={"source": "password", "user_name": "user", "domain_name": "account"}).write()
    ctl("plan").exits(2).has("1 request would be sent")
    assert cloud.iam.issued == 1 and not [r for r in cloud.log if r.write]


def test_plan_beside_a_daemon(ctl, holdfast, cloud):
    """Its memory counts: a backup that was authorized once is not authorized again."""
    holdfast.download("ledger", "1de27464abdf48519f8574c97a8f0625in14")
    cloud.gauss.add_backup("full", "1de27464abdf48519f8574c97a8f0625in14", DAY)
    daemon = holdfast.start()
    daemon.wait_event("download-authorized")
    wait_until(lambda: ctl("plan").rc == 0, what="the plan to see what the daemon remembers")
    assert daemon.stop() == 0


def test_plan_that_cannot_look(ctl, holdfast, cloud):
    holdfast.lock("orders")
    cloud.faults.append(Fault(service="taurusdb", status=403, body={"error_code": "DBS.200010", "error_msg": "Policy doesn't allow it"}))
    holdfast.write()
    ctl("plan").exits(1).has("Nothing would be sent", "Policy doesn't allow it", "Nothing would be sent: 1 control looked at")
    holdfast.env["HUAWEICLOUD_SDK_SK"] = "wrong"
    cloud.faults.clear()
    ctl("plan").exits(1)
    ctl("plan", "nobody").exits(4)
    holdfast.config.write_text("nonsense: 1\n")
    ctl("plan").exits(78)


def test_plan_with_a_rejected_policy(ctl, holdfast, cloud):
    """Nothing is known of what it would ask for: that is not "nothing to do"."""
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="on"))
    holdfast.write()
    ctl("plan").exits(0)
    (holdfast.instances / "billing.yaml").write_text("service: taurusdb\ninstnce_id: x\n")
    done = ctl("plan").exits(1).has("Nothing would be sent: 1 control looked at, 1 compliant", "1 policy was rejected, of which nothing is known.")
    assert "billing.yaml:2:1: instnce_id: " in done.stderr
    assert ctl("plan", "--json").exits(1).json["n_rejected"] == 1
    ctl("plan", "orders").exits(0).has("Nothing to do")


def test_plan_in_observe_mode(ctl, holdfast, cloud):
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    holdfast.configure(mode="observe").write()
    ctl("plan").exits(0).has("orders: encryption", "Nothing would be sent: mode observe.",
                             "Nothing would be sent (mode observe): 1 control looked at, 0 compliant, 1 violated, 0 unknown.")
    assert ctl("plan", "--json").exits(0).json["steps"][0]["reason"] == "mode observe"
    holdfast.encryption("billing", cloud.add_taurus("billing", encryption="on"))
    assert "Nothing to do" not in ctl("plan").exits(0).stdout
    ctl("plan", "billing").exits(0).has("Nothing to do (mode observe): 1 control looked at, 1 compliant")


def test_lock_in_observe_mode(ctl, holdfast, cloud):
    """What was found comes first, then why it is left so; and the mode is that of holdfast.yaml."""
    holdfast.lock("orders", cloud.add_taurus("orders"))
    holdfast.configure(mode="observe").write()
    holdfast.once().exits(3)
    ctl("status").exits(2).has("no compliance lock is in force, expected one of 30 days; observe mode: nothing is changed")
    done = ctl("why", "orders").exits(2).has("no compliance lock is in force, expected one of 30 days", "The mode is observe, by holdfast.yaml")
    assert "Whoever owns the policy must let" not in done.stdout
    assert max(map(len, ctl("why", "orders", env={"COLUMNS": "60"}).stdout.splitlines())) <= 60
    table = ctl("status", env={"COLUMNS": "70"}).stdout.split("\n\n")[1]
    assert max(map(len, table.splitlines())) <= 70 and len(table.splitlines()) > 2
    ctl("plan").exits(0).has("Nothing would be sent: mode observe.")


def test_requests_of_a_lock_that_was_extended(ctl, holdfast, cloud):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 5)))
    assert holdfast.once().exits(0).named("lock-extended")
    assert control(ctl("status", "--json").exits(0).json, "orders", "lock")["n_intents"] == 0


# The daemon over the bus

def test_over_the_bus(ctl, holdfast, cloud, bus):
    fleet(holdfast, cloud)
    daemon = holdfast.start()
    wait_until(lambda: all_looked_at(ctl), what="all looked at")
    document = ctl.bus("status", "--json").exits(2).json
    assert document["daemon"]["running"] and document["daemon"]["mode"] == "enforce"
    assert document["counts"] == {"instances": 3, "controls": 4, "compliant": 2, "violated": 1, "unknown": 1}
    lock = control(document, "customers", "lock")
    assert lock["failure"] == "not-permitted" and lock["failure_code"] == "DBS.200010" and lock["failure_http_status"] == 403
    assert lock["failure_request_id"].startswith("req-") and lock["next_look"]

    done = ctl.bus("status").exits(2).has("● holdfastd ", "Credentials: environment", "customers")
    assert not done.stderr
    ctl.bus("why", "customers").exits(2).has("not-permitted", "HTTP 403", "holdfastctl iam-policy", "Whoever administers the account's permissions")
    ctl.bus("status", "order").exits(0).has("orders: taurusdb")
    ctl.bus("status", "nobody").exits(4).complains("no such instance")

    n = len(cloud.log)
    ctl.bus("reconcile", "orders").exits(0).has("2 controls are looked at now")
    wait_until(lambda: len(cloud.log) >= n + 2, what="the look that was asked for")
    ctl.bus("reconcile", "*").exits(0).has("4 controls are looked at now")
    ctl.bus("reconcile", "orders", "nobody").exits(4)

    holdfast.encryption("billing")
    ctl.bus("reload").exits(0)
    assert control(ctl.bus("status", "--json").json, "billing", "encryption")["file"] == "billing.yaml"
    holdfast.policy("broken", "service: nothing\n")
    ctl.bus("reload").exits(2).complains("1 policy was rejected")
    assert ctl.bus("--json", "reload").exits(2).json == {"rejected": 1}
    assert "rejected at the reload" not in ctl.bus("status").stdout
    holdfast.config.write_text("nonsense: 1\n")
    ctl.bus("reload").exits(1)
    ctl.bus("status").exits(2).has("holdfast.yaml was rejected at the reload of ", "the one before is in force")
    assert ctl.bus("--json", "status").exits(2).json["daemon"]["settings_rejected"] is True
    assert ctl.bus("--json", "status").exits(2).json["daemon"]["asked"] is True

    daemon.drain()      # it waits for its service manager to read
    holdfast.write()
    (holdfast.instances / "broken.yaml").unlink()
    ctl.bus("reload").exits(0)
    assert ctl.bus("--json", "status").json["daemon"]["policies_rejected"] is False
    holdfast.instances.rename(holdfast.folder / "elsewhere")
    holdfast.instances.write_text("no folder\n")
    ctl.bus("reload").exits(1).complains("Not a directory")
    ctl.bus("status").exits(2).has("The policies could not be read at the reload of ", "those of before are in force")
    assert ctl.bus("--json", "status").exits(2).json["daemon"]["policies_rejected"] is True
    holdfast.instances.unlink()
    (holdfast.folder / "elsewhere").rename(holdfast.instances)
    ctl.bus("reload").exits(0)
    assert "The policies could not be read" not in ctl.bus("status").stdout
    assert daemon.stop() == 0
    ctl.bus("reload").exits(69).complains("holdfastd is not running")


def test_thaw_over_the_bus(ctl, holdfast, cloud, bus):
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 23.5))).lock
    daemon = holdfast.start()
    daemon.wait_event("compliant")
    with cloud.lock:
        lock.end -= 15 * DAY
    ctl.bus("reconcile", "orders").exits(0)
    daemon.wait_event("lock-frozen")
    ctl.bus("status").exits(2).has("Lock writes to", "are frozen")
    ctl.bus("why", "orders").exits(2).has("An administrator must find out what happened", "holdfastctl thaw")
    ctl.bus("thaw", "https://elsewhere.example").exits(4)
    assert ctl.bus("thaw", cloud.origin("taurusdb").replace("http", "HTTP", 1) + "/").exits(0).stdout == "1 endpoint thawed\n"
    daemon.wait_event("lock-thawed")
    assert ctl.bus("thaw", "--json").exits(0).json == {"thawed": 0}
    assert daemon.stop() == 0


def test_without_a_bus(ctl, holdfast, cloud):
    holdfast.encryption("orders")
    daemon = holdfast.start()
    ctl.bus("reconcile", "orders", env={"DBUS_SYSTEM_BUS_ADDRESS": NO_BUS}).exits(69)
    ctl("thaw").exits(1).complains("holdfastd is running")
    wait_until(lambda: ctl("status").rc == 0, what="the state while the daemon runs")
    done = ctl("status").complains("holdfastd is running, but the files were asked and not it").has("holdfastd is running, but was not asked")
    assert "not running" not in done.stdout + done.stderr
    ctl("why", "orders").exits(0).has("Nobody.")
    daemon_said = ctl("status", "--json").exits(0).json["daemon"]
    assert daemon_said["running"] is True and daemon_said["asked"] is False
    assert daemon.stop() == 0
    assert ctl("status", "--json").exits(0).json["daemon"]["running"] is False
    ctl("status").complains("The files were asked, and not the daemon")


def altered(holdfast, **columns):
    """As if the daemon had stored something else before it stopped."""
    with sqlite3.connect(holdfast.state / "holdfast.db") as db:
        for column, value in columns.items():
            db.execute(f"UPDATE control SET {column} = {column} + ?", (value,))
    db.close()


def test_what_was_left_grows_old(ctl, holdfast, cloud):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 23.4)))
    holdfast.once().exits(0)
    ctl("status").exits(0)
    altered(holdfast, looked_at=-3 * DAY * 1_000_000)
    ctl("status").exits(2).has("1 unknown", "nobody has looked since", "then it was compliant")
    ctl("why", "orders").exits(2).has("lock is unknown", "nobody has looked since")
    lock = control(ctl("--json", "status").exits(2).json, "orders", "lock")
    assert (lock["verdict"], lock["last_verdict"]) == ("unknown", "compliant") and lock["unknown_since"]


def test_lock_that_nobody_extends(ctl, holdfast, cloud):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 7.01)))
    holdfast.once().exits(0)
    ctl("status").exits(0)
    altered(holdfast, looked_at=-1800 * 1_000_000, lock_end=-1200 * 1_000_000)
    ctl("status").exits(2).has("1 unknown", "nobody has looked since")
    altered(holdfast, lock_end=-8 * DAY * 1_000_000)
    ctl("status").exits(2).has("1 violated", "the compliance lock ended at ")
    ctl("why", "orders").exits(2).has("lock is violated", "the compliance lock ended at ")
    lock = control(ctl("--json", "status").exits(2).json, "orders", "lock")
    assert lock["verdict"] == "violated" and lock["since"] == lock["lock_end"]


def test_thaw_makes_and_breaks_no_state(ctl, holdfast, cloud):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 23.4)))
    holdfast.write()
    ctl("thaw").exits(1).complains("there is no state")
    assert not list(holdfast.state.iterdir()), "nothing is made where there is nothing"
    missing = str(holdfast.folder / "missing")
    ctl.bus("--state", missing, "thaw").exits(1).complains("there is no state")
    ctl.bus("--state", missing, "--config", missing, "status").exits(1)
    ctl.bus("--state", missing, "history").exits(1)

    holdfast.once().exits(0)
    ctl("thaw", "https://elsewhere.example").exits(4).complains("no such endpoint")
    ctl("thaw", cloud.origin("taurusdb").upper() + "/").exits(0).has("0 endpoints thawed")
    database = holdfast.state / "holdfast.db"
    if os.geteuid() == 0:
        (holdfast.state / "holdfast.lock").unlink()
        os.chown(database, 12345, 12345)
        ctl("thaw").exits(0)
        assert {(p.stat().st_uid, p.stat().st_gid) for p in holdfast.state.iterdir()} == {(12345, 12345)}
        os.chown(database, 0, 0)
    database.write_bytes(b"no database at all" * 1000)
    before = {p.name: p.stat().st_mtime_ns for p in holdfast.state.iterdir()}
    ctl("thaw").exits(1).complains("damaged")
    assert before == {p.name: p.stat().st_mtime_ns for p in holdfast.state.iterdir()}


def test_against_something_else_on_the_bus(ctl, holdfast, cloud, bus):
    """Nobody has the name: that is no daemon, and no reason to wait for one."""
    ctl.bus("reload", timeout=10).exits(69)


# Usage

@pytest.mark.parametrize("args", [
    ("--no-such-option",), ("stray",), ("status", "--no-such-option"), ("status", "--verdict", "good"), ("why",), ("reconcile",), ("log",),
    ("reload", "x"), ("check", "x"), ("thaw", "a", "b"), ("thaw", "--x"), ("schema", "x"), ("schema", "settings", "x"), ("iam-policy", "x"),
    ("iam-policy", "--part", "x"), ("history", "--lines", "0"), ("history", "-n", "9x"), ("history", "--since", "yesterday"), ("plan", "--x"),
    ("--color", "blue"), ("--color",), ("--json=yes",), ("why", "--x", "orders"), ("--config",), ("--config=", "check"), ("--", "--json")])
def test_wrong_usage(ctl, args):
    done = ctl(*args, files=False).exits(64)
    assert not done.stdout
    assert done.stderr.startswith("holdfastctl: ") and done.stderr.count("Try 'holdfastctl --help'.\n") == 1


def test_verb_behind_dashes(ctl, holdfast):
    holdfast.write()
    ctl("--", "status").exits(0)
    ctl("--").exits(0)


@pytest.mark.parametrize("args", [("--help",), ("help",), ("--version",), ("schema",), ("--json", "status"), ("status",), ("check",)])
def test_full_disk(ctl, holdfast, args):
    holdfast.write()
    with open("/dev/full", "w") as full:
        done = subprocess.run([ctl.binary, "--config", str(holdfast.config), "--state", str(holdfast.state), *args], stdout=full,
                              stderr=subprocess.PIPE, env=holdfast.environment(), timeout=30)
    assert done.returncode == 1 and b"holdfastctl: stdout: " in done.stderr


def test_output_that_nobody_reads(ctl, holdfast, cloud):
    holdfast.encryption("orders")
    holdfast.write()
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([ctl.binary, "--config", str(holdfast.config), "--state", str(holdfast.state), "status"], stdout=write,
                          stderr=subprocess.PIPE, env=holdfast.environment(), timeout=30)
    os.close(write)
    assert done.returncode == 2 and not SANITIZER.search(done.stderr.decode())
    with open("/dev/full", "w") as full:
        done = subprocess.run([ctl.binary, "--config", str(holdfast.config), "--state", str(holdfast.state), "status"], stdout=full,
                              stderr=subprocess.PIPE, env=holdfast.environment(), timeout=30)
    assert done.returncode == 1 and b"No space left" in done.stderr


def on_a_terminal(ctl, *args, **env):
    """What is shown on a terminal of 80 columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [ctl.binary, "--config", str(ctl.holdfast.config), "--state", str(ctl.holdfast.state), *args], stdin=subprocess.DEVNULL, stdout=follower,
        stderr=subprocess.PIPE, env=ctl.holdfast.environment() | {"LANG": "C.UTF-8", "TERM": "xterm"} | env)
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:         # how a terminal ends
            break
        if not part:
            break
        shown += part
    os.close(leader)
    stderr = process.communicate(timeout=30)[1].decode()
    assert not SANITIZER.search(stderr), stderr
    return process.returncode, shown.decode().replace("\r\n", "\n")


def test_on_a_terminal(ctl, holdfast, cloud):
    fleet(holdfast, cloud)
    holdfast.once().exits(3)
    rc, shown = on_a_terminal(ctl, "status", "--no-pager")
    assert rc == 2 and "\x1b[1;31mviolated\x1b[0m" in shown
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert all(len(line) <= 80 for line in lines), shown
    assert "Policy doesn't allow" in " ".join(re.sub(r"\x1b\[[0-9;]*m", "", shown).split())
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"SYSTEMD_COLORS": "0"}):
        assert "\x1b[" not in on_a_terminal(ctl, "status", "--no-pager", **env)[1], env


def test_pager(ctl, holdfast, cloud):
    fleet(holdfast, cloud)
    paged = {"SYSTEMD_PAGER": "sed s/^/paged:/", "SYSTEMD_PAGERSECURE": "0"}
    rc, shown = on_a_terminal(ctl, "status", **paged)
    assert rc == 2 and all(line.startswith("paged:") for line in shown.splitlines()), shown
    assert "paged:" in on_a_terminal(ctl, "status", **paged | {"SYSTEMD_PAGER": "true; sed s/^/paged:/"})[1]
    # Who goes early has seen enough.
    assert on_a_terminal(ctl, "status", **paged | {"SYSTEMD_PAGER": "true"})[0] == 2
    for env in ({"SYSTEMD_PAGER": ""}, {"SYSTEMD_PAGER": "cat"}):
        assert "paged:" not in on_a_terminal(ctl, "status", **paged | env)[1]
    # Other rights than the session's are handed to no command of the environment's.
    assert "paged:" not in on_a_terminal(ctl, "status", **paged | {"SYSTEMD_PAGERSECURE": "1", "SYSTEMD_LESS": "FRXE"})[1]
    assert "paged:" not in on_a_terminal(ctl, "status", "--json", **paged)[1]


def test_log(ctl, tmp_path):
    """What is asked of journalctl; the journal of this host is none of the test's business."""
    folder = tmp_path / "bin"
    folder.mkdir()
    fake = folder / "journalctl"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    fake.chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = ctl("log", "orders", "-p", "err", "--since", "-1h", "--json", files=False, env=env).exits(7)
    assert done.stdout.split() == ["--unit=holdfast.service", "--no-pager", "HOLDFAST_NAME=orders", "-p", "err", "--since", "-1h", "--json"]
    done = ctl("--json", "log", "a; rm -rf b", files=False, env=env)
    assert done.stdout.splitlines() == ["--unit=holdfast.service", "--output=json", "--no-pager", "HOLDFAST_NAME=a; rm -rf b"]
    ctl("log", "orders", files=False, env={"PATH": "/nonexistent"}).exits(1).complains("journalctl")


# What the documents show

def man_examples():
    text = (SOURCE / "man/holdfastctl.1").read_text()
    for block in re.findall(r"^\.EX\n(.*?)^\.EE", text, re.S | re.M):
        for line in block.replace(r"\-", "-").replace(r"\(aq", "'").splitlines():
            assert line.startswith("holdfastctl "), line
            yield line


def test_manual_has_every_verb():
    shown = {line.split()[1] for line in man_examples()}
    assert shown >= set(VERBS) - {"help"}


def test_manual_has_every_key(ctl, holdfast, cloud, bus):
    fleet(holdfast, cloud)
    daemon = holdfast.start()
    document = ctl.bus("status", "--json").json
    assert daemon.stop() == 0
    section = re.search(r"^\.SH JSON$(.*?)^\.SH ", (SOURCE / "man/holdfastctl.1").read_text(), re.S | re.M)[1]
    tables = [re.findall(r"^(\w+)\tT\{$", table, re.M) for table in re.findall(r"^\.TS$(.*?)^\.TE$", section, re.S | re.M)]
    assert tables[0] == list(document["controls"][0])
    assert tables[1] == list(document["endpoints"][0])


def test_manual_examples(ctl, holdfast, cloud, bus, tmp_path):
    """Each example of the manual works as it stands."""
    fleet(holdfast, cloud)
    daemon = holdfast.start()
    wait_until(lambda: all_looked_at(ctl), what="all looked at")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "journalctl").write_text("#!/bin/sh\nexit 0\n")
    (folder / "journalctl").chmod(0o755)
    # On an installed host these are the defaults.
    files = {"plan", "rehearse", "check", "iam-policy", "history"}
    (folder / "holdfastctl").write_text(
        f'#!/bin/sh\ncase $1 in {"|".join(sorted(files))})\n'
        f'exec "{ctl.binary}" --config "{holdfast.config}" --state "{holdfast.state}" "$@" ;;\nesac\nexec "{ctl.binary}" "$@"\n')
    (folder / "holdfastctl").chmod(0o755)
    env = holdfast.environment() | {"PATH": f"{folder}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    n = 0
    for line in man_examples():
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=120, cwd=tmp_path, env=env)
        assert done.returncode in (0, 2), f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert not SANITIZER.search(done.stderr)
        n += 1
    assert n >= 12
    assert daemon.stop() == 0


def plain(text):
    """What differs from run to run, made the same."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r"https://[\w.:-]+", "URL", text)
    text = re.sub(r"request [\w-]+", "request ID", text)
    text = re.sub(r"\b(in )?\d+ (d|h|min|s)( \d+ (h|min|s))?( ago)?\b|\bnow\b", "SPAN", text)
    text = re.sub(r"[█░]+", "BAR", text)
    text = re.sub(r"[0-9a-f]{32}(in07)?", "INSTANCE", text)
    return re.sub(r"\bin \d+ polls\b", "in N polls", text)


def readme_blocks():
    text = (SOURCE / "README.md").read_text()
    return dict(re.findall(r"^```\n\$ holdfastctl ([^\n]*)\n(.*?)^```", text, re.S | re.M))


def test_readme(ctl, holdfast, cloud, bus):
    fleet(holdfast, cloud)
    daemon = holdfast.start()
    wait_until(lambda: all_looked_at(ctl), what="all looked at")
    blocks = readme_blocks()
    assert set(blocks) == {"status", "why customers"}
    for line, shown in blocks.items():
        real = ctl.bus(*line.split()).exits(2).stdout
        # How often it was polled shows from the second time on.
        assert plain(shown).replace(", in N polls", "") == plain(real).replace(", in N polls", ""), f"holdfastctl {line} looks otherwise now:\n{real}"
    assert daemon.stop() == 0


def test_completions(ctl, holdfast, cloud, tmp_path):
    """Every verb is known to both shells, and bash completes what is in the policies."""
    folder = SOURCE / "src/ctl/completions"
    help_text = ctl("help", files=False).exits(0).stdout
    assert set(re.findall(r"^  ([a-z][a-z-]*)  ", help_text, re.M)) == set(VERBS)
    for name in ("holdfastctl.bash", "_holdfastctl"):
        text = (folder / name).read_text()
        for verb in VERBS:
            assert re.search(rf"(?<![\w-]){verb}(?![\w-])", text), f"{name} does not know {verb}"

    holdfast.encryption("orders")
    holdfast.encryption("ledger")
    holdfast.write()

    def complete(*words):
        script = (f'. "{folder}/holdfastctl.bash"; COMP_WORDS=("$@"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _holdfastctl; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, "bash", ctl.binary, *words], capture_output=True, text=True, timeout=60,
                              env=holdfast.environment())
        assert not done.stderr, done.stderr
        return done.stdout.split()

    assert complete("re") == ["rehearse", "reconcile", "reload"]
    assert complete("--config", str(holdfast.config), "--state", str(holdfast.state), "why", "") == ["ledger", "orders"]
    assert complete("status", "--verdict", "v") == ["violated"]
    assert complete("iam-policy", "--p") == ["--part"]
    assert complete("schema", "s") == ["settings"]
