# SPDX-License-Identifier: Apache-2.0
"""What fails around it: the disk, the journal, the network, names, the clock."""

import contextlib
import os
import re
import signal
import socket
import struct
import threading
import time

import pytest

from host import DAY, Holdfast, days_left, taurus_id, writes
from machine import wait_until

DROP_INS = "/etc/systemd/system/holdfast.service.d"
LOCK = {"start": "-27d", "end": "+3d"}


@pytest.fixture(scope="module")
def cloud(make_cloud):
    return make_cloud({"taurusdb": {taurus_id(n): {"encryption": "off", "lock": LOCK} for n in range(1, 40)},
                       "dbss": {f"{99:032x}": {"schedule": "none", "zone": "+08:00"}}})


@pytest.fixture
def holdfast(machine, cloud):
    """Configured, off, with an empty state; with a short watchdog, which none of these faults may ever set off."""
    machine.run("systemctl stop holdfast; systemctl reset-failed holdfast; "
                f"rm -rf {DROP_INS} /var/lib/holdfast/* /etc/holdfast/instances.d/*.yaml")
    machine.drop_in("holdfast", "watchdog", "[Service]\nWatchdogSec=5s\nRestartSec=100ms\n")
    holdfast = Holdfast(machine, cloud).ready()
    cursor = holdfast.cursor()
    yield holdfast
    said = holdfast.said(cursor)
    assert "watchdog" not in said.lower() and "main process exited" not in said.lower(), said


def compliant(holdfast, n):
    return f"{n} compliant" in holdfast.machine.show("holdfast", "StatusText")


def wait_compliant(holdfast, n, timeout=30):
    wait_until(lambda: compliant(holdfast, n), timeout, lambda: f"{holdfast.machine.show('holdfast', 'StatusText')}\n{holdfast.said()}")


# The disk

@contextlib.contextmanager
def mounted_state(machine, options):
    """/var/lib/holdfast as a disk of its own."""
    machine.run(f"mount -t tmpfs -o {options},mode=0750,uid=$(id -u holdfast),gid=$(id -g holdfast) none /var/lib/holdfast")
    try:
        yield
    finally:
        machine.run("systemctl stop holdfast; umount /var/lib/holdfast")


def test_disk_full(holdfast):
    """No lock is written of which the intent could not be stored; it is said once, and heals by itself."""
    machine, cloud = holdfast.machine, holdfast.cloud
    with mounted_state(machine, "size=512k"):
        holdfast.lock("db1", 1).start()
        wait_compliant(holdfast, 1)
        machine.run("dd if=/dev/zero of=/var/lib/holdfast/other-files bs=4k || true")
        cursor = holdfast.cursor()
        holdfast.lock("db2", 2).encryption("db3", 3).systemctl("reload")
        failing = holdfast.wait_event("state-failing", cursor)
        assert failing["PRIORITY"] in "0123", failing
        time.sleep(2)                                   # two polls more
        assert writes(cloud, 2) == 0 and days_left(cloud, 2) < 4
        assert len(holdfast.events("state-failing", cursor)) <= 3, holdfast.said(cursor)

        machine.run("rm /var/lib/holdfast/other-files")
        holdfast.wait_event("state-recovered", cursor, timeout=90)
        wait_compliant(holdfast, 3, 60)
        assert days_left(cloud, 2) > 29 and writes(cloud, 2) <= 2
        assert machine.run("sqlite3 -readonly /var/lib/holdfast/holdfast.db 'PRAGMA integrity_check'").stdout.strip() == "ok"


def test_read_only_state(holdfast):
    """It starts, looks and reports; only locks wait. When the folder can be written to again, within half a minute, they are written."""
    machine, cloud, cursor = holdfast.machine, holdfast.cloud, holdfast.cursor()
    with mounted_state(machine, "ro"):
        holdfast.lock("db4", 4).encryption("db5", 5).start()
        failing = holdfast.wait_event("state-failing", cursor)
        assert "no lock is written" in failing["MESSAGE"], failing["MESSAGE"]
        holdfast.wait_event("drift", cursor, name="db4")
        assert holdfast.state == "active" and days_left(cloud, 4) < 4

        # As the daemon sees it: the unit has a mount of its own of it.
        machine.run(f"mount -o remount,rw /var/lib/holdfast; nsenter -t {holdfast.pid} -m mount -o remount,rw,bind /var/lib/holdfast")
        holdfast.wait_event("state-recovered", cursor, timeout=60)
        wait_until(lambda: days_left(cloud, 4) > 29, 30,
                   lambda: f"lock of db4 is extended ({machine.show('holdfast', 'StatusText')}); there was:\n{holdfast.said()}")


