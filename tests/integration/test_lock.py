# SPDX-License-Identifier: Apache-2.0
"""The control `lock`: enabling, the climb under every reading, what is learned, and the cap."""

import datetime
import itertools
import time

import pytest

from services import DAY, READINGS, assert_requests, identifier

NEVER = ("zeros", "nulls", "false-only", "default-days", "null-object", "missing-object")


def held(cloud, since, remains, **options):
    """The times of a lock that runs since so many days and has so many left."""
    now = cloud.now()
    return {"start": now - since * DAY, "end": now + remains * DAY} | options


def assert_target(lock, days=30):
    assert lock.remaining_days() >= days - 0.01, f"{lock.remaining_days():.2f} days remain, target {days}"


def assert_safe(lock, cap=31, possible=READINGS):
    lock.assert_cap(cap)
    lock.assert_requests(cap, possible)


# Enabling

@pytest.mark.parametrize("never", NEVER)
def test_enabled_where_there_is_none(holdfast, cloud, never):
    instance = holdfast.lock("orders", cloud.add_taurus("orders", never=never))
    result = holdfast.once().exits(0)
    assert [(p.action, p.days) for p in instance.lock.puts] == [("enable", 30)]
    assert_safe(instance.lock)
    enabled = result.one("lock-enabled")
    assert int(enabled["PRIORITY"]) == 5
    assert enabled["HOLDFAST_LOCK_END"].endswith("Z") and enabled["HOLDFAST_REQUEST_ID"]
    result.none("lock-extended", "lock-lapsed", "remediation-failed")
    assert [r.method for r in cloud.log] == ["GET", "PUT", "GET"]
    holdfast.once().exits(0)
    assert len(instance.lock.puts) == 1


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_end_is_reported_as_read(holdfast, cloud, unit):
    instance = holdfast.lock("orders", cloud.add_taurus("orders", unit=unit))
    end = holdfast.once().exits(0).one("lock-enabled")["HOLDFAST_LOCK_END"]
    shown = datetime.datetime.strptime(end, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    assert abs(shown - instance.lock.end) < 2


def test_enable_without_effect(holdfast, cloud):
    instance = holdfast.lock("orders", cloud.add_taurus("orders", ignore=True))
    result = holdfast.once().exits(3)
    assert len(instance.lock.puts) == 1
    assert result.named("remediation-failed")
    result.none("lock-enabled", "compliant")


def test_enable_refused(holdfast, cloud):
    holdfast.lock("orders")
    cloud.fault(method="PUT", status=403, body={"error_code": "DBS.200010", "error_msg": "Not permitted."})
    result = holdfast.once().exits(3)
    assert len(cloud.writes) == 1
    assert result.one("remediation-failed")["HOLDFAST_ERROR_CODE"] == "DBS.200010"


# Compliant

@pytest.mark.parametrize("unit", ["s", "ms"])
def test_enough_remains(holdfast, cloud, unit):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 20, 10), unit=unit))
    result = holdfast.once().exits(0)
    assert not cloud.writes and result.one("compliant", control="lock")
    result.none("drift", "lock-expiring")


