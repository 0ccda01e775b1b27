# SPDX-License-Identifier: Apache-2.0
"""The control `lock` when answers get lost, lie, or come from a broken clock."""

import json
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest

from harness import program, wait_until
from services import DAY, READINGS, assert_requests


def held(cloud, since, remains):
    now = cloud.now()
    return {"start": now - since * DAY, "end": now + remains * DAY}


def methods(cloud):
    return [r.method for r in cloud.requests(path="vault-lock")]


def assert_read_before_each_write(cloud):
    said = methods(cloud)
    assert said[0] == "GET"
    for i, m in enumerate(said):
        assert m != "PUT" or said[i - 1] == "GET", f"a write without a look before it: {said}"


def token_login(holdfast, cloud):
    """By token, so that a clock that is off does not fail the signature."""
    cloud.iam.passwords["account", "user"] = "password-of-user"
    cloud.secrets.add("password-of-user")
    folder = holdfast.credential_files(password="password-of-user")
    holdfast.env = {"CREDENTIALS_DIRECTORY": str(folder)}
    holdfast.configure(credentials={"source": "password", "user_name": "user", "domain_name": "account"})


# Lost answers

LOST = {
    "closed before effect": {"close": True},
    "closed after effect": {"close": True, "effect": True},
    "500 before effect": {"status": 500, "body": {"error_code": "DBS.108000", "error_msg": "Server failure."}},
    "500 after effect": {"status": 500, "effect": True, "body": {"error_code": "DBS.108000", "error_msg": "Failure."}},
    "502 after effect": {"status": 502, "effect": True, "body": b"<html>Bad Gateway</html>"},
    "504 after effect": {"status": 504, "effect": True, "body": {"error_code": "APIGW.0203", "error_msg": "Late."}},
    "time-out after effect": {"close": True, "effect": True, "delay": 2.5},
    "429 before effect": {"status": 429, "body": {"error_code": "APIGW.0308", "error_msg": "Throttled."}},
    "409 before effect": {"status": 409, "body": {"error_code": "DBS.200019", "error_msg": "Another operation runs."}},
    "empty 200 after effect": {"status": 200, "effect": True, "body": b""},
    "odd 200 after effect": {"status": 200, "effect": True, "body": b'{"result": "perhaps"}'},
    "truncated after effect": {"truncate": True, "effect": True},
}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("lost", LOST)
def test_lost_answer_of_an_extension(holdfast, cloud, reading, lost):
    """The lock is read before anything else; nothing is ever added twice; in the end the target is reached."""
    holdfast.configure(http={"timeout": "1s"})
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), reading=reading)
    lock = holdfast.lock("orders", instance, poll="1s").lock
    cloud.fault(method="PUT", times=1, **LOST[lost])
    for _ in range(4):
        if holdfast.once().rc == 0:
            break
    assert_read_before_each_write(cloud)
    lock.assert_cap(31)
    lock.assert_requests(31)
    assert lock.remaining_days() >= 26.9
    if reading == "added":
        assert len(lock.ends) == 1, "added twice"


@pytest.mark.parametrize("lost", LOST)
def test_lost_answer_of_an_enabling(holdfast, cloud, lost):
    holdfast.configure(http={"timeout": "1s"})
    lock = holdfast.lock("orders", poll="1s").lock
    cloud.fault(method="PUT", times=1, **LOST[lost])
    for _ in range(4):
        if holdfast.once().rc == 0:
            break
    assert_read_before_each_write(cloud)
    assert lock.remaining_days() > 29.99 and len(lock.ends) == 1
    lock.assert_cap(31)


@pytest.mark.parametrize("lost", ["closed after effect", "504 after effect"])
def test_lost_answer_and_slow_read_back(holdfast, cloud, lost):
    """Carried out, answer lost, and the old end still shows: a second request would add twice."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 1.5, 3.5), reading="added", visible_after=3)
    lock = holdfast.lock("orders", instance, settle="1h").lock
    cloud.fault(method="PUT", times=1, **LOST[lost])
    for _ in range(5):
        holdfast.once()
    assert len(lock.ends) == 1
    lock.assert_cap(31)


def test_every_answer_lost(holdfast, cloud):
    """Each write is carried out and each answer lost: the cap holds all the same, and holdfast comes to know."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), reading="from-start")
    lock = holdfast.lock("orders", instance, poll="1s").lock
    cloud.fault(method="PUT", effect=True, close=True)
    for _ in range(6):
        if holdfast.once().rc == 0:
            break
    assert_read_before_each_write(cloud)
    lock.assert_cap(31)
    lock.assert_requests(31)