# The journal

def test_journal_stopped_and_started(holdfast):
    machine = holdfast.machine
    holdfast.encryption("db6", 6).start()
    holdfast.wait_remediated(6)
    pid = holdfast.pid
    machine.run("systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service", check=False)
    try:
        holdfast.switch_off(6)
        holdfast.wait_remediated(6)                     # what it does does not depend on who listens
    finally:
        machine.run("systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service")
    holdfast.switch_off(6)
    holdfast.wait_remediated(6)
    holdfast.wait_event("remediated", name="db6")
    assert holdfast.pid == pid


def test_journal_that_does_not_read(holdfast):
    """Stuck rather than stopped: its socket fills up, and whoever writes to it waits. Not holdfastd."""
    machine = holdfast.machine
    holdfast.encryption("db7", 7).start()
    holdfast.wait_remediated(7)
    pid, journald = holdfast.pid, machine.pid_outside(machine.show("systemd-journald", "MainPID"))
    os.kill(journald, signal.SIGSTOP)
    try:
        # The queue of a socket takes net.unix.max_dgram_qlen messages; others write too.
        machine.run("for i in $(seq 600); do timeout 0.05 logger --size 100 filler || break; done")
        for _ in range(3):
            holdfast.switch_off(7)
            holdfast.wait_remediated(7)
        time.sleep(6)                                   # longer than its watchdog allows for a loop that waits
        assert holdfast.pid == pid and holdfast.n_restarts == 0
    finally:
        os.kill(journald, signal.SIGCONT)
    holdfast.switch_off(7)
    holdfast.wait_remediated(7)
    wait_until(lambda: "did not take" in holdfast.said(), 10, lambda: f"that messages are missing is said; there was:\n{holdfast.said()}")


# The network

def test_network_down_for_a_while(holdfast, network):
    cloud = holdfast.cloud
    holdfast.encryption("db8", 8).start()
    wait_compliant(holdfast, 1)
    cursor = holdfast.cursor()
    network.down()
    try:
        failing = holdfast.wait_event("api-failing", cursor)
        assert "127.0.0.1" in failing["MESSAGE"]
        time.sleep(3)
        assert len(holdfast.events("api-failing", cursor)) == 1, holdfast.said(cursor)
        assert holdfast.state == "active"
    finally:
        network.up()
    holdfast.switch_off(8)
    holdfast.wait_remediated(8)
    assert re.search(r"[0-9]+ ", holdfast.wait_event("api-recovered", cursor)["MESSAGE"])
    assert cloud.instance(taurus_id(8))["encryption"]["status"] == "on"


def test_peer_that_never_answers(holdfast):
    """Connections are taken and nothing comes back: time-outs, and the loop turns."""
    cloud = holdfast.cloud
    holdfast.encryption("db9", 9).configure(http={"timeout": "2s"}).start()
    wait_compliant(holdfast, 1)
    cursor = holdfast.cursor()
    cloud.process.send_signal(signal.SIGSTOP)
    try:
        holdfast.wait_event("api-failing", cursor, timeout=30)
        assert holdfast.systemctl("reload", timeout=10).rc == 0
    finally:
        cloud.process.send_signal(signal.SIGCONT)
    holdfast.wait_event("api-recovered", cursor, timeout=60)


# Names

class NameServer:
    """127.0.0.1:53 of a network. Names that begin with "slow" are answered after @delay seconds, others never."""

    def __init__(self, network, delay):
        self.delay, self.asked, self.running = delay, [], True
        with network.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.0.0.1", 53))
        self.socket.settimeout(0.2)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while self.running:
            with contextlib.suppress(TimeoutError):
                question, peer = self.socket.recvfrom(4096)
                labels, at = [], 12
                while question[at]:
                    labels.append(question[at + 1:at + 1 + question[at]].decode())
                    at += 1 + question[at]
                self.asked.append(".".join(labels))
                if labels[0].startswith("slow"):
                    threading.Timer(self.delay, self.answer, (question, at + 5, peer)).start()

    def answer(self, question, end, peer):
        kind = struct.unpack(">H", question[end - 4:end - 2])[0]
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton("127.0.0.1") if kind == 1 else b""
        header = question[:2] + b"\x81\x80" + question[4:6] + struct.pack(">HHH", 1 if record else 0, 0, 0)
        with contextlib.suppress(OSError):
            self.socket.sendto(header + question[12:end] + record, peer)

    def close(self):
        self.running = False
        self.thread.join()
        self.socket.close()