@pytest.mark.parametrize("unit", ["s", "ms"])
@pytest.mark.parametrize("hours", [-6, 6])
def test_end_rounded_to_a_day(holdfast, cloud, unit, hours):
    """The unit is told from the days, with some hours of slack."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 20, 10 + hours / 24), unit=unit)
    instance.lock.days = 30
    holdfast.lock("orders", instance)
    holdfast.once().exits(0)
    assert not cloud.writes


@pytest.mark.parametrize("remains,n_writes", [(7.01, 0), (6.99, 1)])
def test_renewed_when_less_than_renew_before_remains(holdfast, cloud, remains, n_writes):
    instance = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1, remains), reading="added"))
    holdfast.once().exits(0)
    assert len(instance.lock.puts) == n_writes


# The climb

@pytest.mark.parametrize("reading,unit,shorten", list(itertools.product(READINGS, ("s", "ms"), ("silent", "refuse"))))
def test_climb(holdfast, cloud, reading, unit, shorten):
    """39.5 days old, 18.5 remain, 30 wanted: 12 if added, 30 if from now, 70 if from the start; in that order."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 18.5), reading=reading, unit=unit, shorten=shorten)
    lock = holdfast.lock("orders", instance, renew_before="20d").lock
    result = holdfast.once().exits(0)
    assert_target(lock)
    assert_safe(lock)
    assert lock.days_sent == {"added": [12], "from-now": [12, 30], "from-start": [12, 30, 70]}[reading]
    assert all(p.action == "extend" for p in lock.puts)
    assert result.named("lock-extended")
    result.none("lock-refused", "lock-frozen", "remediation-failed")
    methods = [r.method for r in cloud.log]
    assert all(methods[i + 1] == "GET" for i, m in enumerate(methods) if m == "PUT"), "each is read back"


@pytest.mark.parametrize("reading,unit,shorten", list(itertools.product(READINGS, ("s", "ms"), ("silent", "refuse"))))
def test_climb_close_to_the_end(holdfast, cloud, reading, unit, shorten):
    """3.5 days remain: already the smallest request tells `added` from `from now`."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), reading=reading, unit=unit, shorten=shorten)
    lock = holdfast.lock("orders", instance).lock
    holdfast.once().exits(0)
    assert_target(lock)
    assert_safe(lock)
    assert lock.days_sent in {"added": [[27]], "from-now": [[27, 30]], "from-start": [[27, 70], [27, 30, 70]]}[reading]


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("since,remains,retention,renew", [
    (400, 1.25, 90, "60d"), (0.2, 0.3, 2, "1d"), (3, 200, 3000, "300d"), (29.9, 0.1, 30, "7d"),
])
def test_climb_other_lengths(holdfast, cloud, reading, since, remains, retention, renew):
    instance = cloud.add_taurus("orders", lock=held(cloud, since, remains), reading=reading)
    lock = holdfast.lock("orders", instance, retention_days=retention, renew_before=renew).lock
    holdfast.once().exits(0)
    assert_target(lock, retention)
    assert_safe(lock, retention + 1)
    assert lock.days_sent == sorted(lock.days_sent) and len(lock.puts) <= 3


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("echo,move_start", [("last", False), ("total", True), ("last", True)])
def test_climb_whatever_is_echoed(holdfast, cloud, reading, echo, move_start):
    """Nobody says whether the days shown are the total, or whether the start moves."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 18.5), reading=reading, echo=echo,
                                move_start=move_start)
    lock = holdfast.lock("orders", instance, renew_before="20d").lock
    holdfast.once().exits(0)
    assert_target(lock)
    lock.assert_cap(31)


def rounded(reading, up):
    """A cloud whose locks end at midnight."""
    def lie(lock, put):
        end = put.at + put.days * DAY if put.action == "enable" else lock.predict(reading, put.days, put)
        end = (end // DAY + up) * DAY
        if lock.end is None:
            lock.start, lock.days = put.at, put.days
        if lock.end is None or end > lock.end:
            lock.end = end
    return lie


@pytest.mark.parametrize("up", [0, 1], ids=["down", "up"])
@pytest.mark.parametrize("reading", READINGS)
def test_climb_of_a_lock_that_ends_at_midnight(holdfast, cloud, reading, up):
    """Hours beside every reading are no lie."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 18.5), lie=rounded(reading, up))
    lock = holdfast.lock("orders", instance, renew_before="20d", max_retention_days=45).lock
    holdfast.once().exits(0).none("lock-frozen", "remediation-failed")
    assert lock.remaining_days() >= 28.9 and len(lock.puts) <= 5
    lock.assert_cap(45)


@pytest.mark.parametrize("up", [0, 1], ids=["down", "up"])
def test_enabled_until_midnight(holdfast, cloud, up):
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lie=rounded("from-now", up)), max_retention_days=45).lock
    holdfast.once().exits(0).one("lock-enabled")
    assert len(lock.puts) == 1


def test_unit_that_changes(holdfast, cloud):
    """Seconds yesterday, milliseconds today: the same lock."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 10, 20), unit="s")
    holdfast.lock("orders", instance)
    holdfast.once().exits(0)
    instance.lock.unit = "ms"
    holdfast.once().exits(0).none("lock-frozen", "drift")
    instance.lock.unit = "s"
    holdfast.once().exits(0).none("lock-frozen", "drift")
    assert not cloud.writes


def test_extended_event(holdfast, cloud):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1, 3.5), reading="added"))
    event = holdfast.once().exits(0).one("lock-extended")
    assert int(event["PRIORITY"]) == 5 and event["HOLDFAST_LOCK_END"] and event["HOLDFAST_CONTROL"] == "lock"


