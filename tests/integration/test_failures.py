# SPDX-License-Identifier: Apache-2.0
"""A network and a cloud that fail: nothing is guessed, nothing is hidden, nobody is hammered."""

import socket
import threading
import time

import pytest

from harness import wait_until
from services import DAY, identifier


def held(cloud, since, remains):
    now = cloud.now()
    return {"start": now - since * DAY, "end": now + remains * DAY}


def assert_unknown(result, cloud):
    result.exits(3)
    assert not cloud.writes
    result.none("compliant", "drift", "remediated", "lock-enabled", "lock-lapsed")


# Nobody there

def test_connection_refused(holdfast, cloud):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        holdfast.configure(endpoints={"taurusdb": f"https://127.0.0.1:{s.getsockname()[1]}"})
        holdfast.encryption("orders")
        result = holdfast.once(timeout=60)
    assert_unknown(result, cloud)
    assert result.named("api-failing") and int(result.named("api-failing")[0]["PRIORITY"]) == 4


def test_name_that_does_not_resolve(holdfast, cloud):
    holdfast.configure(endpoints={"taurusdb": "https://gaussdb.example.invalid"})
    holdfast.encryption("orders")
    assert_unknown(holdfast.once(timeout=60), cloud)


def test_unknown_authority(holdfast, cloud):
    holdfast.configure(http={"ca_file": None})
    holdfast.encryption("orders")
    result = holdfast.once(timeout=60)
    assert_unknown(result, cloud)
    assert not cloud.log and cloud.tls_failures


def test_certificate_of_another_host(make_cloud, make_holdfast):
    cloud = make_cloud(certificate="other")
    holdfast = make_holdfast(cloud)
    holdfast.encryption("orders")
    assert_unknown(holdfast.once(timeout=60), cloud)
    assert not cloud.log


def test_ca_file_that_is_missing(holdfast, cloud):
    holdfast.configure(http={"ca_file": str(holdfast.folder / "nowhere.pem")})
    holdfast.encryption("orders")
    result = holdfast.once(timeout=60)
    assert result.rc in (1, 3, 78) and not cloud.log


@pytest.mark.parametrize("kind", ["missing", "folder", "there"])
def test_ca_file_is_checked(holdfast, cloud, kind):
    """--check says what a start would say of it."""
    file = holdfast.folder / "some.pem"
    if kind == "folder":
        file.mkdir()
    elif kind == "there":
        file.write_bytes(cloud.ca_file.read_bytes())
    holdfast.configure(http={"ca_file": str(file)})
    holdfast.encryption("orders")
    result = holdfast.run("--check", log="text").exits(0 if kind == "there" else 78)
    assert (f"holdfast.yaml: http.ca_file: found {file}, which cannot be read" in result.stderr) == (kind != "there")
    assert not cloud.log