def test_names_that_are_not_answered(holdfast, network):
    """Resolving blocks nobody: the watchdog is fed, and endpoints whose address is known go on as if nothing were."""
    machine, cloud = holdfast.machine, holdfast.cloud
    server = NameServer(network, delay=3)
    machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:3\n")
    try:
        holdfast.configure(endpoints={"dbss": "https://never.example:8443", "gaussdb": "https://slow.example:8443"})
        holdfast.policy("audit", service="dbss", instance_id=f"{99:032x}",
                        schedule={"status": "on", "mode": "AUTO", "cycle": "PER_DAY", "trigger_time": "2025-08-21 02:00:44",
                                  "timezone": "Asia/Singapore", "bucket_name": "cbh-ynf"})
        holdfast.policy("ledger", service="gaussdb", instance_id="1de27464abdf48519f8574c97a8f0625in14", download={"backups": "latest"})
        holdfast.encryption("db10", 10).start()
        pid = holdfast.pid
        for _ in range(8):                              # for longer than the watchdog and a resolver's patience allow
            holdfast.switch_off(10)
            started = time.monotonic()
            holdfast.wait_remediated(10)
            assert time.monotonic() - started < 4, "the loop was held up"
            time.sleep(1)
        never = wait_until(lambda: [e for e in holdfast.events("api-failing") if "never.example" in e["MESSAGE"]], 40, holdfast.said)
        assert re.search("resolv|timed out|timeout", never[0]["MESSAGE"], re.I), never[0]["MESSAGE"]
        # The slow answer came, in time for a connection: it has another host's certificate.
        slow = wait_until(lambda: [e for e in holdfast.events("api-failing") if "slow.example" in e["MESSAGE"]], 40, holdfast.said)
        assert slow
        assert holdfast.systemctl("reload", timeout=5).rc == 0
        started = time.monotonic()
        holdfast.systemctl("stop", timeout=30)
        assert time.monotonic() - started < 15
        assert {"never.example", "slow.example"} <= set(server.asked)
        assert pid and machine.show("holdfast", "Result") == "success"
        assert cloud.process.poll() is None
    finally:
        server.close()
        machine.write("/etc/resolv.conf", "")


# The clock

def test_clock_stepped_by_a_year_and_back(holdfast, preload):
    """Of the daemon alone, by libfaketime. The cloud says otherwise: that is told, no lock is written, and all goes on when it is right."""
    machine, cloud = holdfast.machine, holdfast.cloud
    clock = "/etc/holdfast-test-clock"
    library = machine.run("find /usr/lib -name libfaketime.so.1").stdout.strip()
    machine.write(clock, "+0s\n")
    machine.drop_in("holdfast", "clock",
                    f"[Service]\nEnvironment=LD_PRELOAD={preload}:{library} FAKETIME_TIMESTAMP_FILE={clock}\n"
                    "Environment=FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1\n")
    cloud.change(gateway={"tolerance": "1000d"})        # else a wrong clock would be a wrong signature, and the key locked out
    try:
        holdfast.lock("db11", 11).start()
        wait_until(lambda: days_left(cloud, 11) > 29, 30, lambda: f"the lock is extended; there was:\n{holdfast.said()}")
        for step in ("+366d", "-366d"):
            n = 12 if step[0] == "+" else 13
            cursor = holdfast.cursor()
            machine.write(clock, f"{step}\n")
            assert holdfast.wait_event("clock-skew", cursor, timeout=30)["PRIORITY"] == "3"
            holdfast.lock(f"db{n}", n).systemctl("reload")
            # In most cases the cloud's certificate is not valid at that time, so nothing can be read either.
            wait_until(lambda: holdfast.events("drift", cursor, name=f"db{n}") or holdfast.events("unknown", cursor, name=f"db{n}"), 30,
                       lambda: f"db{n} is looked at; there was:\n{holdfast.said(cursor)}")
            time.sleep(2)
            assert writes(cloud, n) == 0, f"a lock was written with a clock that is a year off:\n{holdfast.said(cursor)}"
            assert not holdfast.events("lock-frozen", cursor), holdfast.said(cursor)

            machine.write(clock, "+0s\n")
            wait_until(lambda: days_left(cloud, n) > 29, 60, lambda: f"the lock of db{n} is extended; there was:\n{holdfast.said(cursor)}")
            assert writes(cloud, n) == 1 and days_left(cloud, n) < 31
        assert days_left(cloud, 11) < 31 and days_left(cloud, 11) > 29
        assert abs(time.time() - float(machine.run("date +%s").stdout)) < 5 < DAY       # only the daemon's
    finally:
        cloud.change(gateway={"tolerance": "15m"})
