# SPDX-License-Identifier: Apache-2.0
"""The daemon on D-Bus: a bus of one's own, real clients, floods, and a bus that comes and goes."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import bus as dbus
from bus import BUSCTL, DAEMON, NOBODY, NO_NAMES, OPEN, PEER, STRICT, Bus, Refused
from harness import KMS_KEY, to_yaml, wait_until

pytestmark = pytest.mark.skipif(not (DAEMON and BUSCTL and PEER), reason="needs dbus-daemon, busctl and HOLDFAST_BUS_PEER")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def make_bus():
    made = []

    # Not in pytest's folder: others must get through to the socket.
    with tempfile.TemporaryDirectory(prefix="holdfast-bus-") as folder:
        Path(folder).chmod(0o755)

        def make(rules=OPEN):
            made.append(Bus(Path(folder) / str(len(made)), rules))
            return made[-1]

        yield make
        for bus in made:
            bus.finish()


@pytest.fixture
def bus(make_bus):
    return make_bus().start()


def fleet(holdfast, n, poll="1s"):
    """Instances orders-0 and on, all in one file."""
    taurus = [holdfast.cloud.add_taurus(f"orders-{i}") for i in range(n)]
    holdfast.policy("fleet", *[
        {"name": f"orders-{i}", "service": "taurusdb", "instance_id": t.id,
         "encryption": {"expect": "on", "kms_key_id": KMS_KEY, "poll": poll}} for i, t in enumerate(taurus)])
    return taurus


def start(holdfast, bus):
    daemon = holdfast.start(env=bus.env)
    bus.wait_name()
    return daemon


def wait_verdict(bus, name, verdict, timeout=15):
    wait_until(lambda: bus.instance(name)[0]["Verdict"] == verdict, timeout, f"{name} {verdict}")


# What is shown

def test_introspection(holdfast, bus):
    holdfast.encryption("orders")
    start(holdfast, bus)
    xml, = bus.busctl("call", dbus.NAME, dbus.PATH, "org.freedesktop.DBus.Introspectable", "Introspect")["data"]
    for kind, names in (("method", "GetInstance ListInstances ListEndpoints Reload Reconcile Thaw"),
                        ("signal", "ControlChanged Reloaded"), ("property", "NControls NextLockUSec CredentialsState")):
        for name in names.split():
            assert f'<{kind} name="{name}"' in xml


def test_one_instance(holdfast, bus, cloud):
    taurus = holdfast.encryption("orders", poll="1s")
    taurus.encryption = "off"
    before = time.time()
    start(holdfast, bus)
    wait_verdict(bus, "orders", "compliant")

    control, = bus.instance("orders")
    assert control["Name"] == "orders"
    assert control["InstanceId"] == taurus.id
    assert control["Control"] == "encryption"
    assert control["Mode"] == "enforce"
    assert control["File"] == "orders.yaml"
    assert control["Endpoint"] == cloud.origin("taurusdb")
    assert KMS_KEY in control["Wanted"]
    for key in ("SinceUSec", "LookedAtUSec"):
        assert before - 1 <= control[key] / 1e6 <= time.time(), key
    assert "Failure" not in control


def test_last_change(holdfast, bus, cloud):
    taurus = holdfast.encryption("orders", poll="1s")
    daemon = start(holdfast, bus)
    wait_verdict(bus, "orders", "compliant")
    assert "ChangedAs" not in bus.instance("orders")[0]
    with cloud.lock:
        taurus.encryption = "off"
    event = daemon.wait_event("remediated")
    control, = bus.instance("orders")
    assert control["ChangedAs"] == "remediated"
    assert control["ChangedRequestId"] == event["HOLDFAST_REQUEST_ID"]
    assert abs(control["ChangedAtUSec"] / 1e6 - time.time()) < 30


def test_why_it_is_unknown(holdfast, bus, cloud):
    holdfast.encryption("orders", poll="1s")
    cloud.fault(service="taurusdb", status=403, body={"error_code": "DBS.200011", "error_msg": "not yours"})
    start(holdfast, bus)
    wait_until(lambda: "Failure" in bus.instance("orders")[0], what="a failure")
    control, = bus.instance("orders")
    assert control["Verdict"] == "unknown"
    assert control["FailureHTTPStatus"] == 403
    assert control["UnknownSinceUSec"] / 1e6 <= time.time()
    assert bus.get("NUnknown") == 1

    cloud.heal()
    wait_verdict(bus, "orders", "compliant")
    assert "Failure" not in bus.instance("orders")[0]


def test_properties(holdfast, bus):
    holdfast.encryption("orders", poll="1s")
    holdfast.lock("ledger")
    before = time.time()
    start(holdfast, bus)
    wait_until(lambda: bus.get("NCompliant") == 2, what="both as written")
    assert bus.get("NPolicies") == 2
    assert bus.get("NControls") == 2
    assert bus.get("NextLockName") == "ledger"
    assert bus.get("NextLockUSec") / 1e6 > before + 20 * 86400
    assert bus.get("CredentialsSource") == "environment"
    assert bus.get("CredentialsState") == "accepted"
    assert abs(bus.get("ContactAtUSec") / 1e6 - time.time()) < 10
    assert bus.get("StateDirectory") == str(holdfast.state)
    assert bus.get("StateFailing") is False
    assert bus.get("Mode") == "enforce"


def test_signals(holdfast, bus, cloud):
    taurus = holdfast.encryption("orders", poll="1s", key=None)
    start(holdfast, bus)
    wait_verdict(bus, "orders", "compliant")
    listener = bus.peer("listen", 4)
    with cloud.lock:
        taurus.encryption = "off"
    said = listener.wait().splitlines()
    assert "ControlChanged orders encryption violated" in said
    told = [line for line in said if line.startswith("PropertiesChanged")]
    assert 1 <= len(told) <= 5, said


# What can be done

def test_reload(holdfast, bus):
    holdfast.encryption("orders")
    daemon = start(holdfast, bus)
    holdfast.encryption("payroll")
    (holdfast.instances / "broken.yaml").write_text("name: [\n")
    assert bus.call("Reload") == [1]
    assert bus.get("NPolicies") == 2        # at once: the call returns when it is done
    assert bus.get("NRejected") == 1
    assert bus.get("ReloadedUSec") > 0
    daemon.output.one("reloaded")
    assert daemon.drain().count("RELOADING=1") == 1
    assert bus.instance("payroll")


def test_several_reloads_at_once(holdfast, bus):
    """All are answered, by reloads that have read what there was when they asked; a caller that does not wait holds nothing up."""
    holdfast.many(2000)
    daemon = start(holdfast, bus)
    impatient = bus.spawn("Reload")
    impatient.kill()
    impatient.wait()
    callers = [bus.spawn("Reload") for _ in range(5)]
    for caller in callers:
        out, _ = caller.communicate(timeout=60)
        assert caller.returncode == 0 and json.loads(out)["data"] == [0]
    daemon.drain()
    told = [line for line in daemon.notified if line in ("READY=1", "RELOADING=1")]
    assert told == ["READY=1"] + ["RELOADING=1", "READY=1"] * (len(told) // 2)


def test_reload_of_broken_settings_says_so(holdfast, bus):
    holdfast.encryption("orders")
    start(holdfast, bus)
    holdfast.config.write_text("regoin: nowhere\n")
    with pytest.raises(Refused, match="regoin"):
        bus.call("Reload")
    assert bus.get("NPolicies") == 1


def test_reconcile(holdfast, bus, cloud):
    holdfast.encryption("orders", poll="1d")
    holdfast.encryption("payroll", poll="1d")
    start(holdfast, bus)
    wait_until(lambda: bus.get("NCompliant") == 2, what="both as written")
    n = len(cloud.requests("taurusdb"))
    looked = bus.instance("orders")[0]["LookedAtUSec"]

    assert bus.call("Reconcile", "as", 1, "orders") == [1]
    wait_until(lambda: bus.instance("orders")[0]["LookedAtUSec"] > looked, what="another look")
    assert len(cloud.requests("taurusdb")) == n + 1
    with pytest.raises(Refused, match='No policy in force has the name "ordders"'):
        bus.call("Reconcile", "as", 2, "orders", "ordders")


def test_thaw(holdfast, bus, cloud):
    holdfast.lock("orders")
    daemon = start(holdfast, bus)
    wait_verdict(bus, "orders", "compliant")
    assert daemon.stop() == 0
    subprocess.run(["sqlite3", str(holdfast.state / "holdfast.db"),
                    "UPDATE endpoint SET frozen = 1, frozen_why = 'for a test';"
                    f"INSERT OR IGNORE INTO endpoint VALUES ('{cloud.origin('taurusdb')}', 'taurusdb', '', 1, 1767225600000000, "
                    "'for a test', 0, 0)"], check=True)
    daemon = start(holdfast, bus)
    wait_verdict(bus, "orders", "compliant")
    assert bus.get("NFrozen") == 1
    assert bus.instance("orders")[0]["FrozenWhy"] == "for a test"
    with pytest.raises(Refused, match="No endpoint has the origin"):
        bus.call("Thaw", "s", "https://elsewhere.example.com")
    assert bus.call("Thaw", "s", cloud.origin("taurusdb")) == [1]
    assert bus.call("Thaw", "s", "") == [0]
    assert bus.get("NFrozen") == 0
    daemon.wait_event("lock-thawed")


# Who may

@as_root
def test_policy_of_the_bus(holdfast, make_bus):
    bus = make_bus(STRICT).start()
    holdfast.encryption("orders")
    start(holdfast, bus)
    assert bus.instance("orders")
    for act in (lambda: bus.instance("orders", user=NOBODY), lambda: bus.get("NControls", user=NOBODY),
                lambda: bus.call("Reload", user=NOBODY), lambda: bus.call("Thaw", "s", "", user=NOBODY)):
        with pytest.raises(Refused, match="(?i)denied|rejected"):
            act()
    # But what it is may be known.
    reply = bus.busctl("call", dbus.NAME, dbus.PATH, "org.freedesktop.DBus.Introspectable", "Introspect", user=NOBODY)
    assert "GetInstance" in reply["data"][0]


@as_root
def test_signals_are_not_for_everybody(holdfast, make_bus, cloud):
    bus = make_bus(STRICT).start()
    taurus = holdfast.encryption("orders", poll="1s", key=None)
    start(holdfast, bus)
    wait_verdict(bus, "orders", "compliant")
    listener, stranger = bus.peer("listen", 4), bus.peer("listen", 4, user=NOBODY)
    with cloud.lock:
        taurus.encryption = "off"
    assert "ControlChanged orders encryption violated" in listener.wait()
    assert stranger.wait() == ""


@as_root
def test_others_may_not_act_whatever_the_bus_lets_through(holdfast, bus):
    holdfast.encryption("orders")
    daemon = start(holdfast, bus)
    assert bus.instance("orders", user=NOBODY)      # the bus lets everything through
    for method, args in (("Reload", ()), ("Reconcile", ("as", 0)), ("Thaw", ("s", ""))):
        with pytest.raises(Refused, match="(?i)access denied"):
            bus.call(method, *args, user=NOBODY)
    daemon.output.none("reloaded", "lock-thawed")
    assert bus.call("Reload") == [0]


@as_root
@pytest.mark.parametrize("answer", ["yes", "no", "challenge"])
def test_polkit(holdfast, bus, answer):
    holdfast.encryption("orders")
    daemon = start(holdfast, bus)
    polkit = bus.peer("polkit", answer)
    if answer == "yes":
        assert bus.call("Reload", user=NOBODY) == [0]
        daemon.wait_event("reloaded")
    else:
        expected = "(?i)access denied" if answer == "no" else "(?i)interactive"
        with pytest.raises(Refused, match=expected):
            bus.call("Reload", user=NOBODY, options=["--allow-interactive-authorization=no"])
        with pytest.raises(Refused, match=expected):
            bus.call("Thaw", "s", "", user=NOBODY)
        daemon.output.none("reloaded", "lock-thawed")
    assert bus.call("Reload") == [0]        # root is not asked about
    asked = polkit.end().splitlines()
    if answer == "yes":
        assert asked == ["system-bus-name org.holdfast1.reload 1"]
    else:
        assert asked == ["system-bus-name org.holdfast1.reload 0", "system-bus-name org.holdfast1.thaw 1"]


@as_root
def test_polkit_that_does_not_answer_holds_up_nobody(holdfast, bus, cloud):
    holdfast.encryption("orders", poll="1s")
    start(holdfast, bus)
    polkit = bus.peer("polkit", "yes")
    polkit.process.send_signal(signal.SIGSTOP)
    calls = [subprocess.Popen(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", BUSCTL, "--system",
                               f"--address={bus.address}", "--timeout=60", "call", dbus.NAME, dbus.PATH, dbus.MANAGER, "Reload"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
             for _ in range(70)]
    try:
        n = len(cloud.requests("taurusdb"))
        cloud.wait_for(n + 3, service="taurusdb")
        assert bus.instance("orders")
        # So many may wait, and no more.
        wait_until(lambda: sum(c.poll() is not None for c in calls) == 6, 30, "six calls refused")
        for call in calls:
            if call.poll() is not None:
                assert "Too many calls wait" in call.stderr.read()
        assert bus.call("Reload") == [0]        # root does not
    finally:
        for call in calls:
            call.kill()
            call.communicate(timeout=10)


# Floods and nonsense

def polls_go_on(cloud, during, seconds_between=4):
    """Runs @during; the cloud was asked all the while."""
    began = time.time()
    result = during()
    ended = time.time()
    asked = sorted(r.at - cloud.skew for r in cloud.requests("taurusdb") if began <= r.at - cloud.skew <= ended)
    gaps = [b - a for a, b in zip([began, *asked], [*asked, ended])]
    assert max(gaps) < seconds_between, gaps
    return result


def test_a_thousand_calls_a_second(holdfast, bus, cloud):
    fleet(holdfast, 20)
    daemon = start(holdfast, bus)
    wait_until(lambda: bus.get("NCompliant") == 20, what="all as written")
    floods = [bus.peer("flood", 4) for _ in range(3)]
    said = polls_go_on(cloud, lambda: [f.wait() for f in floods])
    answered = refused = 0
    for line in said:
        a, r, seconds = re.fullmatch(r"answered (\d+) refused (\d+) seconds ([\d.]+)\n", line).groups()
        answered += int(a) / float(seconds)
        refused += int(r)
    assert refused > 0                      # every sixteenth call asks for nobody
    assert answered > 1000, f"{answered:.0f} calls a second"
    assert bus.get("NCompliant") == 20
    assert daemon.stop() == 0


def test_nonsense(holdfast, bus, cloud):
    fleet(holdfast, 3)
    start(holdfast, bus)
    said = polls_go_on(cloud, lambda: bus.peer("nonsense", 600).wait())
    assert said == "answered 0 refused 600\n"
    assert bus.get("NControls") == 3


def test_who_never_reads_and_goes_away(holdfast, bus, cloud):
    fleet(holdfast, 200, poll="5s")
    daemon = start(holdfast, bus)
    polls_go_on(cloud, lambda: [bus.peer("deaf", 300).wait() for _ in range(2)], seconds_between=8)
    wait_until(lambda: bus.get("NCompliant") == 200, 30, "all as written")
    assert daemon.process.poll() is None


def test_ten_thousand_instances(holdfast, bus, cloud):
    n = 10000
    for i in range(0, n, 500):
        documents = [to_yaml({"name": f"i{k:05}", "service": "taurusdb", "instance_id": f"{k:032x}in07",
                              "encryption": {"expect": "on", "poll": "1d"}}) for k in range(i, i + 500)]
        holdfast.policy(f"fleet-{i:05}", *documents)
    taurus = holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start(env=bus.env, ready=False)
    daemon.wait_notify("READY=1", timeout=90)
    bus.wait_name()

    names = []
    while True:
        total, page = bus.list(len(names))
        assert total == n + 1
        names += [c["Name"] for c in page]
        if not page:
            break
    assert names == sorted(names)
    assert len(set(names)) == n + 1
    assert bus.list(7, 3)[1][0]["Name"] == "i00007"
    assert len(bus.list(0, 4000000000)[1]) == 1000
    assert cloud.requests("taurusdb", path=taurus.id)
    assert daemon.stop() == 0


# A bus that is not there, not ours, or goes

def test_no_bus_is_no_failure(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    cloud.wait_for(3, service="taurusdb")
    lines = [e for e in daemon.output.events if "system bus" in e["MESSAGE"]]
    assert [e["PRIORITY"] for e in lines] in ([6], ["6"]), lines
    assert daemon.stop() == 0


def test_joins_a_bus_that_appears(holdfast, make_bus, cloud):
    bus = make_bus()
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start(env=bus.env)
    cloud.wait_for(2, service="taurusdb")
    bus.start()
    bus.wait_name()
    wait_verdict(bus, "orders", "compliant")
    assert daemon.stop() == 0


def test_bus_goes_and_comes(holdfast, bus, cloud):
    taurus = holdfast.encryption("orders", poll="1s")
    daemon = start(holdfast, bus)
    for _ in range(2):
        wait_verdict(bus, "orders", "compliant")
        bus.stop()
        with cloud.lock:
            taurus.encryption = "off"
        n = len(daemon.output.named("remediated"))
        daemon.wait_event("remediated", n=n + 1)        # enforcing goes on without it
        bus.start()
        bus.wait_name()
    wait_verdict(bus, "orders", "compliant")
    assert daemon.stop() == 0


def test_bus_that_hangs_holds_up_nothing(holdfast, bus, cloud):
    holdfast.encryption("orders", poll="1s")
    daemon = start(holdfast, bus)
    wait_verdict(bus, "orders", "compliant")
    bus.process.send_signal(signal.SIGSTOP)
    try:
        polls_go_on(cloud, lambda: time.sleep(5))
    finally:
        bus.process.send_signal(signal.SIGCONT)
    wait_verdict(bus, "orders", "compliant")
    assert daemon.stop() == 0


def test_start_on_a_bus_that_hangs(holdfast, bus, cloud):
    holdfast.encryption("orders", poll="1s")
    bus.process.send_signal(signal.SIGSTOP)
    try:
        daemon = holdfast.start(env=bus.env)            # ready within the harness's patience
        cloud.wait_for(2, service="taurusdb")
    finally:
        bus.process.send_signal(signal.SIGCONT)
    bus.wait_name(timeout=40)
    assert daemon.stop() == 0


def test_second_daemon_on_the_same_name_is_refused(make_holdfast, cloud, bus):
    first, second = make_holdfast(cloud), make_holdfast(cloud)
    first.encryption("orders", poll="1s")
    second.encryption("payroll", poll="1s")
    start(first, bus)
    daemon = second.start(env=bus.env, ready=False)
    assert daemon.wait() == 1
    assert any("another process has the name org.holdfast1" in e["MESSAGE"] for e in daemon.output.events), daemon.stderr
    daemon.output.none("started")
    assert bus.instance("orders")
    # What does not need the name is free to run.
    second.once(timeout=60).exits(0)


def test_name_that_is_taken_later_is_said(holdfast, make_bus, cloud):
    bus = make_bus()
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start(env=bus.env)
    daemon.process.send_signal(signal.SIGSTOP)
    bus.start()
    thief = bus.peer("take")
    daemon.process.send_signal(signal.SIGCONT)
    wait_until(lambda: any("it goes on enforcing" in e["MESSAGE"] for e in daemon.output.events), 40, "a word on it")
    n = len(cloud.requests("taurusdb"))
    cloud.wait_for(n + 2, service="taurusdb")
    thief.end()
    bus.wait_name(timeout=40)
    assert daemon.stop() == 0


def test_a_bus_that_does_not_give_the_name(holdfast, make_bus, cloud):
    bus = make_bus(NO_NAMES).start()
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start(env=bus.env)
    cloud.wait_for(2, service="taurusdb")
    lines = [e for e in daemon.output.events if "system bus" in e["MESSAGE"]]
    assert len(lines) == 1 and lines[0]["PRIORITY"] in (6, "6"), lines
    assert daemon.stop() == 0


def test_once_and_check_stay_off_the_bus(holdfast, bus):
    holdfast.encryption("orders")
    listener = bus.peer("take")             # whoever else wanted it would fail
    holdfast.env |= bus.env
    holdfast.once().exits(0)
    holdfast.run("--check", log=None).exits(0)
    listener.end()