def test_accepts_and_says_nothing(holdfast, cloud):
    """A connection that is taken, and no handshake: the connect time-out ends it."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(16)
        holdfast.configure(endpoints={"taurusdb": f"https://127.0.0.1:{s.getsockname()[1]}"},
                           http={"connect_timeout": "1s", "timeout": "2s"})
        holdfast.encryption("orders")
        result = holdfast.once(timeout=60)
    assert_unknown(result, cloud)


def test_proxy_from_the_environment_is_not_used(holdfast, cloud):
    holdfast.env |= dict.fromkeys(("https_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    holdfast.encryption("orders")
    holdfast.once().exits(0)


# Answers that are none

def error(code, message="said by the fake cloud"):
    return {"error_code": code, "error_msg": message}


BAD = {
    "html": {"status": 200, "body": b"<html><body>Welcome to the proxy</body></html>"},
    "empty": {"status": 200, "body": b""},
    "malformed": {"status": 200, "body": b'{"encryption_status": "off"'},
    "trailing": {"status": 200, "body": b'{"encryption_status": "off"} {"more": 1}'},
    "not utf-8": {"status": 200, "body": b'{"encryption_status": "off\xff\xfe"}'},
    "nul": {"status": 200, "body": b'{"encryption_status": "off\x00"}'},
    "deep": {"status": 200, "body": b'{"a":' * 20000},
    "number": {"status": 200, "body": b"17"},
    "truncated": {"truncate": True},
    "oversize": {"status": 200, "body": b'{"encryption_status": "off", "x": "' + b"x" * (2 << 20) + b'"}'},
    "no content": {"status": 204, "body": b""},
    "teapot": {"status": 418, "body": b"short and stout"},
    "duplicate": {"status": 200, "body": b'{"encryption_status": "maybe", "encryption_status": "perhaps"}'},
}


@pytest.mark.parametrize("what", BAD)
def test_answer_that_is_none(holdfast, cloud, what):
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    cloud.fault(method="GET", **BAD[what])
    assert_unknown(holdfast.once(timeout=60), cloud)


@pytest.mark.parametrize("what", ["html", "empty", "malformed", "truncated", "oversize", "number"])
def test_lock_answer_that_is_none(holdfast, cloud, what):
    holdfast.lock("orders", cloud.add_taurus("orders", lock=held(cloud, 30, 3)))
    cloud.fault(method="GET", **BAD[what])
    assert_unknown(holdfast.once(timeout=60), cloud)


STATUSES = [
    (400, error("DBS.280001"), "DBS.280001"),
    (401, error("APIGW.0303"), "APIGW.0303"),
    (403, error("DBS.200010"), "DBS.200010"),
    (403, {"error_code": "APIGW.0302", "error_msg": "no", "request_id": "r"}, "APIGW.0302"),
    (404, error("DBS.200002"), "DBS.200002"),
    (404, {"error_code": "APIGW.0101", "error_msg": "no", "request_id": "r"}, "APIGW.0101"),
    (403, {"error": {"error_code": "DBSS.10020100", "error_msg": "no"}}, "DBSS.10020100"),
    (400, {"error": {"code": 400, "message": "Bad", "title": "Bad Request"}}, "400"),
    (400, {"errorCode": "X.1", "errorMsg": "no"}, "X.1"),
    (405, b"<html>no</html>", None),
]


@pytest.mark.parametrize("status,body,code", STATUSES, ids=[f"{s}-{c}" for s, _, c in STATUSES])
def test_refusals_are_unknown_and_not_repeated(holdfast, cloud, status, body, code):
    """Not permitted, not offered, not found: none of them is "off", and none is tried again at once."""
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    cloud.fault(status=status, body=body)
    result = holdfast.once(timeout=60)
    assert_unknown(result, cloud)
    assert len(cloud.log) == 1
    if code and status != 401:
        assert any(e.get("HOLDFAST_ERROR_CODE") == code and str(e.get("HOLDFAST_HTTP_STATUS")) == str(status)
                   for e in result.events), result.stderr


def test_three_kinds_of_no_are_told_apart(holdfast, cloud):
    bodies = {"permit": (403, error("DBS.200010")), "offer": (404, error("APIGW.0101")),
              "find": (404, error("DBS.200002"))}
    for name, (status, body) in bodies.items():
        holdfast.encryption(name)
        cloud.fault(path=identifier(name, "in07"), status=status, body=body)
    result = holdfast.once(timeout=60).exits(3)
    sentences = {name: [e["MESSAGE"].replace(name, "").replace(identifier(name, "in07"), "") for e in result.events
                        if e.get("HOLDFAST_NAME") == name] for name in bodies}
    assert all(sentences.values()), sentences
    assert len({str(s) for s in sentences.values()}) == 3, sentences


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(holdfast, cloud, status):
    """Least of all with credentials on it."""
    instance = holdfast.encryption("orders")
    cloud.fault(service="taurusdb", status=status, body=b"",
                headers={"Location": cloud.origin("dbss") + f"/v3/x/instances/{instance.id}/backups/encryption"})
    assert_unknown(holdfast.once(timeout=60), cloud)
    assert not cloud.requests("dbss")


def test_slow_answer_times_out(holdfast, cloud):
    holdfast.configure(http={"timeout": "1s"})
    holdfast.encryption("orders")
    cloud.fault(delay=20)
    result = holdfast.once(timeout=60)
    assert_unknown(result, cloud)
    assert result.seconds < 18


class Raw:
    """A peer that answers every request with these bytes, in these pieces."""

    def __init__(self, *pieces, pause=0.0):
        self.pieces, self.pause, self.n = pieces, pause, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                try:
                    if connection.recv(65536):
                        self.n += 1
                    for piece in self.pieces:
                        connection.sendall(piece)
                        time.sleep(self.pause)
                except OSError:
                    pass

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


GOOD = b'{"encryption_status": "on"}'
ODD = {
    "chunked": (0, [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\n" + GOOD[:5] + b"\r\n",
                    b"%x\r\n" % len(GOOD[5:]) + GOOD[5:] + b"\r\n0\r\n\r\n"]),
    "by byte": (0, [bytes([b]) for b in b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n" + GOOD]),
    "http 1.0": (0, [b"HTTP/1.0 200 OK\r\n\r\n" + GOOD]),
    "continue": (0, [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n" + GOOD]),
    "chunk cut": (3, [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n" + GOOD]),
    "bad chunk": (3, [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + GOOD]),
    "no status": (3, [GOOD]),
    "bad length": (3, [b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n" + GOOD[:20]]),
    "nothing": (3, []),
    "status 0": (3, [b"HTTP/1.1 0 \r\n\r\n"]),
    "upgrade": (3, [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + GOOD]),
    "gzip claimed": (3, [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz"]),
    "flood": (3, [b"HTTP/1.1 200 OK\r\n\r\n"] + [b" " * 65536] * 400),
    "header flood": (3, [b"HTTP/1.1 200 OK\r\n"] + [b"X: " + b"y" * 60000 + b"\r\n"] * 400),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_http(holdfast, cloud, what):
    rc, pieces = ODD[what]
    peer = Raw(*pieces)
    holdfast.configure(endpoints={"taurusdb": peer.origin}, http={"timeout": "2s"})
    holdfast.encryption("orders")
    try:
        result = holdfast.once(timeout=60).exits(rc)
    finally:
        peer.close()
    assert peer.n >= 1
    result.none(*(["drift"] if rc == 0 else ["drift", "compliant"]))


def test_answer_drop_by_drop(holdfast, cloud):
    """A peer that keeps sending a little: the time-out is of the whole exchange."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        def drip():
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(1)
                    try:
                        connection.recv(65536)
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                        while not stop.is_set():
                            connection.sendall(b" ")
                            time.sleep(0.05)
                    except OSError:
                        pass
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        holdfast.configure(endpoints={"taurusdb": f"http://127.0.0.1:{server.getsockname()[1]}"},
                           http={"timeout": "1s"})
        holdfast.encryption("orders")
        try:
            result = holdfast.once(timeout=60)
        finally:
            stop.set()
            server.close()
    assert_unknown(result, cloud)
    assert result.seconds < 18