# What is learned

@pytest.mark.parametrize("reading,days", [("from-start", 70), ("from-now", 30), ("added", 12)])
def test_learned_for_the_endpoint(holdfast, cloud, reading, days):
    """The second lock of the endpoint, in a later run, is extended by one request."""
    lock = held(cloud, 39.5, 18.5)
    holdfast.lock("first", cloud.add_taurus("first", lock=lock, reading=reading), renew_before="20d")
    holdfast.once().exits(0)
    second = holdfast.lock("second", cloud.add_taurus("second", lock=lock, reading=reading), renew_before="20d").lock
    holdfast.once().exits(0)
    assert second.days_sent == [days]
    assert_target(second)
    second.assert_cap(31)


def test_not_learned_for_another_endpoint(make_cloud, make_holdfast):
    """A second cloud is found out anew, with the same state."""
    one, two = make_cloud(), make_cloud()
    holdfast = make_holdfast(one)
    holdfast.lock("first", one.add_taurus("first", lock=held(one, 39.5, 18.5), reading="added"), renew_before="20d")
    holdfast.once().exits(0)
    (holdfast.instances / "first.yaml").unlink()
    holdfast.configure(endpoints={"taurusdb": two.origin("taurusdb")}, http={"ca_file": str(two.ca_file)})
    holdfast.env |= {"HUAWEICLOUD_SDK_AK": two.access, "HUAWEICLOUD_SDK_SK": two.secret}
    lock = holdfast.lock("other", two.add_taurus("other", lock=held(two, 39.5, 18.5), reading="from-start"),
                         renew_before="20d").lock
    holdfast.once().exits(0)
    assert lock.days_sent == [12, 30, 70]


def test_learned_but_wrong_now(holdfast, cloud):
    """The cloud changed its mind: found out at the next extension, and never past the cap."""
    first = cloud.add_taurus("first", lock=held(cloud, 39.5, 18.5), reading="from-start")
    holdfast.lock("first", first, renew_before="20d")
    holdfast.once().exits(0)
    second = cloud.add_taurus("second", lock=held(cloud, 1.5, 2.5), reading="added")
    holdfast.lock("second", second, max_retention_days=60)
    result = holdfast.once()
    second.lock.assert_cap(60)
    # From the start, 32 days do it; added, they come to 34.5: no reading that holdfast still believed in.
    assert result.named("lock-frozen") or second.lock.remaining_days() >= 29.99


# Stated

@pytest.mark.parametrize("reading,days", [("from-start", 70), ("from-now", 30), ("added", 27)])
def test_stated_reading(holdfast, cloud, reading, days):
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), reading=reading)
    lock = holdfast.lock("orders", instance, extension=reading).lock
    holdfast.once().exits(0)
    assert lock.days_sent == [days]
    assert_target(lock)
    assert_safe(lock, possible=[reading])


