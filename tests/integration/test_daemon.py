# SPDX-License-Identifier: Apache-2.0
"""The process: service manager, signals, reload, state."""

import os
import signal
import sqlite3
import subprocess
import time

import pytest

from harness import wait_until
from services import DAY



def held(cloud, since, remains):
    now = cloud.now()
    return {"start": now - since * DAY, "end": now + remains * DAY}


def execute(database, *statements):
    db = sqlite3.connect(database)
    with db:
        for statement in statements:
            db.execute(statement)
    db.close()


# The service manager

def test_ready_status_stopping(holdfast):
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    daemon.wait_notify("STATUS=")
    assert daemon.stop() == 0
    daemon.wait_notify("STOPPING=1")
    assert daemon.drain().count("READY=1") == 1
    out = daemon.output
    out.one("started"), out.one("stopping")
    assert not out.noise, out.noise


def test_status_line_follows_what_happens(holdfast):
    instance = holdfast.encryption("orders", key=None, poll="1s")
    daemon = holdfast.start()
    seen = daemon.wait_notify("STATUS=1 control: 1 compliant")
    time.sleep(3)               # nothing happens that is to be told
    for shown, status in (("off", "STATUS=1 control: 0 compliant, 1 violated"), ("on", "STATUS=1 control: 1 compliant")):
        instance.encryption = shown
        seen = daemon.wait_notify(status, after=seen)
    assert sum(line.startswith("STATUS=") for line in daemon.notified) <= 5     # of READY=1, and one each


def test_watchdog(holdfast):
    holdfast.encryption("orders")
    daemon = holdfast.start(env={"WATCHDOG_USEC": "1000000"})
    end = daemon.wait_notify("WATCHDOG=1", timeout=3)
    daemon.wait_notify("WATCHDOG=1", timeout=3, after=end)


def test_no_watchdog_unasked(holdfast):
    holdfast.encryption("orders")
    daemon = holdfast.start()
    time.sleep(1.5)
    assert "WATCHDOG=1" not in daemon.drain()