def test_endless_headers(holdfast, cloud):
    holdfast.encryption("orders")
    cloud.fault(status=200, body={"encryption_status": "on"}, headers={f"X-{i}": "x" * 8000 for i in range(90)})
    assert holdfast.once(timeout=60).rc in (0, 3)


def test_long_request_id_and_message(holdfast, cloud):
    """What a peer says is quoted and cut, not trusted: no line of the log is forged."""
    holdfast.encryption("orders")
    cloud.fault(status=403, body=error("DBS.200010", "no\n{\"HOLDFAST_EVENT\": \"compliant\"}\n\x1b[2J" + "x" * 200000),
                headers={"X-Request-Id": "r" * 5000})
    result = holdfast.once(timeout=60)
    assert_unknown(result, cloud)
    assert len(result.stderr) < 50000 and "\x1b" not in result.stderr


# Failing for a while

@pytest.mark.parametrize("fault", [
    {"status": 500, "body": error("DBS.108000")}, {"status": 502, "body": b"<html>"}, {"status": 503, "body": b""},
    {"status": 504, "body": error("APIGW.0203")}, {"status": 429, "body": error("APIGW.0308")},
    {"status": 409, "body": error("DBS.200019")}, {"status": 408, "body": b""}, {"close": True},
], ids=["500", "502", "503", "504", "429", "409", "408", "close"])
def test_retried_before_the_next_poll(holdfast, cloud, fault):
    holdfast.lock("orders", poll="1h")
    cloud.fault(method="GET", times=1, **fault)
    daemon = holdfast.start()
    daemon.wait_event("lock-enabled", timeout=10)
    assert [r.method for r in cloud.log] == ["GET", "GET", "PUT", "GET"]


def test_not_retried_before_the_next_poll(holdfast, cloud):
    holdfast.lock("orders", poll="1h")
    cloud.fault(method="GET", times=1, status=400, body=error("DBS.280001"))
    holdfast.start()
    cloud.wait_for(1)
    time.sleep(4)
    assert len(cloud.log) == 1