@pytest.mark.parametrize("stated,real", [p for p in itertools.product(READINGS, READINGS) if p[0] != p[1]])
def test_stated_wrongly(holdfast, cloud, stated, real):
    """The owner's word was wrong. Where the lock came out past the cap, everything stops."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), reading=real)
    lock = holdfast.lock("orders", instance, extension=stated).lock
    result = holdfast.once()
    lock.assert_requests(31, [stated])
    if lock.went_past(31):
        assert result.rc == 3 and result.named("lock-frozen")
        assert len(lock.puts) == 1


def fleet_of_old_locks(holdfast, cloud, n=8):
    """All counted from now, and all said to count from a start that lies 400 days back."""
    holdfast.configure(defaults={"lock": {"extension": "from-start"}})
    return [holdfast.lock(f"db{i}", cloud.add_taurus(f"db{i}", lock=held(cloud, 400, 3.9), reading="from-now"), settle="1h", poll="2s").lock
            for i in range(n)]


def test_stated_wrongly_binds_no_fleet(holdfast, cloud):
    """One lock shows that the word was wrong; the others wait for it."""
    locks = fleet_of_old_locks(holdfast, cloud)
    daemon = holdfast.start()
    daemon.wait_event("lock-frozen")
    time.sleep(3)
    daemon.stop()
    assert sum(len(lock.puts) for lock in locks) == 1


def test_stated_rightly_extends_a_fleet(holdfast, cloud):
    locks = fleet_of_old_locks(holdfast, cloud)
    for lock in locks:
        lock.reading = "from-start"
    holdfast.once().exits(0)
    for lock in locks:
        assert len(lock.puts) == 1 and lock.remaining_days() > 29.9


def test_stated_wrongly_stays_within_limits(holdfast, cloud):
    holdfast.configure(limits={"max_retention_days": 45})
    locks = fleet_of_old_locks(holdfast, cloud)
    result = holdfast.once().exits(3)
    assert len(result.named("lock-refused")) == len(locks)
    assert not any(lock.puts for lock in locks)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("lost", [True, False])
def test_lock_that_cannot_be_read_back(holdfast, cloud, reading, lost):
    """No reading is stated: without a look at the lock nothing is written, and it is never taken for none."""
    lock = holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 39.5, 3.5), reading=reading)).lock
    cloud.fault(method="GET", path="vault-lock", **({"close": True} if lost else {"status": 403, "body": {
        "error_code": "DBS.200010", "error_msg": "no"}}))
    holdfast.once().exits(3)
    assert not lock.puts


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("known", [True, False], ids=["seen before", "never seen"])
def test_stated_reading_of_a_lock_that_cannot_be_read(holdfast, cloud, reading, known):
    """Extending blindly is allowed where the reading is stated; adding up past the cap is not, however often."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 7.2 if known else 3.5), reading=reading)
    lock = holdfast.lock("orders", instance, extension=reading, poll="1s").lock
    if known:
        holdfast.once().exits(0)
    cloud.fault(method="GET", path="vault-lock", status=403, body={"error_code": "DBS.200010", "error_msg": "no"})
    for _ in range(2):
        holdfast.once().exits(3)
    daemon = holdfast.start()
    n = len(cloud.log)
    cloud.wait_for(n + 4)
    daemon.stop()
    lock.assert_cap(31)
    assert len(lock.puts) <= 1


# Settling

