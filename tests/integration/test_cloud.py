# SPDX-License-Identifier: Apache-2.0
"""The fake cloud judged by a client of its own: rules, readings, units, faults, authentication."""

import http.client
import json
import ssl
import time

import pytest

import signing
from cloud import DOMAIN, PROJECT, REGION
from services import DAY, Lock


class Client:
    def __init__(self, cloud):
        self.cloud = cloud
        self.context = ssl.create_default_context(cafile=str(cloud.ca_file))

    def call(self, service, method, path, body=None, access=None, secret=None, date=None, headers=None, pairs=()):
        cloud = self.cloud
        host = cloud.origin(service).partition("://")[2]
        data = b"" if body is None else json.dumps(body).encode()
        query = "&".join(f"{signing.encode(k)}={signing.encode(v)}" for k, v in pairs)
        sent = {"content-type": "application/json"} | (headers or {})
        if "x-auth-token" not in sent and service != "metadata":
            sent["x-sdk-date"] = date or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(cloud.now()))
            sent["authorization"] = signing.authorization(
                access or cloud.access, secret or cloud.secret, method, path, pairs, sent | {"host": host}, data,
                sent["x-sdk-date"])
        kind = http.client.HTTPConnection if service == "metadata" else http.client.HTTPSConnection
        options = {} if service == "metadata" else {"context": self.context}
        connection = kind(host, timeout=5, **options)
        try:
            connection.request(method, path + ("?" + query if query else ""), data, sent)
            answer = connection.getresponse()
            text = answer.read()
            self.headers = answer.headers
            return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text.decode()
        finally:
            connection.close()


@pytest.fixture
def client(cloud):
    return Client(cloud)


def lock_path(instance):
    return f"/v3/{PROJECT}/instances/{instance.id}/backups/vault-lock"


def put(client, instance, days, action):
    return client.call("taurusdb", "PUT", lock_path(instance),
                       {"backup_vaultlock_info": {"lock_retention_days": days, "lock_policy": True}, "action": action})


def test_encryption(cloud, client):
    instance = cloud.add_taurus("orders", encryption="off")
    path = f"/v3/{PROJECT}/instances/{instance.id}/backups/encryption"
    assert client.call("taurusdb", "GET", path) == (200, {"encryption_status": "off"})
    switch = {"encryption_status": "on", "type": "kms", "kms_key_id": "k"}
    assert client.call("taurusdb", "POST", path, switch)[0] == 200
    assert instance.encryption == "on" and instance.kms_key_id == "k"
    assert client.call("taurusdb", "POST", path, {"encryption_status": "on"})[0] == 400
    assert len(cloud.violations) == 1
    cloud.violations.clear()


@pytest.mark.parametrize("reading,days", [("from-start", -10 + 40), ("from-now", 40), ("added", 5 + 40)])
def test_lock_readings(cloud, client, reading, days):
    now = cloud.now()
    instance = cloud.add_taurus("orders", lock={"start": now - 10 * DAY, "end": now + 5 * DAY}, reading=reading)
    assert put(client, instance, 40, "extend")[0] == 200
    assert abs(instance.lock.remaining_days() - days) < 0.001


def test_lock_never_shortened(cloud, client):
    now = cloud.now()
    lock = {"start": now - DAY, "end": now + 20 * DAY}
    silent = cloud.add_taurus("silent", lock=lock)
    strict = cloud.add_taurus("strict", lock=lock, shorten="refuse")
    assert put(client, silent, 3, "extend") == (200, {"result": "success"})
    assert put(client, strict, 3, "extend")[0] == 400
    assert silent.lock.end == strict.lock.end == lock["end"]


def test_lock_units_and_delay(cloud, client):
    for unit, scale in (("s", 1), ("ms", 1000)):
        instance = cloud.add_taurus(unit, unit=unit, visible_after=1)
        put(client, instance, 7, "enable")
        assert client.call("taurusdb", "GET", lock_path(instance))[1]["backup_vaultlock_info"]["lock_policy"] is False
        info = client.call("taurusdb", "GET", lock_path(instance))[1]["backup_vaultlock_info"]
        assert info["lock_end_time"] - info["lock_start_time"] == pytest.approx(7 * DAY * scale, abs=scale)
        assert info["lock_policy"] is True and info["lock_retention_days"] == 7


def test_lock_strictness(cloud, client):
    instance = cloud.add_taurus("orders")
    status, _ = client.call("taurusdb", "PUT", lock_path(instance), {"action": "enable"})
    assert status == 400 and cloud.violations and not instance.lock.puts
    cloud.violations.clear()


def test_lock_checks_bite():
    now = time.time()
    lock = Lock(lambda: now, start=now - 10 * DAY, end=now + 5 * DAY, reading="added")
    lock.write("extend", 40)
    with pytest.raises(AssertionError):
        lock.assert_cap(31)
    with pytest.raises(AssertionError):
        lock.assert_requests(31)
    lock.assert_cap(46)
    climb = Lock(lambda: now, start=now - 10 * DAY, end=now + 5 * DAY, reading="from-start")
    climb.write("extend", 25)
    climb.write("extend", 40)   # added is struck out by then: 5 + 40 is not held against it
    climb.assert_requests(31)