def test_retry_after_is_honoured(holdfast, cloud):
    holdfast.lock("orders", poll="1h")
    cloud.fault(method="GET", times=1, status=429, body=error("APIGW.0308"), headers={"Retry-After": "4"})
    daemon = holdfast.start()
    daemon.wait_event("lock-enabled", timeout=15)
    assert 3.9 <= cloud.log[1].at - cloud.log[0].at <= 12


@pytest.mark.parametrize("value", ["999999999999", "-5", "soon", "", "Wed, 21 Oct 2099 07:28:00 GMT", "1e9"])
def test_odd_retry_after(holdfast, cloud, value):
    """Never beyond what the next poll would do anyway."""
    holdfast.encryption("orders", poll="3s")
    cloud.fault(method="GET", times=1, status=429, body=error("APIGW.0308"), headers={"Retry-After": value})
    holdfast.start()
    found = cloud.wait_for(2, timeout=12)
    assert found[1].at - found[0].at <= 6


def test_write_that_is_busy_is_tried_again(holdfast, cloud):
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"), poll="3s")
    cloud.fault(method="POST", times=1, status=409, body=error("DBS.200019"))
    daemon = holdfast.start()
    daemon.wait_event("remediated", timeout=15)
    assert instance.encryption == "on"


def test_backoff_grows(holdfast, cloud):
    """A lock due in an hour is retried ever more seldom, not all the time."""
    holdfast.lock("orders", poll="1h")
    cloud.fault(status=503, body=b"")
    holdfast.start()
    cloud.wait_for(2)
    time.sleep(6)
    assert 2 <= len(cloud.log) <= 8


def test_outage_is_said_once(holdfast, cloud):
    for i in range(5):
        holdfast.encryption(f"orders{i}", poll="1s")
    daemon = holdfast.start()
    cloud.wait_for(5)
    cloud.fault(service="taurusdb", status=503, body=b"")
    failing = daemon.wait_event("api-failing")
    time.sleep(3)
    cloud.heal()
    recovered = daemon.wait_event("api-recovered", timeout=20)
    time.sleep(1.5)
    daemon.stop()
    out = daemon.output
    assert int(failing["PRIORITY"]) == 4 and int(recovered["PRIORITY"]) == 5
    assert any(c.isdigit() for c in recovered["MESSAGE"]), "with a count and the duration"
    # Of the endpoint once, or once of each instance; never one an attempt.
    assert len(out.named("api-failing")) <= 5
    keys = [(e.get("HOLDFAST_NAME"), e.get("HOLDFAST_CONTROL")) for e in out.named("api-failing")]
    assert len(keys) == len(set(keys))
    assert len(out.named("api-recovered")) == len(keys)