def test_runs_without_a_service_manager(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start(ready=False, env={"NOTIFY_SOCKET": ""})
    cloud.wait_for(2)
    assert daemon.stop() == 0


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it(holdfast, by):
    holdfast.encryption("orders")
    daemon = holdfast.start()
    assert daemon.stop(by) == 0
    daemon.output.one("stopping")


def test_stop_waits_for_what_is_under_way(holdfast, cloud):
    """The write that was sent is heard out, and what it did is written down."""
    instance = holdfast.lock("orders")
    cloud.fault(method="PUT", delay=2)
    daemon = holdfast.start()
    cloud.wait_for(1, method="PUT")
    started = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - started >= 1
    assert instance.lock.end
    result = holdfast.once().exits(0)
    assert len(cloud.writes) == 1 and not result.noise


def test_stop_does_not_wait_for_ever(holdfast, cloud):
    holdfast.configure(http={"timeout": "60s"})
    holdfast.lock("orders")
    cloud.fault(delay=25)
    daemon = holdfast.start()
    cloud.wait_for(1)
    started = time.monotonic()
    assert daemon.stop(timeout=14) == 0
    assert time.monotonic() - started <= 12


def test_no_policies_is_a_quiet_life(holdfast, cloud):
    daemon = holdfast.start()
    time.sleep(1)
    assert daemon.stop() == 0 and not cloud.log


def test_polls(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    found = cloud.wait_for(5)
    gaps = [b.at - a.at for a, b in zip(found, found[1:])]
    assert all(0.5 <= g <= 2.5 for g in gaps), gaps
    daemon.stop()
    assert len(daemon.output.named("compliant")) == 1


def test_drift_while_running(holdfast, cloud):
    """Noticed within one poll, put back, and the second time as well."""
    instance = holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("compliant")
    for i in (1, 2):
        with cloud.lock:
            instance.encryption = "off"
        daemon.wait_event("remediated", n=i, timeout=5)
        assert instance.encryption == "on"
    assert len(daemon.output.named("drift")) == 2


def test_locks_are_looked_at_first(holdfast, cloud):
    """The first round is spread over the poll, except for locks."""
    for i in range(10):
        holdfast.encryption(f"plain{i}", poll="1h")
        holdfast.lock(f"vault{i}", cloud.add_taurus(f"vault{i}", lock=held(cloud, 1, 20)))
    holdfast.start()
    cloud.wait_for(10, path="vault-lock", timeout=8)
    time.sleep(1)
    assert len(cloud.requests(path="encryption")) <= 2


# Reload

def test_reload_new_policy(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    new = holdfast.lock("vault")
    time.sleep(1.2)
    assert not new.lock.puts, "only a reload brings it into force"
    daemon.reload()
    daemon.wait_event("lock-enabled", name="vault")
    assert daemon.output.one("reloaded")["PRIORITY"] in (5, "5")


def test_reload_changed_policy(holdfast, cloud):
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"), key=None, poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("drift")
    holdfast.encryption("orders", instance, poll="1s")
    daemon.reload()
    daemon.wait_event("remediated")
    assert instance.encryption == "on"


def test_reload_removed_policy(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    gone = holdfast.encryption("gone", poll="1s")
    daemon = holdfast.start()
    cloud.wait_for(2, path=gone.id)
    (holdfast.instances / "gone.yaml").unlink()
    daemon.reload()
    event = daemon.wait_event("policy-removed", name="gone")
    assert int(event["PRIORITY"]) == 5
    time.sleep(0.3)
    n, m = len(cloud.requests(path=gone.id)), len(cloud.log)
    cloud.wait_for(m + 2)
    assert len(cloud.requests(path=gone.id)) == n


def test_reload_control_taken_out(holdfast, cloud):
    instance = cloud.add_taurus("orders")
    both = f"service: taurusdb\ninstance_id: {instance.id}\nencryption: {{expect: on, poll: 1s}}\n"
    holdfast.policy("orders", both + "lock: {retention_days: 30, renew_before: 7d, poll: 1h}\n")
    daemon = holdfast.start()
    daemon.wait_event("lock-enabled", name="orders")
    holdfast.policy("orders", both)
    daemon.reload()
    event = daemon.wait_event("policy-removed", name="orders")
    assert event["HOLDFAST_CONTROL"] == "lock" and event["HOLDFAST_INSTANCE"] == instance.id
    daemon.output.one("policy-removed")


def test_reload_renamed_policy_has_lost_nothing(holdfast, cloud):
    instance = holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("compliant", name="orders")
    (holdfast.instances / "orders.yaml").unlink()
    holdfast.encryption("shop", instance, poll="1s")
    daemon.reload()
    with cloud.lock:
        instance.encryption = "off"
    daemon.wait_event("remediated", name="shop")
    daemon.output.none("policy-removed")


def test_observe_holds_for_a_policy_that_cannot_be_read_anew(holdfast, cloud):
    instance = holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("compliant", name="orders")
    holdfast.policy("orders", "service: taurusdb\nencryption: [")
    holdfast.configure(mode="observe").write()
    daemon.reload()
    daemon.wait_event("policy-rejected")
    with cloud.lock:
        instance.encryption = "off"
    daemon.wait_event("drift", name="orders")
    time.sleep(1.5)
    assert instance.encryption == "off"
    holdfast.configure(mode="enforce").write()
    daemon.reload()
    daemon.wait_event("remediated", name="orders")


def test_policy_for_another_instance(holdfast, cloud):
    """The name stays, what it protected does not: that is said."""
    first = holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("compliant", name="orders")
    second = cloud.add_taurus("other")
    holdfast.encryption("orders", second, poll="1s")
    daemon.reload()
    event = daemon.wait_event("policy-removed", name="orders")
    assert event["HOLDFAST_INSTANCE"] == first.id


def test_reload_broken_policy_keeps_the_last_good_one(holdfast, cloud):
    instance = holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    cloud.wait_for(1, path=instance.id)
    holdfast.policy("orders", "service: taurusdb\nencryption: [")
    daemon.reload()
    event = daemon.wait_event("policy-rejected")
    assert event["HOLDFAST_FILE"].endswith("orders.yaml") and int(event["HOLDFAST_LINE"]) >= 2
    with cloud.lock:
        instance.encryption = "off"
    daemon.wait_event("remediated", timeout=5)
    daemon.output.none("policy-removed")
    holdfast.encryption("orders", instance, key=None, poll="1s")
    daemon.reload()
    with cloud.lock:
        instance.encryption = "off"
    time.sleep(2.5)
    assert instance.encryption == "off", "repaired, the new version is in force"


def test_reload_broken_settings_keeps_the_old_ones(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    holdfast.config.write_text("nonsense: [")
    daemon.reload()
    n = len(cloud.log)
    cloud.wait_for(n + 2)
    said = daemon.output.named("policy-rejected", file="holdfast.yaml")
    assert len(said) >= 2 and said == daemon.output.named("policy-rejected")
    assert said[-1]["MESSAGE"] == "holdfast.yaml is broken, the settings read before stay in force"
    assert daemon.stop() == 0


@pytest.mark.parametrize("named", [False, True])
def test_reload_without_the_folder_keeps_all(holdfast, cloud, named):
    orders = holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start(*(["--instances", str(holdfast.instances)] if named else []))
    daemon.wait_event("compliant")
    holdfast.instances.rename(holdfast.folder / "aside")
    daemon.reload()
    assert "o such" in daemon.output.one("policy-rejected", file=holdfast.instances)["MESSAGE"]
    daemon.output.none("policy-removed", "reloaded")
    with cloud.lock:
        orders.encryption = "off"
    daemon.wait_event("remediated")
    (holdfast.folder / "aside").rename(holdfast.instances)
    (holdfast.instances / "orders.yaml").unlink()
    daemon.reload()
    daemon.output.one("policy-removed")


def test_reload_with_no_folder_yet(holdfast):
    holdfast.instances.rmdir()
    daemon = holdfast.start()
    daemon.reload()
    daemon.output.none("policy-rejected")


def test_reload_settings(holdfast, cloud):
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"), poll="1s")
    holdfast.configure(mode="observe")
    daemon = holdfast.start()
    daemon.wait_event("drift")
    time.sleep(1.2)
    assert instance.encryption == "off"
    holdfast.configure(mode="enforce")
    holdfast.write()
    daemon.reload()
    daemon.wait_event("remediated")


def test_reload_many_times(holdfast, cloud):
    for i in range(5):
        holdfast.encryption(f"orders{i}", poll="1s")
    daemon = holdfast.start()
    for i in range(10):
        holdfast.encryption(f"more{i % 3}", poll="1s")
        daemon.reload()
    assert len(daemon.output.named("reloaded")) == 10
    assert daemon.stop() == 0


def test_storm_of_signals(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    for _ in range(100):
        daemon.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    n = len(cloud.log)
    cloud.wait_for(n + 2)
    daemon.drain()
    last = [line for line in daemon.notified if line in ("READY=1", "RELOADING=1")][-1]
    assert last == "READY=1", "a reload is always followed by ready"
    assert daemon.stop() == 0


def test_signal_during_a_reload(holdfast, cloud):
    """It may have read what has changed since, so it is done once more."""
    holdfast.many(3000)
    daemon = holdfast.start()
    daemon.drain()
    after = len(daemon.notified)
    daemon.process.send_signal(signal.SIGHUP)
    begun = daemon.wait_notify("RELOADING=1", after=after)
    holdfast.encryption("one-more", poll="1h")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.process.send_signal(signal.SIGHUP)
    ended = daemon.wait_notify("READY=1", after=daemon.wait_notify("RELOADING=1", after=daemon.wait_notify("READY=1", after=begun)))
    time.sleep(0.5)
    daemon.drain()
    assert "RELOADING=1" not in daemon.notified[ended:]
    said = [e["MESSAGE"] for e in daemon.output.named("reloaded")]
    assert len(said) == 2 and "3001 policies" in said[1]
    assert daemon.stop() == 0


def test_stop_during_a_reload(holdfast, cloud):
    holdfast.many(3000)
    daemon = holdfast.start()
    daemon.drain()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_notify("RELOADING=1", after=len(daemon.notified))
    assert daemon.stop() == 0
    daemon.output.none("reloaded")


def test_nobody_reads_the_log(holdfast, cloud):
    """A full pipe on stderr holds nothing up."""
    for i in range(800):
        holdfast.policy(f"broken{i}", "service: nonsense")
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"), poll="1s")
    holdfast.write()
    process = subprocess.Popen(holdfast.command(), env=holdfast.environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=holdfast.folder)
    try:
        wait_until(lambda: instance.encryption == "on", 15, "encryption switched on")
        n = len(cloud.log)
        cloud.wait_for(n + 2)
        process.terminate()
        assert process.wait(12) == 0
    finally:
        process.kill()
        process.stderr.close()
        process.wait()


def test_reload_while_a_request_is_under_way(holdfast, cloud):
    """The policy of an answer that is still to come is gone, or another."""
    instance = holdfast.encryption("orders", poll="1s")
    cloud.fault(delay=1.5, path=instance.id)
    daemon = holdfast.start()
    cloud.wait_for(1)
    (holdfast.instances / "orders.yaml").unlink()
    daemon.reload()
    time.sleep(2)
    holdfast.encryption("orders", instance, poll="1s")
    daemon.reload()
    cloud.wait_for(2)
    assert daemon.stop() == 0


def test_unchanged_policies_are_not_looked_at_again(holdfast, cloud):
    """Ten reloads do not make ten rounds."""
    holdfast.lock("vault", cloud.add_taurus("vault", lock=held(cloud, 1, 20)))
    daemon = holdfast.start()
    daemon.wait_event("compliant")
    for _ in range(5):
        daemon.reload()
    time.sleep(1)
    assert len(cloud.log) <= 2


# State

def test_second_daemon_is_refused(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    cloud.wait_for(1)
    result = holdfast.once(timeout=15)
    assert result.rc == 1 and str(holdfast.state) in result.stderr
    assert daemon.stop() == 0
    holdfast.once().exits(0)


def test_state_survives_kill(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("compliant")
    time.sleep(0.5)
    daemon.kill()
    holdfast.once().exits(0).none("compliant", "drift")


@pytest.mark.parametrize("content", [b"", b"this is no database" * 300, b"SQLite format 3\x00" + b"\xff" * 8000],
                         ids=["empty", "text", "damaged"])
def test_broken_database_is_set_aside(holdfast, cloud, content):
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    broken = holdfast.state / "holdfast.db"
    broken.write_bytes(content)
    result = holdfast.once().exits(0)
    aside = [p for p in holdfast.state.iterdir() if content and p.is_file() and p.read_bytes() == content]
    if content:
        assert aside and aside[0].name != "holdfast.db"
        assert aside[0].name in result.stderr, "it is said"
    assert broken.read_bytes()[:15] == b"SQLite format 3"


def test_database_damaged_in_the_middle(holdfast, cloud):
    """Written over after a good run: set aside, rebuilt from what the cloud reports, and no lock is added to."""
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1, 3.5), reading="added")).lock
    holdfast.once().exits(0)
    for path in holdfast.state.iterdir():
        path.write_bytes(b"\x5a" * path.stat().st_size)
    holdfast.once().exits(0)
    assert len(lock.puts) == 1


def test_database_of_a_newer_version(holdfast, cloud):
    """After a downgrade: neither read nor set aside, so that a freeze in it still holds when it can be read again."""
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1, 3.5), reading="added")).lock
    database = holdfast.state / "holdfast.db"
    holdfast.once("--observe").exits(3)
    execute(database, "INSERT OR REPLACE INTO endpoint SELECT origin, service, readings, 1, 1, 'for a test', 1, 1 FROM "
                      f"(SELECT '{cloud.origin('taurusdb')}' AS origin, 'taurusdb' AS service, '' AS readings)",
            "PRAGMA user_version = 7")
    before, n_reads = database.read_bytes(), len(cloud.requests("taurusdb", "GET", "vault-lock"))
    result = holdfast.once().exits(1)
    message = result.named("state-failing")[0]["MESSAGE"]
    assert "is of version 7, and this program knows up to version" in message and "install that one again" in message
    result.none("state-reset")
    assert len(cloud.requests("taurusdb", "GET", "vault-lock")) > n_reads, "it is looked at all the same"
    assert database.read_bytes() == before and not lock.puts

    execute(database, "PRAGMA user_version = 2")
    holdfast.once().exits(3).one("lock-frozen")
    assert not lock.puts


def test_state_folder_is_missing(holdfast, cloud):
    holdfast.lock("orders")
    holdfast.state.rmdir()
    result = holdfast.once()
    if result.rc == 0:
        assert (holdfast.state / "holdfast.db").exists()
    else:
        assert not cloud.writes and str(holdfast.state) in result.stderr
    holdfast.state.mkdir(exist_ok=True)


def test_freeze_that_could_not_be_stored(holdfast, cloud):
    """It was found while there was no state folder, and nothing in the one that comes tells of it."""
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 2, 28)), poll="1s").lock
    holdfast.state.rmdir()
    holdfast.state.write_text("x")
    daemon = holdfast.start()
    daemon.wait_event("compliant")
    lock.end -= 25 * DAY
    daemon.wait_event("lock-frozen")
    holdfast.state.unlink()
    holdfast.state.mkdir()
    daemon.wait_event("state-recovered", timeout=60)
    time.sleep(3)
    daemon.stop()
    holdfast.once().exits(3).none("lock-extended")      # that it is frozen was said today
    assert not lock.puts


