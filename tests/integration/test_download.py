# SPDX-License-Identifier: Apache-2.0
"""The control `download`. A grant opens data and cannot be taken back."""

import time

import pytest

from services import DAY, identifier

GAUSS = identifier("gauss", "in14")
OTHER = identifier("other-gauss", "in14")


def test_latest(holdfast, cloud):
    cloud.gauss.add_backup("old", GAUSS, age=5 * DAY)
    newest = cloud.gauss.add_backup("new", GAUSS, age=3600)
    cloud.gauss.add_backup("running", GAUSS, age=60, status="BUILDING")
    cloud.gauss.add_backup("failed", GAUSS, age=30, status="FAILED")
    cloud.gauss.add_backup("foreign", OTHER, age=10)
    holdfast.download("ledger", GAUSS)
    result = holdfast.once().exits(0)
    assert cloud.gauss.grants == [newest]
    event = result.one("download-authorized")
    assert int(event["PRIORITY"]) == 5 and event["HOLDFAST_REQUEST_ID"]
    assert all(part in event["MESSAGE"] for part in ("dbsbucket-fake", "/Db/1652084459123", newest))
    request = cloud.writes[0]
    assert request.headers.get("content-length") == "0" and not request.body


def test_each_once_across_runs(holdfast, cloud):
    first = cloud.gauss.add_backup("first", GAUSS, age=DAY)
    holdfast.download("ledger", GAUSS)
    for _ in range(3):
        holdfast.once().exits(0)
    assert cloud.gauss.grants == [first]
    second = cloud.gauss.add_backup("second", GAUSS, age=60)
    holdfast.once().exits(0)
    assert cloud.gauss.grants == [first, second]


@pytest.mark.parametrize("position", [0, 120, 249])
def test_latest_on_any_page(holdfast, cloud, position):
    """The order of the list is nobody's promise."""
    for i in range(250):
        cloud.gauss.add_backup(f"b{i}", GAUSS, age=60 if i == position else DAY + i * 60)
    holdfast.download("ledger", GAUSS)
    holdfast.once().exits(0)
    assert cloud.gauss.grants == [cloud.gauss.backups[position]["id"]]
    assert all(1 <= int(r.query.get("limit", 100)) <= 100 for r in cloud.requests("gaussdb", "GET"))


def test_times_are_compared_with_their_zones(holdfast, cloud):
    """Later by the text, earlier by the zone."""
    one = cloud.gauss.add_backup("one", GAUSS, age=DAY)
    two = cloud.gauss.add_backup("two", GAUSS, age=DAY)
    by_id = {b["id"]: b for b in cloud.gauss.backups}
    by_id[one] |= {"begin_time": "2026-01-02T10:00:00+0800", "end_time": "2026-01-02T10:10:00+0800"}
    by_id[two] |= {"begin_time": "2026-01-02T05:00:00+0000", "end_time": "2026-01-02T05:10:00+0000"}
    holdfast.download("ledger", GAUSS)
    holdfast.once().exits(0)
    assert cloud.gauss.grants == [two]


@pytest.mark.parametrize("versions", [{"v3.2", "v3.1", "v3"}, {"v3.1", "v3"}, {"v3"}])
def test_older_versions_of_the_list(holdfast, cloud, versions):
    cloud.gauss.versions = versions
    backup = cloud.gauss.add_backup("b", GAUSS, age=DAY)
    holdfast.download("ledger", GAUSS)
    holdfast.once().exits(0)
    assert cloud.gauss.grants == [backup]
    tried = [r.path.split("/")[1] for r in cloud.requests("gaussdb", "GET")]
    assert tried == sorted(set(tried), key=tried.index) and tried == ["v3.2", "v3.1", "v3"][:4 - len(versions)]


def test_the_version_that_works_is_remembered(holdfast, cloud):
    cloud.gauss.versions = {"v3"}
    cloud.gauss.add_backup("b", GAUSS, age=DAY)
    holdfast.download("ledger", GAUSS, poll="1s")
    holdfast.start()
    cloud.wait_for(4, service="gaussdb", path="^/v3/[^/]+/backups$", timeout=20)
    assert len(cloud.requests("gaussdb", path="^/v3.2/")) == 1


def test_no_version_at_all(holdfast, cloud):
    """Not offered in this region is not the same as nothing to authorize."""
    cloud.gauss.versions = set()
    holdfast.download("ledger", GAUSS)
    result = holdfast.once().exits(3)
    assert not cloud.writes
    result.none("compliant", "download-authorized")


def test_list_of_ids(holdfast, cloud):
    ids = [cloud.gauss.add_backup(f"b{i}", GAUSS, age=DAY * i) for i in range(4)]
    holdfast.download("ledger", GAUSS, backups=ids[:3])
    result = holdfast.once().exits(0)
    assert sorted(cloud.gauss.grants) == sorted(ids[:3])
    assert len(result.named("download-authorized")) == 3
    holdfast.once().exits(0)
    assert len(cloud.gauss.grants) == 3