@pytest.mark.parametrize("lost", ["closed after effect", "504 after effect"])
def test_lost_enablings_count(holdfast, cloud, lost):
    """new_locks_per_day counts what may have been enabled, not what was acknowledged."""
    holdfast.configure(limits={"new_locks_per_day": 2})
    fleet = [holdfast.lock(f"orders{i}") for i in range(6)]
    cloud.fault(method="PUT", **LOST[lost])
    for _ in range(2):
        holdfast.once().exits(3)
    assert sum(i.lock.end is not None for i in fleet) <= 2


def changed(holdfast, instance, settle):
    holdfast.lock("orders", instance, settle=settle, poll="2s", retention_days=29, max_retention_days=31)


def renamed(holdfast, instance, settle):
    (holdfast.instances / "orders.yaml").unlink()
    holdfast.lock("another-name", instance, settle=settle, poll="1s")


def removed(holdfast, instance, settle):
    (holdfast.instances / "orders.yaml").unlink()


@pytest.mark.parametrize("settle", ["0s", "1h"])
@pytest.mark.parametrize("reload", [True, False], ids=["reload", "kill"])
@pytest.mark.parametrize("change", [changed, renamed, removed])
def test_policy_changes_while_the_answer_is_awaited(holdfast, cloud, change, reload, settle):
    """The request belongs to the instance, not to the policy: it is not forgotten with it, nor made twice."""
    late = settle != "0s"
    instance = cloud.add_taurus("orders", lock=held(cloud, 1.5, 3.5), reading="added", visible_after=2 if late else 0)
    lock = holdfast.lock("orders", instance, settle=settle, poll="1s").lock
    cloud.fault(method="PUT", effect=True, close=True, delay=1.5, times=1)
    daemon = holdfast.start()
    cloud.wait_for(1, method="PUT")
    change(holdfast, instance, settle)
    if reload:
        daemon.reload()
    else:
        daemon.kill()
    if change is removed:
        if not reload:
            holdfast.once()
        holdfast.lock("orders", instance, settle=settle, poll="1s")
        if reload:
            daemon.reload()
    if not reload:
        daemon = holdfast.start()
    n = len(cloud.requests(method="GET"))
    cloud.wait_for(n + 3, method="GET")
    assert len(lock.ends) == 1
    lock.assert_cap(31)


def test_last_end_outlives_the_policy(holdfast, cloud):
    """A lock that got shorter while no policy looked at it still freezes the endpoint."""
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 10, 20)), poll="1s").lock
    daemon = holdfast.start()
    daemon.wait_event("compliant")
    (holdfast.instances / "orders.yaml").unlink()
    daemon.reload()
    with cloud.lock:
        lock.end -= 15 * DAY
    holdfast.lock("orders", cloud.taurus[next(iter(cloud.taurus))], poll="1s")
    daemon.reload()
    daemon.wait_event("lock-frozen")
    assert not lock.puts


def test_clock_breaks_while_running(holdfast, cloud):
    token_login(holdfast, cloud)
    instance = cloud.add_taurus("orders", lock=held(cloud, 1.5, 20), reading="added")
    lock = holdfast.lock("orders", instance, poll="1s").lock
    daemon = holdfast.start()
    daemon.wait_event("compliant")
    with cloud.lock:
        cloud.skew = 17 * DAY
    daemon.wait_event("clock-skew")
    n = len(cloud.log)
    cloud.wait_for(n + 2)
    assert not lock.puts


# Effects that come late