def test_state_that_cannot_be_stored_fails_once(holdfast, cloud):
    """All is as written, and yet it failed: what was seen is not kept."""
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="on"))
    holdfast.state.rmdir()
    holdfast.state.write_text("x")
    result = holdfast.once().exits(1)
    result.one("compliant")
    result.one("state-failing")


@pytest.mark.parametrize("kind", ["file", "database is a folder"])
def test_state_that_is_no_folder(holdfast, cloud, kind):
    holdfast.lock("orders")
    if kind == "file":
        holdfast.state.rmdir()
        holdfast.state.write_text("x")
    else:
        (holdfast.state / "holdfast.db").mkdir()
        (holdfast.state / "holdfast.db/x").write_text("x")
    result = holdfast.once().exits(1)
    assert not cloud.writes and "state" in result.stderr
    result.one("state-failing")


def run_without_state(holdfast, *arguments):
    holdfast.write()
    command = [a for a in holdfast.command(*arguments) if a not in ("--state", str(holdfast.state))]
    return subprocess.run(command, env=holdfast.environment(), capture_output=True, text=True, timeout=30, cwd=holdfast.folder)


@pytest.mark.parametrize("more", ["", ":/var/lib/other", ":"])
def test_state_directory_of_the_unit(holdfast, cloud, more):
    """$STATE_DIRECTORY where --state is not given; of several the first."""
    elsewhere = holdfast.folder / "unit"
    elsewhere.mkdir()
    holdfast.env["STATE_DIRECTORY"] = f"{elsewhere}{more}"
    holdfast.encryption("orders")
    assert run_without_state(holdfast, "--once").returncode == 0
    assert (elsewhere / "holdfast.db").exists() and not any(holdfast.state.iterdir())