def test_unknown_after_three_polls(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    cloud.fault(status=403, body=error("DBS.200010"))
    daemon = holdfast.start()
    event = daemon.wait_event("unknown", timeout=15)
    assert 3 <= len(cloud.log) <= 4
    assert int(event["PRIORITY"]) == 4 and event["HOLDFAST_CONTROL"] == "encryption"
    time.sleep(3)
    assert len(daemon.output.named("unknown")) == 1, "said once"
    cloud.heal()
    daemon.wait_event("compliant")


BROKEN_WRITES = (("taurusdb", "POST", "encryption"), ("taurusdb", "PUT", "vault"), ("dbss", "POST", "switch"),
                 ("gaussdb", "POST", "authorization"))


def break_writes(holdfast, cloud):
    """Four controls that are to be put right, by a cloud that reads well and changes nothing."""
    gauss = identifier("gauss", "in14")
    cloud.gauss.add_backup("b", gauss, age=DAY)
    holdfast.encryption("enc", cloud.add_taurus("enc", encryption="off"), poll="1s")
    holdfast.lock("vault", poll="1s")
    holdfast.schedule("audit", poll="1s")
    holdfast.download("ledger", gauss, poll="1s")
    for service, method, path in BROKEN_WRITES:
        cloud.fault(service=service, method=method, path=path, status=500, body={"error_code": "DBS.200000", "error_msg": "boom"})


def test_changes_that_fail_for_ever_are_said(holdfast, cloud):
    """A server's error may pass by the next poll, and is no news then; one that stays is a person's business."""
    break_writes(holdfast, cloud)
    daemon = holdfast.start()
    for name in ("enc", "vault", "audit", "ledger"):
        event = daemon.wait_event("remediation-failed", timeout=30, name=name)
        assert int(event["PRIORITY"]) == 3 and "could not be" in event["MESSAGE"]
        assert len(cloud.writes) > 1
    time.sleep(3)
    for name in ("enc", "vault", "audit", "ledger"):
        daemon.output.one("remediation-failed", name=name)


def test_changes_that_fail_are_said_by_once(holdfast, cloud):
    break_writes(holdfast, cloud)
    result = holdfast.once(timeout=60)
    result.exits(3)
    for name in ("enc", "vault", "audit", "ledger"):
        result.one("remediation-failed", name=name)


def test_change_that_fails_twice_is_no_news(holdfast, cloud):
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"), poll="5s")
    cloud.fault(method="POST", status=500, times=2)
    daemon = holdfast.start()
    daemon.wait_event("remediated")
    daemon.output.none("remediation-failed")


def test_a_bad_instance_does_not_delay_others(holdfast, cloud):
    bad = holdfast.encryption("bad", poll="1s")
    good = [holdfast.encryption(f"good{i}", poll="1s") for i in range(5)]
    cloud.fault(path=bad.id, delay=4)
    holdfast.start()
    cloud.wait_for(1, path=bad.id, timeout=10)
    cloud.wait_for(1, path=good[0].id, timeout=15)
    time.sleep(4)
    for instance in good:
        times = [r.at for r in cloud.requests(path=instance.id)]
        assert len(times) >= 3 and max(b - a for a, b in zip(times, times[1:])) < 2.5, times


def test_instances_that_hang_do_not_delay_others(holdfast, cloud):
    """More of them than signatures may be in doubt at a time: those that wait for the service are in doubt no more."""
    holdfast.configure(http={"timeout": "30s"})
    bad = [holdfast.lock(f"bad{i}", poll="1s") for i in range(3)] + [holdfast.encryption(f"worse{i}", poll="1s") for i in range(3)]
    good = [holdfast.lock(f"lock{i}", poll="1s") for i in range(2)] + [holdfast.encryption(f"good{i}", poll="1s") for i in range(3)]
    daemon = holdfast.start()
    for instance in bad + good:
        cloud.wait_for(2, path=instance.id)
    cloud.fault(method="GET", path="|".join(i.id for i in bad), delay=60)
    began = cloud.now()
    wait_until(lambda: sum(r.fault is not None for r in cloud.log) == len(bad))
    time.sleep(6)
    for instance in good:
        times = [began] + [r.at for r in cloud.requests(method="GET", path=instance.id) if r.at >= began] + [cloud.now()]
        assert max(b - a for a, b in zip(times, times[1:])) < 3.5, times
    assert not daemon.output.named("unknown") and not daemon.output.named("api-failing")
    assert not cloud.signature_failures
    daemon.kill()


def test_a_bad_service_does_not_delay_others(holdfast, cloud):
    holdfast.schedule("audit", poll="1s")
    good = holdfast.encryption("orders", poll="1s")
    cloud.fault(service="dbss", delay=4)
    holdfast.start()
    cloud.wait_for(1, path=good.id, timeout=15)
    time.sleep(4)
    times = [r.at for r in cloud.requests(path=good.id)]
    assert len(times) >= 3 and max(b - a for a, b in zip(times, times[1:])) < 2.5, times


def test_max_connections(holdfast, cloud):
    holdfast.configure(http={"max_connections": 2, "rate": "1000/s"})
    for i in range(8):
        holdfast.encryption(f"orders{i}")
    cloud.fault(delay=0.3, skip=1)
    holdfast.once(timeout=60).exits(0)
    times = sorted(r.at for r in cloud.log)
    assert all(times[i + 2] - times[i] >= 0.25 for i in range(1, len(times) - 2)), times


def test_rate(holdfast, cloud):
    """10 a second with a burst of 10: thirty take two seconds."""
    holdfast.configure(http={"rate": "10/s"})
    for i in range(30):
        holdfast.encryption(f"orders{i}")
    holdfast.once(timeout=60).exits(0)
    times = sorted(r.at for r in cloud.log)
    assert len(times) == 30 and times[-1] - times[0] >= 1.8


def test_server_that_closes_each_connection(holdfast, cloud):
    holdfast.configure(http={"max_connections": 2})
    for i in range(10):
        holdfast.encryption(f"orders{i}", cloud.add_taurus(f"orders{i}", encryption="off"))
    cloud.fault(headers={"Connection": "close"})
    holdfast.once(timeout=60).exits(0)
    assert all(i.encryption == "on" for i in cloud.taurus.values())