@pytest.mark.parametrize("extension,days", [("auto", [27, 67]), ("added", [27])])
def test_one_climb_while_effects_are_awaited(holdfast, cloud, extension, days):
    """Accepted, and not to be seen for far longer than settle: nothing is asked for twice, over a restart neither, and it is said once."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 36.5, 3.5), ignore=True)
    lock = holdfast.lock("orders", instance, settle="1s", poll="1s", extension=extension).lock
    for _ in range(2):
        daemon = holdfast.start()
        cloud.wait_for(len(cloud.log) + 7, method="GET")
        assert len(daemon.output.named("remediation-failed")) <= 1
        assert daemon.stop() == 0
    assert lock.days_sent == days
    with closing(sqlite3.connect(holdfast.state / "holdfast.db")) as db:
        assert db.execute("SELECT count(*) FROM evidence WHERE what = 'remediation-failed'").fetchone() == (1,)


def test_enabled_once_while_the_effect_is_awaited(holdfast, cloud):
    lock = holdfast.lock("orders", cloud.add_taurus("orders", ignore=True), settle="1s", poll="1s").lock
    daemon = holdfast.start()
    cloud.wait_for(8, method="GET")
    assert daemon.stop() == 0
    assert len(lock.puts) == 1


def test_misstated_reading(holdfast, cloud):
    """Stated added, counted from now: the lock is short of the target, which is said; nothing that can only be refused is sent."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 26.5, 3.5), reading="from-now", shorten="refuse")
    lock = holdfast.lock("orders", instance, extension="added").lock
    refused = holdfast.once().exits(0).one("lock-refused")
    assert "added" in refused["MESSAGE"] and "from-now" in refused["MESSAGE"]
    assert lock.days_sent == [27]


# A cloud that lies

def shorten(lock, put):
    lock.end = put.at + 2 * DAY


def past_the_cap(lock, put):
    lock.end = put.at + 400 * DAY


def vanish(lock, put):
    lock.start = lock.end = None


def enable_far_too_long(lock, put):
    lock.start, lock.end, lock.days = put.at, put.at + 300 * DAY, 300


@pytest.mark.parametrize("lie", [shorten, past_the_cap, vanish])
def test_frozen_after_a_lie(holdfast, cloud, lie):
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), lie=lie)
    lock = holdfast.lock("orders", instance).lock
    result = holdfast.once().exits(3)
    assert int(result.one("lock-frozen")["PRIORITY"]) == 2
    assert len(lock.puts) == 1
    # Also for another instance of the endpoint, and after a restart.
    other = holdfast.lock("other")
    for _ in range(2):
        result = holdfast.once().exits(3)
    assert len(lock.puts) == 1 and not other.lock.puts
    result.none("lock-enabled", "lock-extended")


def test_frozen_when_enabling_lies(holdfast, cloud):
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lie=enable_far_too_long)).lock
    holdfast.once().exits(3).one("lock-frozen")
    holdfast.once().exits(3)
    assert len(lock.puts) == 1


def test_frozen_when_shortened_between_runs(holdfast, cloud):
    instance = cloud.add_taurus("orders", lock=held(cloud, 10, 20))
    lock = holdfast.lock("orders", instance).lock
    holdfast.once().exits(0)
    lock.end -= 15 * DAY
    result = holdfast.once().exits(3)
    assert result.one("lock-frozen")["HOLDFAST_NAME"] == "orders" and not lock.puts


def test_freeze_does_not_cross_endpoints(make_cloud, make_holdfast):
    one, two = make_cloud(), make_cloud()
    holdfast = make_holdfast(one)
    holdfast.lock("orders", one.add_taurus("orders", lock=held(one, 39.5, 3.5), lie=past_the_cap))
    holdfast.once().exits(3).one("lock-frozen")
    (holdfast.instances / "orders.yaml").unlink()
    holdfast.configure(endpoints={"taurusdb": two.origin("taurusdb")}, http={"ca_file": str(two.ca_file)})
    holdfast.env |= {"HUAWEICLOUD_SDK_AK": two.access, "HUAWEICLOUD_SDK_SK": two.secret}
    lock = holdfast.lock("others", two.add_taurus("others")).lock
    holdfast.once().exits(0)
    assert len(lock.puts) == 1


def test_freeze_leaves_other_controls_alone(holdfast, cloud):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), lie=past_the_cap))
    holdfast.once().exits(3)
    plain = holdfast.encryption("plain", cloud.add_taurus("plain", encryption="off"))
    holdfast.once().one("remediated", name="plain")
    assert plain.encryption == "on"


@pytest.fixture
def thaw(holdfast):
    """The administrator's word."""
    binary = program("HOLDFASTCTL")
    if binary is None:
        pytest.skip("HOLDFASTCTL does not name a program")

    def run(*arguments):
        return subprocess.run([binary, "--state", str(holdfast.state), "thaw", *arguments], capture_output=True,
                              text=True, timeout=15, env=holdfast.environment())

    return run