@pytest.mark.parametrize("value", ["unit", ":/var/lib/other"])
def test_state_directory_that_is_relative(holdfast, cloud, value):
    holdfast.env["STATE_DIRECTORY"] = value
    result = run_without_state(holdfast, "--once")
    assert result.returncode == 2 and f"$STATE_DIRECTORY: found '{value}', expected an absolute path" in result.stderr
    holdfast.once().exits(0)


@pytest.fixture
def small_disk(holdfast):
    """The state folder on a disk of its own that a test can fill or make read-only."""
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(holdfast.state)], capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("needs the right to mount")
    yield holdfast.state
    for daemon in holdfast.running:
        daemon.kill()
    subprocess.run(["umount", str(holdfast.state)], check=True)


def fill(folder):
    for name, size in (("filler", 1 << 16), ("small", 1 << 9)):
        try:
            with open(folder / name, "wb", buffering=0) as f:
                while True:
                    f.write(b"\0" * size)
        except OSError:
            pass


def test_no_lock_write_on_a_full_disk(holdfast, cloud, small_disk):
    """The intent cannot be stored, so the request is not sent; once there is room, it is."""
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1, 20)), poll="1s").lock
    daemon = holdfast.start()
    daemon.wait_event("compliant")
    fill(small_disk)
    with cloud.lock:
        lock.start, lock.end = None, None
        instance = cloud.add_taurus("fresh")
    holdfast.lock("fresh", instance, poll="1s")
    (holdfast.instances / "orders.yaml").unlink()
    daemon.reload()
    cloud.wait_for(3, path=instance.id)
    time.sleep(1)
    assert not instance.lock.puts and not lock.puts
    assert daemon.process.poll() is None
    for name in ("filler", "small"):
        (small_disk / name).unlink(missing_ok=True)
    daemon.wait_event("lock-enabled", name="fresh")
    assert len(instance.lock.puts) == 1


def test_no_lock_write_on_a_read_only_disk(holdfast, cloud, small_disk):
    lock = holdfast.lock("orders", poll="1s").lock
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    result = holdfast.once(timeout=30).exits(1)
    assert not lock.puts
    result.one("state-failing")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    holdfast.once().exits(0)
    assert len(lock.puts) == 1


def test_full_disk_does_not_stop_the_looking(holdfast, cloud, small_disk):
    instance = holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("compliant")
    fill(small_disk)
    with cloud.lock:
        instance.encryption = "off"
    wait_until(lambda: instance.encryption == "on", 8, "encryption switched on")
    assert daemon.process.poll() is None


# Many

def test_a_thousand_policies(holdfast, cloud):
    """Spread over the poll: an even load, not a burst."""
    for i in range(1000):
        holdfast.encryption(f"orders{i:04}", poll="5s")
    holdfast.configure(http={"rate": "1000/s", "max_connections": 16})
    holdfast.start()
    cloud.wait_for(1000, timeout=40)
    first = min(r.at for r in cloud.log)
    early = [r for r in cloud.log if r.at < first + 1]
    assert len(early) < 600, f"{len(early)} of 1000 in the first second"