@pytest.mark.parametrize("reading,n_days", [("from-now", [12]), ("from-start", [12])])
def test_settle_waits(holdfast, cloud, reading, n_days):
    """200 and unchanged may only be slow: the next reading is an hour away, also for a second run."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 18.5), reading=reading)
    lock = holdfast.lock("orders", instance, renew_before="20d", settle="1h").lock
    for _ in range(2):
        result = holdfast.once().exits(3)
        assert lock.days_sent == n_days
        result.none("lock-extended", "lock-frozen")


@pytest.mark.parametrize("reading,days", [("from-now", [12, 30]), ("from-start", [12, 30, 70])])
def test_refused_needs_no_settling(holdfast, cloud, reading, days):
    """Only what was accepted may still come."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 18.5), reading=reading, shorten="refuse")
    lock = holdfast.lock("orders", instance, renew_before="20d", settle="1h").lock
    holdfast.once().exits(0)
    assert lock.days_sent == days


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("settle,delay", [("1h", 1), ("1h", 5), ("0s", 0)])
def test_slow_read_back(holdfast, cloud, reading, settle, delay):
    """The effect shows some reads later. Run until it does: one effective extension, never past the cap."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 39.5, 18.5), reading=reading, visible_after=delay,
                                shorten="refuse")
    lock = holdfast.lock("orders", instance, renew_before="20d", settle=settle).lock
    for _ in range(delay + 3):
        if holdfast.once().rc == 0:
            break
    assert_target(lock)
    assert_safe(lock)
    assert len(lock.ends) == 1


def test_settle_is_a_quarter_of_what_remains(holdfast, cloud):
    """Eight seconds left: the next reading is tried after two of them, not after an hour."""
    now = cloud.now()
    instance = cloud.add_taurus("orders", lock={"start": now - 10 * DAY, "end": now + 8}, reading="from-start")
    lock = holdfast.lock("orders", instance, retention_days=5, renew_before="1d", settle="1h", poll="1s").lock
    daemon = holdfast.start()
    daemon.wait_event("lock-extended", timeout=10)
    assert_target(lock, 5)
    assert_safe(lock, 6)
    assert lock.days_sent == [5, 15] and 1 <= lock.puts[1].at - lock.puts[0].at <= 5


# The cap

def test_cap_forbids(holdfast, cloud):
    """Whole days only: one more, added, passes a cap without slack. Nothing may be tried."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 10.5, 6.75))
    lock = holdfast.lock("orders", instance, retention_days=7, max_retention_days=7, renew_before="6d20h").lock
    result = holdfast.once().exits(3)
    assert not lock.puts
    refused = result.one("lock-refused")
    assert int(refused["PRIORITY"]) == 2
    result.none("lock-extended")


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("remains", [6.99, 6.75, 6.01, 0.5])
def test_cap_without_a_day_to_spare(holdfast, cloud, reading, remains):
    """Added, the days that reach the target pass the cap: the most that stay within it go out, once, and then what the answer allows."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 30 - remains, remains), reading=reading)
    lock = holdfast.lock("orders", instance, max_retention_days=30).lock
    holdfast.once().exits(0).none("lock-refused")
    assert 29 <= lock.remaining_days() and lock.days_sent[0] == int(30 - remains)
    assert_safe(lock, 30)
    n = len(lock.puts)
    holdfast.once().exits(0)
    assert len(lock.puts) == n


@pytest.mark.parametrize("reading", READINGS)
def test_limit_on_days_sent(holdfast, cloud, reading):
    """Of a lock so old that the period from its start passes 36500 days, that is not asked for."""
    holdfast.configure(limits={"max_retention_days": 36500})
    instance = cloud.add_taurus("orders", lock=held(cloud, 4000, 3.5), reading=reading)
    lock = holdfast.lock("orders", instance, retention_days=36000).lock
    holdfast.once()
    assert lock.puts and all(1 <= d <= 36500 for d in lock.days_sent)
    assert_safe(lock, 36001)


@pytest.mark.parametrize("limit", [20, 30])
def test_limits_stand_above_policies(holdfast, cloud, limit):
    """limits.max_retention_days: a policy that goes beyond is refused or held back; the period is never sent."""
    holdfast.configure(limits={"max_retention_days": limit})
    instance = holdfast.lock("orders", cloud.add_taurus("orders"), retention_days=30)
    old = holdfast.lock("old", cloud.add_taurus("old", lock=held(cloud, 1, 2.5), reading="added"), retention_days=30)
    holdfast.once()
    instance.lock.assert_cap(limit)
    old.lock.assert_cap(limit)
    assert all(d <= limit for d in instance.lock.days_sent + old.lock.days_sent)


def test_limits_refuse_with_the_figures(holdfast):
    holdfast.configure(limits={"max_retention_days": 20})
    holdfast.lock("orders", retention_days=30)
    result = holdfast.once().exits(3)
    message = result.one("policy-rejected")["MESSAGE"]
    assert "30" in message and "20" in message


def test_new_locks_per_day(holdfast, cloud):
    holdfast.configure(limits={"new_locks_per_day": 3})
    fleet = [holdfast.lock(f"orders{i}") for i in range(8)]
    old = holdfast.lock("old", cloud.add_taurus("old", lock=held(cloud, 1, 2.5), reading="added"))
    for _ in range(2):
        holdfast.once().exits(3)
        assert sum(i.lock.end is not None for i in fleet) == 3, "also after a restart"
    assert len([r for r in cloud.writes if r.json["action"] == "enable"]) == 3
    assert old.lock.days_sent == [28], "extending is not counted"


def test_new_locks_per_day_counts_the_day(holdfast, cloud):
    holdfast.configure(limits={"new_locks_per_day": 1})
    first = holdfast.lock("first")
    holdfast.once().exits(0)
    (holdfast.instances / "first.yaml").unlink()
    second = holdfast.lock("second")
    holdfast.once().exits(3)
    assert first.lock.end and not second.lock.end


# Ended

@pytest.mark.parametrize("expired_policy", [True, False])
def test_lapsed(holdfast, cloud, expired_policy):
    """It ran out before holdfast came: there is no lock, so one is enabled; extending is for locks that hold."""
    instance = cloud.add_taurus("orders", lock=held(cloud, 30, -1), expired_policy=expired_policy)
    lock = holdfast.lock("orders", instance).lock
    result = holdfast.once().exits(0)
    assert [(p.action, p.days) for p in lock.puts] == [("enable", 30)]
    assert int(result.one("lock-lapsed")["PRIORITY"]) == 1 and result.one("lock-enabled")
    holdfast.once().exits(0).none("lock-lapsed")


@pytest.mark.parametrize("expired_policy", [True, False])
def test_lapsed_while_observing(holdfast, cloud, expired_policy):
    instance = cloud.add_taurus("orders", lock=held(cloud, 30, -1), expired_policy=expired_policy)
    holdfast.lock("orders", instance)
    holdfast.once("--observe").exits(3).one("lock-lapsed")
    holdfast.once("--observe").exits(3).none("lock-lapsed")


def test_lapsed_before_our_eyes(holdfast, cloud):
    now = cloud.now()
    instance = cloud.add_taurus("orders", lock={"start": now - DAY, "end": now + 4}, shorten="refuse")
    holdfast.lock("orders", instance, poll="1s", retention_days=5, renew_before="1d")
    cloud.fault(method="PUT", status=403, body={"error_code": "DBS.200010", "error_msg": "Not permitted."})
    daemon = holdfast.start()
    assert int(daemon.wait_event("lock-expiring")["PRIORITY"]) == 2
    lapsed = daemon.wait_event("lock-lapsed")
    assert int(lapsed["PRIORITY"]) == 1
    cloud.heal()
    daemon.wait_event("lock-enabled")
    assert len(daemon.output.named("lock-lapsed")) == 1 and len(daemon.output.named("lock-expiring")) == 1


def test_expiring_when_it_cannot_be_extended(holdfast, cloud):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1, 3), reading="added"))
    cloud.fault(method="PUT", status=403, body={"error_code": "DBS.200010", "error_msg": "Not permitted."})
    result = holdfast.once().exits(3)
    assert int(result.one("lock-expiring")["PRIORITY"]) == 2
    assert result.one("lock-expiring")["HOLDFAST_LOCK_END"]


def test_not_yet_expiring(holdfast, cloud):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1, 5), reading="added"))
    cloud.fault(method="PUT", status=403, body={"error_code": "DBS.200010", "error_msg": "Not permitted."})
    holdfast.once().exits(3).none("lock-expiring")


def test_unknown_gets_worse(holdfast, cloud):
    """A warning after three polls, an error after half of renew_before: in good time."""
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1, 20)), poll="1s", renew_before="12s")
    cloud.fault(method="GET", status=403, body={"error_code": "DBS.200010", "error_msg": "Not permitted."})
    daemon = holdfast.start()
    assert int(daemon.wait_event("unknown")["PRIORITY"]) == 4
    assert int(daemon.wait_event("unknown", n=2, timeout=12)["PRIORITY"]) == 3
    assert len(daemon.output.named("unknown")) == 2


# The manual backup that a lock is there for

@pytest.mark.parametrize("backups,empty", [
    ([], True),
    ([("a", 40 * DAY, "manual", "COMPLETED")], True),
    ([("a", 3600, "auto", "COMPLETED")], True),
    ([("a", 3600, "manual", "BUILDING"), ("b", 3600, "manual", "FAILED")], True),
    ([("a", 29 * DAY, "manual", "COMPLETED")], False),
    ([(f"old{i}", 60 * DAY, "manual", "COMPLETED") for i in range(130)] + [("a", DAY, "manual", "COMPLETED")], False),
], ids=["none", "old", "automatic", "unfinished", "young", "second page"])
def test_require_manual_backup(holdfast, cloud, backups, empty):
    instance = cloud.add_taurus("orders", lock=held(cloud, 1, 20))
    for name, age, kind, status in backups:
        instance.add_backup(name, age, kind, status)
    other = cloud.add_taurus("other")
    other.add_backup("not-ours", 60)
    holdfast.lock("orders", instance, require_manual_backup="30d")
    result = holdfast.once()
    assert len(result.named("lock-empty")) == int(empty)
    assert not cloud.writes
    if empty:
        assert int(result.one("lock-empty")["PRIORITY"]) == 4
        holdfast.once().none("lock-empty")
    else:
        result.exits(0)


def test_manual_backups_that_cannot_be_listed(holdfast, cloud):
    """Not permitted to look is not the same as empty."""
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1, 20)), require_manual_backup="30d")
    cloud.fault(path="/backups$", status=403, body={"error_code": "DBS.200010", "error_msg": "Not permitted."})
    holdfast.once().none("lock-empty")


def test_manual_backup_is_not_looked_for_unasked(holdfast, cloud):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 1, 20)))
    holdfast.once().exits(0)
    assert not cloud.requests(path="/backups$")


# Fleet

def test_compliant_fleet_sends_nothing(holdfast, cloud):
    for i in range(20):
        holdfast.lock(f"orders{i}", cloud.add_taurus(f"orders{i}", lock=held(cloud, i, 8 + i), unit=("s", "ms")[i % 2]))
    result = holdfast.once().exits(0)
    assert not cloud.writes and len(result.named("compliant")) == 20


@pytest.mark.parametrize("reading", READINGS)
def test_fleet_under_one_unknown_reading(holdfast, cloud, reading):
    """All at once and nothing known: never a request that a possible reading would put past the cap."""
    fleet = [holdfast.lock(f"orders{i}", cloud.add_taurus(f"orders{i}", lock=held(cloud, 3 * i + 0.5, i % 7 + 0.5),
                                                          reading=reading)) for i in range(20)]
    holdfast.once().exits(0)
    for instance in fleet:
        assert_target(instance.lock)
        instance.lock.assert_cap(31)
        assert len(instance.lock.puts) == 1 or reading != "added"
    assert_requests([i.lock for i in fleet], 31)


def test_instance_not_found_is_not_unlocked(holdfast, cloud):
    holdfast.policy("orders", {"service": "taurusdb", "instance_id": identifier("nobody", "in07"),
                               "lock": {"retention_days": 30}})
    result = holdfast.once().exits(3)
    assert not cloud.writes
    result.none("drift", "lock-enabled")