@pytest.mark.parametrize("named", [True, False])
def test_thawed(holdfast, cloud, thaw, named):
    """Frozen until an administrator says otherwise; then the lock is extended as if nothing had been."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), lie=shorten)
    lock = holdfast.lock("orders", instance).lock
    holdfast.once().exits(3).one("lock-frozen")
    lock.lie = None
    holdfast.once().exits(3)
    assert len(lock.puts) == 1
    done = thaw(*([cloud.origin("taurusdb")] if named else []))
    assert done.returncode == 0, done.stderr
    holdfast.once().exits(0).none("lock-frozen")
    assert lock.remaining_days() >= 29.99
    lock.assert_cap(31)


def test_thaw_forgets_what_was_learned(holdfast, cloud, thaw):
    """The cloud has changed its ways, the administrator states how: by their word on the endpoint the old ways are forgotten."""
    holdfast.lock("old", cloud.add_taurus("old", lock=held(cloud, 26.5, 3.5), reading="added"))
    holdfast.once().exits(0)
    instance = cloud.add_taurus("orders", lock=held(cloud, 26.5, 3.5), reading="from-start", shorten="refuse")
    lock = holdfast.lock("orders", instance).lock
    assert "holdfastctl thaw" in holdfast.once().exits(3).one("remediation-failed")["MESSAGE"]
    holdfast.lock("orders", instance, extension="from-start")
    n = len(lock.puts)
    assert "holdfastctl thaw" in holdfast.once().exits(3).one("lock-refused")["MESSAGE"]
    assert thaw().stdout == "0 endpoints thawed\n", "none is frozen, and none was named"
    holdfast.once().exits(3)
    assert len(lock.puts) == n
    assert thaw(cloud.origin("taurusdb")).stdout == "1 endpoint thawed\n"
    holdfast.once().exits(0)
    assert lock.remaining_days() >= 29.99
    lock.assert_cap(31)
    with closing(sqlite3.connect(holdfast.state / "holdfast.db")) as db:
        thawed = db.execute("SELECT service, detail FROM evidence WHERE what = 'lock-thawed'").fetchall()
    assert len(thawed) == 1 and thawed[0][0] == "taurusdb" and thawed[0][1].startswith(cloud.origin("taurusdb"))


def test_thaw_of_another_endpoint(holdfast, cloud, thaw):
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), lie=shorten)).lock
    holdfast.once().exits(3).one("lock-frozen")
    thaw("https://elsewhere.example.com")
    holdfast.once().exits(3)
    assert len(lock.puts) == 1


# Values that mean nothing

def info(**fields):
    return lambda body: {"backup_vaultlock_info": body["backup_vaultlock_info"] | fields}


def scaled(factor):
    def patch(body):
        i = body["backup_vaultlock_info"]
        return {"backup_vaultlock_info": i | {k: int(i[k] * factor) for k in ("lock_start_time", "lock_end_time")}}
    return patch


@pytest.mark.parametrize("patch", [
    scaled(1000), scaled(1e-6), scaled(1e-9), scaled(-1), scaled(1e6),
    info(lock_end_time="soon"), info(lock_end_time=None), info(lock_end_time=0), info(lock_end_time=1 << 70),
    info(lock_end_time=[1]), info(lock_end_time=True), info(lock_policy="yes"), info(lock_policy=None),
    info(lock_policy=1),
    info(lock_retention_days="many"), info(lock_retention_days=-3), info(lock_retention_days=99999),
    info(lock_start_time=4102444800000), info(lock_end_time="2026-13-45"),
    lambda body: {"backup_vault_lock_info": body["backup_vaultlock_info"]}, lambda body: {"unexpected": 1},
    lambda body: [body], lambda body: "locked", lambda body: {"backup_vaultlock_info": []},
    lambda body: {"backup_vaultlock_info": "none"},
], ids=["microseconds", "kiloseconds", "megaseconds", "negative", "nanoseconds", "end-text", "end-null", "end-zero",
        "end-beyond-64-bit", "end-list", "end-bool", "policy-text", "policy-null", "policy-number", "days-text",
        "days-negative", "days-beyond", "start-after-end", "end-calendar", "misspelt", "something-else", "list", "string", "info-list", "info-text"])
def test_unreadable_lock_is_unknown(holdfast, cloud, patch):
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5))).lock
    cloud.fault(method="GET", path="vault-lock", patch=patch)
    result = holdfast.once().exits(3)
    assert not lock.puts and not cloud.writes
    result.none("compliant", "drift", "lock-enabled", "lock-extended", "lock-lapsed")


def test_number_as_text_is_read(holdfast, cloud):
    """Numbers given as strings do occur."""
    def patch(body):
        i = body["backup_vaultlock_info"]
        return {"backup_vaultlock_info": i | {k: str(i[k]) for k in ("lock_start_time", "lock_end_time")}, "more": 1}

    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 10, 20)))
    cloud.fault(method="GET", path="vault-lock", patch=patch)
    holdfast.once().exits(0)
    assert not cloud.writes


def test_end_of_the_wrong_unit_after_our_write(holdfast, cloud):
    """The read-back cannot be understood: not remediated, nothing repeated."""
    lock = holdfast.lock("orders").lock
    cloud.fault(method="GET", path="vault-lock", skip=1, patch=scaled(1000))
    result = holdfast.once().exits(3)
    assert len(lock.puts) == 1
    result.none("lock-enabled")
    holdfast.once().exits(3)
    assert len(lock.puts) == 1


# Clocks

@pytest.mark.parametrize("skew", [20 * 60, -20 * 60])
def test_no_lock_write_with_a_clock_that_is_off(holdfast, cloud, skew):
    cloud.skew = skew
    token_login(holdfast, cloud)
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5))).lock
    fresh = holdfast.lock("fresh").lock
    result = holdfast.once().exits(3)
    assert not lock.puts and not fresh.puts
    assert result.named("clock-skew") and int(result.named("clock-skew")[0]["PRIORITY"]) == 3
    cloud.skew = 0
    holdfast.once().exits(0)
    assert lock.puts and fresh.puts


def test_small_skew_is_said_and_lived_with(holdfast, cloud):
    cloud.skew = 7 * 60
    lock = holdfast.lock("orders").lock
    result = holdfast.once().exits(0)
    assert result.named("clock-skew") and len(lock.puts) == 1


@pytest.mark.parametrize("skew,remains,n_writes", [(600, 7 * DAY + 300, 0), (-600, 7 * DAY - 300, 1)])
def test_now_is_what_the_cloud_says(holdfast, cloud, skew, remains, n_writes):
    """Ten minutes off, both ways: whether less than renew_before remains is judged by the answer's Date."""
    cloud.skew = skew
    now = cloud.now()
    instance = cloud.add_taurus("orders", lock={"start": now - 30 * DAY, "end": now + remains}, reading="added")
    holdfast.lock("orders", instance)
    holdfast.once().exits(0)
    assert len(cloud.writes) == n_writes


