# SPDX-License-Identifier: Apache-2.0
"""The control `encryption`."""

import json

import pytest

from cloud import PROJECT
from harness import KMS_KEY


def test_compliant(holdfast, cloud):
    for i in range(5):
        holdfast.encryption(f"orders{i}")
    result = holdfast.once().exits(0)
    assert not cloud.writes
    assert len(result.named("compliant", control="encryption")) == 5
    assert all(int(e["PRIORITY"]) == 6 for e in result.named("compliant"))
    result.none("drift", "remediated", "unknown", "api-failing")


@pytest.mark.parametrize("shown", ["ON", "On"])
def test_any_case_is_on(holdfast, cloud, shown):
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption=shown))
    holdfast.once().exits(0)
    assert not cloud.writes


def test_compliant_is_said_once(holdfast):
    holdfast.encryption("orders")
    assert len(holdfast.once().exits(0).named("compliant")) == 1
    assert not holdfast.once().exits(0).named("compliant")


def test_switched_on_and_read_back(holdfast, cloud):
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    result = holdfast.once().exits(0)
    assert instance.encryption == "on" and instance.kms_key_id == KMS_KEY
    assert [(r.method, r.status) for r in cloud.log] == [("GET", 200), ("POST", 200), ("GET", 200)]
    assert cloud.log[1].json == {"encryption_status": "on", "type": "kms", "kms_key_id": KMS_KEY}
    assert cloud.log[1].headers["content-type"].startswith("application/json")
    assert result.named("drift") and result.one("remediated")
    assert int(result.one("remediated")["PRIORITY"]) == 5
    assert result.names.index("drift") < result.names.index("remediated")
    assert result.one("remediated").get("HOLDFAST_REQUEST_ID", "").startswith("req-")
    assert holdfast.once().exits(0) and len(cloud.writes) == 1


def test_without_a_key_it_reports(holdfast, cloud):
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"), key=None)
    result = holdfast.once().exits(3)
    assert not cloud.writes and result.one("drift")["HOLDFAST_NAME"] == "orders"
    result.none("remediated", "remediation-failed", "compliant")
    assert not holdfast.once().exits(3).named("drift"), "a state that goes on is not repeated"


def test_accepted_without_effect(holdfast, cloud):
    instance = cloud.add_taurus("orders", encryption="off")
    instance.ignore_encryption = True
    holdfast.encryption("orders", instance)
    result = holdfast.once().exits(3)
    assert int(result.one("remediation-failed")["PRIORITY"]) == 3
    assert len(cloud.writes) == 1
    result.none("remediated", "compliant")


def test_refused(holdfast, cloud):
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    cloud.fault(method="POST", status=400, body={"error_code": "DBS.200506", "error_msg": "KMS key ID invalid."})
    result = holdfast.once().exits(3)
    failed = result.one("remediation-failed")
    assert failed["HOLDFAST_ERROR_CODE"] == "DBS.200506" and str(failed["HOLDFAST_HTTP_STATUS"]) == "400"
    assert len(cloud.writes) == 1
    result.none("remediated")


def test_lost_answer_is_read_back(holdfast, cloud):
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    cloud.fault(method="POST", effect=True, close=True, times=1)
    holdfast.once().exits(0)
    assert instance.encryption == "on" and len(cloud.writes) == 1
    assert [r.method for r in cloud.log] == ["GET", "POST", "GET"]


@pytest.mark.parametrize("found,rc,n_writes", [("off", 0, 0), ("on", 0, 1)])
def test_expect_off(holdfast, cloud, found, rc, n_writes):
    """Switching off takes the status alone; where it is reported only, that is a violation all the same."""
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption=found), key=None, expect="off")
    result = holdfast.once()
    if found == "off":
        result.exits(rc)
        assert not cloud.writes
    else:
        assert result.named("drift")
        if cloud.writes:
            assert [r.json for r in cloud.writes] == [{"encryption_status": "off"}] and instance.encryption == "off"
            result.exits(0)
        else:
            result.exits(3)


def test_request_headers(holdfast, cloud):
    holdfast.configure(language="zh-cn")
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    headers = cloud.log[0].headers
    assert headers["x-language"] == "zh-cn" and headers["x-project-id"] == PROJECT
    assert headers["user-agent"].startswith("holdfastd/")
    assert {"host", "x-sdk-date", "x-project-id"} <= set(
        headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";"))


@pytest.mark.parametrize("body", [
    {}, {"encryption_status": None}, {"encryption_status": 1}, {"encryption_status": "maybe"}, [], "on", None,
    {"encryption_status": {"on": True}}, {"encryption_status": True},
])
def test_unreadable_answers_are_unknown(holdfast, cloud, body):
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    cloud.fault(method="GET", status=200, body=json.dumps(body).encode())
    result = holdfast.once().exits(3)
    assert not cloud.writes
    result.none("drift", "compliant", "remediated")
