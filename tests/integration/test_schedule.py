# SPDX-License-Identifier: Apache-2.0
"""The control `schedule`."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cloud import DOMAIN, PROJECT
from services import CYCLES

FORM = "%Y-%m-%d %H:%M:%S"
PHASE = datetime(2025, 8, 21, 2, 0, 44)
ZONE = ZoneInfo("Asia/Singapore")
LENGTH = {"FIVE_MIN": timedelta(minutes=5), "PER_HOUR": timedelta(hours=1), "PER_DAY": timedelta(days=1),
          "PER_WEEK": timedelta(weeks=1), "PER_MONTH": timedelta(days=31)}


def local(zone=ZONE):
    return datetime.now(zone).replace(tzinfo=None)


def config(trigger=None, **changes):
    """The switch as the default policy of these tests wants it."""
    if trigger is None:
        now = local()
        trigger = now.replace(hour=2, minute=0, second=44, microsecond=0)
        trigger += timedelta(days=1) if trigger <= now else timedelta()
    return {"bucket_name": "cbh-ynf", "bucket_root_path": "", "cycle": "PER_DAY", "mode": "AUTO", "status": 1,
            "trigger_time": trigger.strftime(FORM)} | changes


def applied(holdfast, cloud, **options):
    """An instance that holdfast itself has set up, and whose echo it knows."""
    audit = holdfast.schedule("audit", cloud.add_audit("audit", **options), reapply="never")
    holdfast.once().exits(0)
    assert len(audit.switches) == 1
    return audit


@pytest.mark.parametrize("cycle", CYCLES)
def test_set_up_where_there_is_nothing(holdfast, cloud, cycle):
    audit = holdfast.schedule("audit", cycle=cycle)
    before = local()
    result = holdfast.once().exits(0)
    after = local()
    body, = audit.switches
    trigger = datetime.strptime(body.pop("trigger_time"), FORM)
    assert body == {"bucket_name": "cbh-ynf", "bucket_root_path": "", "cycle": cycle, "mode": "AUTO", "status": 1}
    assert before.replace(microsecond=0) <= trigger <= after + LENGTH[cycle], "the next time to come"
    if cycle == "PER_MONTH":
        assert (trigger.day, trigger.time()) == (21, PHASE.time())
    else:
        assert (trigger - PHASE) % LENGTH[cycle] == timedelta(), "the phase is kept"
    assert result.named("drift") and result.one("remediated", control="schedule")
    request = cloud.writes[0]
    assert request.path == f"/v1/{DOMAIN}/audit/{audit.id}/backup/switch"
    assert all(f"/v1/{PROJECT}/" in r.path for r in cloud.log if r.path.endswith("template"))


@pytest.mark.parametrize("cycle", CYCLES)
def test_second_run_sends_nothing(holdfast, cloud, cycle):
    audit = holdfast.schedule("audit", cycle=cycle)
    holdfast.once().exits(0)
    result = holdfast.once().exits(0)
    assert len(audit.switches) == 1
    result.none("drift", "remediated", "compliant")


def test_trigger_time_to_come_is_sent_as_written(holdfast):
    trigger = (local() + timedelta(days=300)).replace(microsecond=0)
    audit = holdfast.schedule("audit", trigger_time=trigger.strftime(FORM))
    holdfast.once().exits(0)
    assert audit.switches[0]["trigger_time"] == trigger.strftime(FORM)


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati",
                                  "Europe/Berlin"])
def test_zone_of_the_policy(holdfast, zone):
    """Rolled forward on the wall clock of that zone, never on ours."""
    audit = holdfast.schedule("audit", timezone=zone)
    holdfast.once().exits(0)
    trigger = datetime.strptime(audit.switches[0]["trigger_time"], FORM)
    assert trigger.time() == PHASE.time()
    assert timedelta(seconds=-5) < trigger - local(ZoneInfo(zone)) <= timedelta(days=1)


@pytest.mark.parametrize("change", [
    {"status": 0}, {"cycle": "PER_WEEK"}, {"bucket_name": "elsewhere"}, {"bucket_root_path": "sub/"},
    {"trigger_time": "2030-01-01 05:00:44"}, {"trigger_time": "2030-01-01 02:00:45"},
], ids=lambda c: next(iter(c)))
def test_drift_is_put_back(holdfast, cloud, change):
    audit = applied(holdfast, cloud)
    good = dict(audit.config)
    audit.config |= change
    result = holdfast.once().exits(0)
    assert len(audit.switches) == 2 and audit.config == good
    assert result.one("drift")["HOLDFAST_CONTROL"] == "schedule" and result.one("remediated")


@pytest.mark.parametrize("hours", [8, -8, 5.75, -3.5, 14])
@pytest.mark.parametrize("form", [" ", "T"])
def test_constant_shift_of_the_echo_is_no_drift(holdfast, cloud, hours, form):
    audit = applied(holdfast, cloud, zone_shift=int(hours * 3600), form=form)
    holdfast.once().exits(0).none("drift", "remediated")
    assert len(audit.switches) == 1


def test_change_under_a_shifted_echo_is_drift(holdfast, cloud):
    """Shifted by 8 hours when holdfast wrote it: a trigger moved by 3 hours stands out."""
    audit = applied(holdfast, cloud, zone_shift=8 * 3600)
    trigger = datetime.strptime(audit.config["trigger_time"], FORM)
    audit.config["trigger_time"] = (trigger + timedelta(hours=3)).strftime(FORM)
    holdfast.once().exits(0).one("remediated")
    assert len(audit.switches) == 2


@pytest.mark.parametrize("days", [1, 5])
def test_server_that_moves_the_trigger_on(holdfast, cloud, days):
    audit = applied(holdfast, cloud)
    trigger = datetime.strptime(audit.config["trigger_time"], FORM)
    audit.config["trigger_time"] = (trigger + timedelta(days=days)).strftime(FORM)
    holdfast.once().exits(0).none("drift")
    assert len(audit.switches) == 1


@pytest.mark.parametrize("unset", [
    {}, {"status": 0}, {"status": None, "cycle": None, "trigger_time": None, "bucket_name": None},
    {"status": 0, "cycle": "", "trigger_time": "", "bucket_name": "", "bucket_root_path": ""},
], ids=["empty", "status", "nulls", "empty texts"])
def test_not_configured(holdfast, cloud, unset):
    """All fields may be absent; that is drift, not an error."""
    audit = cloud.add_audit("audit")
    audit.unset = unset
    holdfast.schedule("audit", audit)
    holdfast.once().exits(0)
    assert len(audit.switches) == 1


def test_missing_path_is_the_empty_path(holdfast, cloud):
    audit = applied(holdfast, cloud)
    cloud.fault(path="template", patch=lambda body: {k: v for k, v in body.items() if k != "bucket_root_path"})
    holdfast.once().exits(0)
    assert len(audit.switches) == 1


def test_reapplied_without_drift(holdfast, cloud):
    audit = holdfast.schedule("audit", poll="1s", reapply="3s")
    daemon = holdfast.start()
    cloud.wait_for(3, path="switch", timeout=20)
    daemon.stop()
    times = [r.at for r in cloud.requests(path="switch")]
    assert all(2 <= b - a <= 6 for a, b in zip(times, times[1:])), times
    daemon.output.none("remediation-failed")
    assert len(audit.switches) >= 3


def test_off_and_found_on(holdfast, cloud):
    """All fields are mandatory for switching off too."""
    audit = holdfast.schedule("audit", cloud.add_audit("audit", config=config()), status="off")
    holdfast.once().exits(0)
    assert audit.config["status"] == 0 and len(audit.switches) == 1
    assert set(audit.switches[0]) >= {"bucket_name", "cycle", "mode", "status", "trigger_time"}
    holdfast.once().exits(0)
    assert len(audit.switches) == 1


@pytest.mark.parametrize("found", [None, config(status=0)], ids=["never set", "off"])
def test_off_and_off(holdfast, cloud, found):
    audit = holdfast.schedule("audit", cloud.add_audit("audit", config=found), status="off", reapply="never")
    holdfast.once().exits(0)
    assert not audit.switches


def test_accepted_without_effect(holdfast, cloud):
    audit = cloud.add_audit("audit")
    audit.ignore = True
    holdfast.schedule("audit", audit)
    result = holdfast.once().exits(3)
    result.one("remediation-failed")
    assert len(audit.switches) == 1
    result.none("remediated")


def test_refused(holdfast, cloud):
    holdfast.schedule("audit")
    cloud.fault(path="switch", status=403, body={"error_code": "DBSS.10020100", "error_msg": "Unauthorized.",
                                                 "details": [{"error_code": "x", "error_msg": "y"}],
                                                 "encoded_authorization_message": "opaque"})
    result = holdfast.once().exits(3)
    assert result.one("remediation-failed")["HOLDFAST_ERROR_CODE"] == "DBSS.10020100"


def test_lost_answer_is_read_back(holdfast, cloud):
    audit = holdfast.schedule("audit")
    cloud.fault(path="switch", effect=True, close=True, times=1)
    holdfast.once().exits(0)
    assert len(audit.switches) == 1


@pytest.mark.parametrize("field,value", [("status", "on"), ("status", 2), ("cycle", 1), ("cycle", "PER_YEAR"),
                                         ("trigger_time", "tomorrow"), ("trigger_time", 5), ("bucket_name", ["b"])])
def test_unreadable_template_is_unknown(holdfast, cloud, field, value):
    audit = applied(holdfast, cloud)
    cloud.fault(path="template", patch=lambda body: body | {field: value})
    result = holdfast.once().exits(3)
    assert len(audit.switches) == 1
    result.none("drift", "remediated")


def test_path_beyond_ascii(holdfast):
    audit = holdfast.schedule("audit", bucket_root_path="\u5907\u4efd/\u00fc \"x\"")
    holdfast.once().exits(0)
    assert audit.config["bucket_root_path"] == "\u5907\u4efd/\u00fc \"x\""


@pytest.mark.parametrize("day", [29, 30, 31])
def test_last_days_of_a_month(holdfast, day):
    """Not every month has them; what is sent is a day that exists, and it stays put."""
    audit = holdfast.schedule("audit", cycle="PER_MONTH", trigger_time=f"2025-08-{day} 02:00:44")
    holdfast.once().exits(0)
    trigger = datetime.strptime(audit.switches[0]["trigger_time"], FORM)
    assert trigger.time() == PHASE.time() and trigger > local() - timedelta(seconds=5)
    assert trigger.day == day or (trigger + timedelta(days=1)).day == 1
    holdfast.once().exits(0)
    assert len(audit.switches) == 1


# Age of the newest backup

def text(hours, zone=ZONE):
    return (local(zone) - timedelta(hours=hours)).strftime(FORM)


@pytest.mark.parametrize("backups,stale", [
    ([("a", 2, "AUTO_BACKUPED", False)], False),
    ([("a", 100, "AUTO_BACKUPED", False)], True),
    ([("a", 100, "AUTO_BACKUPED", False), ("b", 2, "AUTO_BACKUP_FAIL", False)], True),
    ([("a", 100, "AUTO_BACKUPED", False), ("b", 2, "AUTO_BACKUPED", True)], True),
    ([("a", 100, "AUTO_BACKUPED", False), ("b", 2, "AUTO_BACKUPING", False)], True),
    ([("a", 2, "MANUAL_BACKUPED", False)], False),
], ids=["fresh", "old", "failed since", "deleted since", "running", "manual"])
@pytest.mark.parametrize("page_base", [0, 1])
def test_max_backup_age(holdfast, cloud, backups, stale, page_base):
    audit = cloud.add_audit("audit", config=config(), page_base=page_base)
    for name, hours, progress, deleted in backups:
        audit.add_backup(name, text(hours), progress, deleted)
    holdfast.schedule("audit", audit, max_backup_age="26h", reapply="never")
    result = holdfast.once()
    assert len(result.named("backup-stale")) == int(stale)
    if stale:
        assert int(result.one("backup-stale")["PRIORITY"]) == 3
        holdfast.once().none("backup-stale")
    else:
        result.exits(0)


def test_stale_until_a_backup_comes(holdfast, cloud):
    audit = cloud.add_audit("audit", config=config())
    audit.add_backup("old", text(100))
    holdfast.schedule("audit", audit, max_backup_age="26h", poll="1s", reapply="never")
    daemon = holdfast.start()
    daemon.wait_event("backup-stale")
    with cloud.lock:
        audit.add_backup("new", text(0))
    daemon.wait_event("compliant")
    with cloud.lock:
        audit.backups.pop(0)
    daemon.wait_event("backup-stale", n=2)


def test_backups_are_not_listed_unasked(holdfast, cloud):
    holdfast.schedule("audit")
    holdfast.once().exits(0)
    assert not cloud.requests(path="/backups$")


def test_fleet(holdfast, cloud):
    fleet = [holdfast.schedule(f"audit{i}", cycle=CYCLES[i % 5]) for i in range(15)]
    holdfast.once().exits(0)
    assert all(len(a.switches) == 1 for a in fleet)


def test_domain_is_looked_up(holdfast, cloud):
    """The switch takes the account: where no domain_id is written, IAM knows it."""
    holdfast.configure(domain_id=None)
    audit = holdfast.schedule("audit")
    holdfast.once().exits(0)
    assert len(audit.switches) == 1 and cloud.requests("iam")