def test_no_date_no_write(holdfast, cloud):
    """An answer without a readable Date says nothing about now."""
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5))).lock
    cloud.date = "yesterday"
    holdfast.once().exits(3)
    assert not lock.puts


@pytest.mark.parametrize("skew", [20 * 60, -20 * 60])
def test_signature_refused_for_the_clock(holdfast, cloud, skew):
    """The Date of the 401 tells a wrong clock from wrong keys; one refusal is enough all the same."""
    cloud.skew = skew
    for i in range(4):
        holdfast.encryption(f"orders{i}")
    result = holdfast.once().exits(3)
    assert result.named("clock-skew")
    assert len(cloud.signature_failures) == 1


# Intent before the deed

def test_killed_while_the_answer_is_awaited(holdfast, cloud):
    """kill -9 between request and answer: the next run knows of the request and reads first."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), reading="added")
    lock = holdfast.lock("orders", instance).lock
    cloud.fault(method="PUT", effect=True, close=True, delay=3, times=1)
    daemon = holdfast.start()
    cloud.wait_for(1, method="PUT")
    daemon.kill()
    assert any(p.is_file() for p in holdfast.state.iterdir())
    n = len(cloud.log)
    holdfast.once().exits(0)
    assert cloud.log[n].method == "GET" and len(lock.ends) == 1
    lock.assert_cap(31)


def test_killed_and_the_effect_shows_late(holdfast, cloud):
    """As before, and the old end still shows after the restart: only the stored intent forbids a second request."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 1.5, 3.5), reading="added", visible_after=4)
    lock = holdfast.lock("orders", instance, settle="1h").lock
    cloud.fault(method="PUT", effect=True, close=True, delay=3, times=1)
    daemon = holdfast.start()
    cloud.wait_for(1, method="PUT")
    daemon.kill()
    for _ in range(3):
        holdfast.once()
    assert len(lock.ends) == 1
    lock.assert_cap(31)


