# SPDX-License-Identifier: Apache-2.0
"""holdfastd: started as the service manager would start it, listened to, and measured from outside."""

import collections
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

from procs import Failed, cpu_usec, status_of, wait_until

Notice = collections.namedtuple("Notice", "at cpu_usec text")   # CLOCK_MONOTONIC in seconds, and the daemon's CPU then

# Of nobody; the servers here do not ask, or are told.
ACCESS_KEY, SECRET_KEY = "BENCHACCESSKEY000001", "bench-secret-of-a-cloud-that-does-not-exist"

UNIT = pathlib.Path(__file__).parents[2] / "systemd" / "holdfast.service.in"


@dataclass
class Window:
    seconds: float
    requests: int
    cpu_usec: float

    @property
    def usec_a_request(self):
        if self.requests == 0:
            raise Failed("no request was seen in a window")
        return self.cpu_usec / self.requests

    @property
    def rate(self):
        return self.requests / self.seconds


def window(server, pid, seconds, requests=0):
    """At least so long and so many requests."""
    n, cpu, began = server.requests(), cpu_usec(pid), time.monotonic()
    time.sleep(seconds)
    while True:
        seen, used, passed = server.requests() - n, cpu_usec(pid) - cpu, time.monotonic() - began
        if seen >= requests:
            return Window(passed, seen, used)
        if passed > seconds + 300:
            raise Failed(f"only {seen} requests in {passed:.0f} s")
        time.sleep(0.1)


class Daemon:
    """wrapper: a command in front of it, which becomes it. trace: system calls that strace writes to the file trace, while a filter in the
    kernel lets all others pass at full speed. Log, trace and, unless it is given one, state are gone when it is."""

    def __init__(self, bench, config, instances, state=None, wrapper=(), trace="", watchdog_seconds=0):
        self.bench = bench
        self.folder = bench.new_folder("daemon")
        self.trace = self.folder / "trace"
        if trace:
            wrapper = ("strace", "-D", "-f", "--seccomp-bpf", "-ttt", "-T", "-e", f"trace={trace}", "-o", self.trace)
        self.log = self.folder / "log"
        if not state:
            state = self.folder / "state"
            state.mkdir()
        self.notices = queue.SimpleQueue()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.folder / "notify"))
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "NOTIFY_SOCKET": str(self.folder / "notify"),
                       "HUAWEICLOUD_SDK_AK": ACCESS_KEY, "HUAWEICLOUD_SDK_SK": SECRET_KEY,
                       "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent",         # it does not appear on the bus of this host
                       **dict(re.findall(r"^Environment=(\w+)=(\S+)$", UNIT.read_text(), re.M))}
        if watchdog_seconds:
            environment["WATCHDOG_USEC"] = str(watchdog_seconds * 1000000)
        with open(self.log, "wb") as log:
            self.started = time.monotonic()
            self.process = bench.processes.start(
                [*wrapper, bench.binary("holdfastd"), "--config", config, "--instances", instances, "--state", state, "--log", "json"],
                bench.cores.client, env=environment, stdout=subprocess.DEVNULL, stderr=log)
        self.pid = self.process.pid
        threading.Thread(target=self._hear, daemon=True).start()
        self.ready = self.wait_notice("READY=1")

    def _hear(self):
        """In a thread of its own: a daemon must not wait for a reader that sleeps through a window."""
        while True:
            try:
                data, at = self.socket.recv(4096), time.monotonic()
                if not data:
                    return
                self.notices.put(Notice(at, cpu_usec(self.pid), data.decode()))
            except OSError:
                return

    def wait_notice(self, text, seconds=600):
        """The next word to the service manager that has @text; what was said before it is passed over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                notice = self.notices.get(timeout=0.2)
            except queue.Empty:
                if self.process.poll() is not None:
                    raise Failed(f"holdfastd ended with exit status {self.process.returncode}: {self.log.read_text()[-2000:]}") from None
                continue
            if text in notice.text:
                return notice
        raise Failed(f"waited {seconds} s for holdfastd to say {text}")

    def reload(self):
        """Seconds from RELOADING=1 to READY=1, and CPU in microseconds from the signal to READY=1."""
        before = cpu_usec(self.pid)
        os.kill(self.pid, signal.SIGHUP)
        began = int(re.search(r"MONOTONIC_USEC=(\d+)", self.wait_notice("RELOADING=1").text)[1]) / 1e6
        ready = self.wait_notice("READY=1")
        return ready.at - began, ready.cpu_usec - before

    def wait_looked(self, n):
        """Until so many controls were found as they should be for the first time; what that is to be stored is stored then, or about to be."""
        found, rest = 0, b""
        with open(self.log, "rb") as log:
            def all_found():
                nonlocal found, rest
                *lines, rest = (rest + log.read()).split(b"\n")
                found += sum(b'"HOLDFAST_EVENT":"compliant"' in line for line in lines)
                return found >= n

            wait_until(all_found, 60 + n / 100, f"the first look at {n} controls")

    def peak_kib(self):
        return status_of(self.pid, "VmHWM")

    def events(self):
        """How often each event was said."""
        counts = collections.Counter()
        with open(self.log, encoding="utf-8") as log:
            for line in log:
                counts[json.loads(line).get("HOLDFAST_EVENT", "")] += 1
        return counts

    def stop(self):
        self.bench.processes.stop(self.process)
        self.socket.shutdown(socket.SHUT_RDWR)          # wakes the thread that listens
        self.socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)  # a large fleet says hundreds of megabytes

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