def test_list_with_one_that_is_gone(holdfast, cloud):
    ids = [cloud.gauss.add_backup("b", GAUSS, age=DAY), identifier("gone", "br14")]
    holdfast.download("ledger", GAUSS, backups=ids)
    result = holdfast.once().exits(3)
    assert cloud.gauss.grants == ids[:1]
    assert len(result.named("download-authorized")) == 1


def test_list_grown(holdfast, cloud):
    ids = [cloud.gauss.add_backup(f"b{i}", GAUSS, age=DAY * i) for i in range(2)]
    holdfast.download("ledger", GAUSS, backups=ids[:1])
    holdfast.once().exits(0)
    holdfast.download("ledger", GAUSS, backups=ids)
    holdfast.once().exits(0)
    assert cloud.gauss.grants == ids


def test_reauthorize(holdfast, cloud):
    backup = cloud.gauss.add_backup("b", GAUSS, age=DAY)
    holdfast.download("ledger", GAUSS, reauthorize="2s")
    holdfast.once().exits(0)
    time.sleep(3.1)     # the cloud's Date has whole seconds
    holdfast.once().exits(0)
    assert cloud.gauss.grants == [backup] * 2


@pytest.mark.parametrize("backups", [[], [("a", "BUILDING")], [("a", "FAILED"), ("b", "DELETING")]])
def test_nothing_completed(holdfast, cloud, backups):
    for name, status in backups:
        cloud.gauss.add_backup(name, GAUSS, age=60, status=status)
    holdfast.download("ledger", GAUSS)
    result = holdfast.once().exits(3)
    assert not cloud.writes
    result.none("compliant", "download-authorized")


def test_refused(holdfast, cloud):
    cloud.gauss.add_backup("b", GAUSS, age=DAY)
    cloud.fault(path="authorization", status=403, body={"error_code": "DBS.200010", "error_msg": "Not permitted."})
    holdfast.download("ledger", GAUSS)
    result = holdfast.once().exits(3)
    assert result.one("remediation-failed")["HOLDFAST_ERROR_CODE"] == "DBS.200010"
    assert len(cloud.writes) == 1


@pytest.mark.parametrize("body", [
    {}, {"bucket": "b"}, {"bucket": 1, "file_paths": ["x"]}, {"bucket": "b", "file_paths": "x"},
    {"bucket": "b", "file_paths": [1]}, [],
])
def test_unreadable_grant(holdfast, cloud, body):
    """A 200 that does not say bucket and paths is no proof of a grant."""
    cloud.gauss.add_backup("b", GAUSS, age=DAY)
    cloud.fault(path="authorization", effect=True, patch=lambda _: body)
    holdfast.download("ledger", GAUSS)
    holdfast.once().exits(3).none("download-authorized", "compliant")


def test_killed_after_the_grant(holdfast, cloud):
    """Recorded before anything else happens: a grant seen by holdfast is not asked for again."""
    backup = cloud.gauss.add_backup("b", GAUSS, age=DAY)
    holdfast.download("ledger", GAUSS, poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("download-authorized")
    daemon.kill()
    holdfast.once().exits(0)
    assert cloud.gauss.grants == [backup]


def test_policy_taken_away_and_given_back(holdfast, cloud):
    """What was granted stays known, whether or not there is a policy for it just now."""
    backup = cloud.gauss.add_backup("b", GAUSS, age=DAY)
    holdfast.download("ledger", GAUSS, poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("download-authorized")
    time.sleep(0.5)
    (holdfast.instances / "ledger.yaml").unlink()
    daemon.reload()
    holdfast.download("ledger", GAUSS, poll="1s")
    daemon.reload()
    n = len(cloud.requests("gaussdb", "GET"))
    cloud.wait_for(n + 2, service="gaussdb", method="GET")
    assert cloud.gauss.grants == [backup]


@pytest.mark.parametrize("patch", [
    lambda body: {}, lambda body: {"backups": None, "total_count": 1}, lambda body: body | {"backups": [1]},
    lambda body: body | {"backups": [{k: v for k, v in b.items() if k != "id"} for b in body["backups"]]},
    lambda body: body | {"backups": [b | {"id": "../../etc"} for b in body["backups"]]},
    lambda body: body | {"backups": [b | {"begin_time": "x", "end_time": "y"} for b in body["backups"]]},
], ids=["empty", "null", "numbers", "without id", "id is a path", "times"])
def test_unreadable_list(holdfast, cloud, patch):
    cloud.gauss.add_backup("b", GAUSS, age=DAY)
    cloud.fault(method="GET", service="gaussdb", patch=patch)
    holdfast.download("ledger", GAUSS)
    holdfast.once().exits(3)
    assert not cloud.writes


def test_list_that_never_ends(holdfast, cloud):
    """A hundred more on every page: holdfast gives up in the end."""
    holdfast.configure(http={"rate": "10000/s"})
    backup = cloud.gauss.add_backup("b", GAUSS, age=DAY)
    entry = cloud.gauss.backups[0]
    cloud.fault(method="GET", service="gaussdb",
                patch=lambda body: {"backups": [entry] * 100, "total_count": 10 ** 12})
    holdfast.download("ledger", GAUSS)
    holdfast.once(timeout=60)
    assert cloud.gauss.grants in ([], [backup])