@pytest.mark.parametrize("reading", READINGS)
def test_killed_again_and_again(holdfast, cloud, reading):
    """kill -9 at odd moments while a fleet is being extended."""
    fleet = [holdfast.lock(f"orders{i}", cloud.add_taurus(f"orders{i}", lock=held(cloud, 20.5 + i, i % 7 + 0.5),
                                                          reading=reading), poll="1s") for i in range(12)]
    cloud.fault(method="PUT", path="vault-lock", delay=0.05)
    for i in range(8):
        daemon = holdfast.start(ready=False)
        time.sleep(0.1 + 0.06 * i)
        daemon.kill()
    cloud.heal()
    for _ in range(3):
        if holdfast.once().rc == 0:
            break
    for instance in fleet:
        instance.lock.assert_cap(31)
        assert instance.lock.remaining_days() > 7
        if reading == "added":
            assert len(instance.lock.ends) == 1
    assert_requests([i.lock for i in fleet], 31)


def stored_intents(holdfast, instance):
    with closing(sqlite3.connect(f"file:{holdfast.state}/holdfast.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT count(*) FROM lock_intent WHERE instance_id = ?", [instance.id]).fetchone()[0]


@pytest.mark.parametrize("settle", ["0s", "1h"])
def test_killed_again_and_again_with_slow_reads(holdfast, cloud, settle):
    """As before, and what a write did shows two reads later. With no settling a second request is the policy's risk."""
    fleet = [holdfast.lock(f"orders{i}", cloud.add_taurus(f"orders{i}", lock=held(cloud, 2.5 + i, i % 7 + 0.5),
                                                          reading="added", visible_after=2 if settle != "0s" else 0),
                           poll="1s", settle=settle) for i in range(8)]
    cloud.fault(method="PUT", path="vault-lock", effect=True, close=True, delay=0.1)
    for i in range(8):
        daemon = holdfast.start(ready=False)
        if i == 0:
            wait_until(lambda: sum(len(instance.lock.ends) for instance in fleet) >= 3, what="three extensions")
        time.sleep(0.15 + 0.05 * i)
        daemon.kill()
    cloud.heal()
    for _ in range(4):
        holdfast.once()
    for instance in fleet:
        # Killed while it was on its way to a connection, a request never arrived: what is stored of it says that it may have, so that
        # nothing is sent for as long as one that did could still show.
        arrived = len(instance.lock.puts) > 0
        assert arrived or stored_intents(holdfast, instance) == 1
        assert len(instance.lock.ends) == arrived
        instance.lock.assert_cap(31)
    assert sum(len(instance.lock.ends) for instance in fleet) >= 3


@pytest.mark.parametrize("fault", [
    {"status": 503, "body": b""}, {"status": 403, "body": {"error_code": "DBS.200010", "error_msg": "no"}},
    {"status": 200, "body": b"{"}, {"close": True},
    {"status": 404, "body": {"error_code": "DBS.200002", "error_msg": "no"}},
], ids=["503", "403", "malformed", "closed", "404"])
@pytest.mark.parametrize("reading", READINGS)
def test_read_back_fails(holdfast, cloud, reading, fault):
    """The write went well; looking at it does not, for a while. No second write until it was seen."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), reading=reading)
    lock = holdfast.lock("orders", instance).lock
    cloud.fault(method="GET", path="vault-lock", skip=1, times=5, **fault)
    for _ in range(8):
        n = len(lock.puts)
        if holdfast.once().rc == 0:
            break
        seen = cloud.requests(method="GET", path="vault-lock")[-1]
        assert seen.status == 200 and seen.fault is None or len(lock.puts) - n <= 1
    lock.assert_cap(31)
    lock.assert_requests(31)
    assert lock.remaining_days() >= (26.9 if reading == "from-now" else 29.99)
    assert reading != "added" or len(lock.puts) == 1


def test_json_of_every_write(holdfast, cloud):
    """The body, to the letter of the documentation."""
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1.5, 3.5), reading="added"))
    holdfast.lock("fresh")
    holdfast.once().exits(0)
    bodies = sorted((json.loads(r.body) for r in cloud.writes), key=lambda b: b["action"])
    assert bodies == [
        {"backup_vaultlock_info": {"lock_retention_days": 30, "lock_policy": True}, "action": "enable"},
        {"backup_vaultlock_info": {"lock_retention_days": 27, "lock_policy": True}, "action": "extend"},
    ]
    assert all(r.headers["content-type"].startswith("application/json") for r in cloud.writes)