def test_switch(cloud, client):
    audit = cloud.add_audit("audit", zone_shift=8 * 3600)
    body = {"bucket_name": "b", "bucket_root_path": "", "cycle": "PER_DAY", "mode": "AUTO", "status": 1,
            "trigger_time": "2030-08-21 22:00:44"}
    path = f"/v1/{DOMAIN}/audit/{audit.id}/backup/switch"
    assert client.call("dbss", "POST", path, body) == (200, {"result": "SUCCESS"})
    shown = client.call("dbss", "GET", f"/v1/{PROJECT}/audit/{audit.id}/backup/template")[1]
    assert shown["trigger_time"] == "2030-08-22 06:00:44" and shown["status"] == 1
    assert client.call("dbss", "POST", path, body | {"status": "1"})[0] == 400
    cloud.violations.clear()


def test_download(cloud, client):
    ids = [cloud.gauss.add_backup(f"b{i}", "i" * 36, age=i * 3600) for i in range(150)]
    path = f"/v3.2/{PROJECT}/backups"
    first = client.call("gaussdb", "GET", path, pairs=[("limit", "100"), ("offset", "0")])[1]
    rest = client.call("gaussdb", "GET", path, pairs=[("limit", "100"), ("offset", "100")])[1]
    assert [b["id"] for b in first["backups"] + rest["backups"]] == ids and first["total_count"] == 150
    status, body = client.call("gaussdb", "POST", f"/v3/{PROJECT}/backups/{ids[0]}/download/authorization")
    assert status == 200 and body["bucket"] and cloud.gauss.grants == ids[:1]
    cloud.gauss.versions = {"v3"}
    assert client.call("gaussdb", "GET", path)[1]["error_code"] == "APIGW.0101"


def test_wrong_signatures_lock_the_key(cloud, client):
    instance = cloud.add_taurus("orders")
    path = lock_path(instance)
    for _ in range(6):
        assert client.call("taurusdb", "GET", path, secret="wrong")[0] == 401
    status, body = client.call("taurusdb", "GET", path)
    assert status == 401 and "reach the limit" in body["error_msg"]
    cloud.skew += 301
    assert client.call("taurusdb", "GET", path)[0] == 200


def test_old_date_refused(cloud, client):
    path = lock_path(cloud.add_taurus("orders"))
    for age, status in ((840, 200), (960, 401), (-960, 401)):
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(cloud.now() - age))
        assert client.call("taurusdb", "GET", path, date=date)[0] == status


def test_temporary_key_needs_its_token(cloud, client):
    access, secret, token = cloud.new_key(expires=cloud.now() + 60, temporary=True)
    path = lock_path(cloud.add_taurus("orders"))
    assert client.call("taurusdb", "GET", path, access=access, secret=secret)[0] == 401
    good = {"headers": {"x-security-token": token}, "access": access, "secret": secret}
    assert client.call("taurusdb", "GET", path, **good)[0] == 200
    cloud.keys[access].expires = cloud.now() - 1
    assert client.call("taurusdb", "GET", path, **good)[0] == 401


def test_token_by_password(cloud, client):
    cloud.iam.passwords["account", "user"] = "right"

    def ask(password):
        user = {"domain": {"name": "account"}, "name": "user", "password": password}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
                         "scope": {"project": {"name": REGION}}}}
        return client.call("iam", "POST", "/v3/auth/tokens", body, headers={"x-auth-token": ""},
                           pairs=[("nocatalog", "true")])

    assert ask("wrong")[0] == 401
    status, body = ask("right")
    token = client.headers["X-Subject-Token"]
    assert status == 201 and body["token"]["project"]["id"] == PROJECT
    path = lock_path(cloud.add_taurus("orders"))
    assert client.call("taurusdb", "GET", path, headers={"x-auth-token": token})[0] == 200
    cloud.expire_tokens()
    assert client.call("taurusdb", "GET", path, headers={"x-auth-token": token})[1]["error_code"] == "APIGW.0307"


def test_metadata(cloud, client):
    cloud.metadata.version = "v2-only"
    assert client.call("metadata", "GET", "/openstack/latest/securitykey")[0] == 401
    _, token = client.call("metadata", "PUT", "/meta-data/latest/api/token",
                           headers={"X-Metadata-Token-Ttl-Seconds": "60"})
    status, body = client.call("metadata", "GET", "/openstack/latest/securitykey", headers={"X-Metadata-Token": token})
    assert status == 200 and body["credential"]["access"] == cloud.metadata.keys[0]


def test_faults(cloud, client):
    instance = cloud.add_taurus("orders")
    cloud.fault(method="PUT", close=True, effect=True, times=1)
    with pytest.raises((http.client.HTTPException, OSError)):
        put(client, instance, 7, "enable")
    assert len(instance.lock.puts) == 1 and instance.lock.end
    cloud.fault(method="GET", status=503, body=b"<html>", times=1, skip=1, headers={"Retry-After": "9"})
    assert client.call("taurusdb", "GET", lock_path(instance))[0] == 200
    assert client.call("taurusdb", "GET", lock_path(instance)) == (503, "<html>")
    assert client.call("taurusdb", "GET", lock_path(instance))[0] == 200
    cloud.fault(truncate=True, times=1)
    with pytest.raises(http.client.IncompleteRead):
        client.call("taurusdb", "GET", lock_path(instance))
    cloud.fault(patch=lambda body: {"other": body}, times=1)
    assert "other" in client.call("taurusdb", "GET", lock_path(instance))[1]
    cloud.skew = 1200
    assert client.call("taurusdb", "GET", lock_path(instance))[0] == 200
    assert "GMT" in client.headers["Date"]
