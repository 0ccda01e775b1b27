# SPDX-License-Identifier: Apache-2.0
"""What is started, where it runs, that it ends, and what /proc tells of it."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

STOP_SECONDS = 15       # holdfastd takes 10 at most; picked


class Failed(Exception):
    """It could not be measured; a figure, however bad, is no such thing."""


class Cores:
    """The client on one core, the server on another, and who measures on a third where there is one."""

    def __init__(self):
        cores = sorted(os.sched_getaffinity(0))
        self.n = len(cores)
        self.client = cores[0]
        self.server = cores[1 % len(cores)]
        self.own = cores[min(2, len(cores) - 1)]
        os.sched_setaffinity(0, {self.own})


class Processes:
    """Everything that was started; each is stopped by its own pid."""

    def __init__(self, cores):
        self.cores, self.running = cores, []

    def start(self, command, core, stdin=subprocess.DEVNULL, **options):
        """Like Popen, pinned. A child inherits the core of whoever starts it: it runs nothing before the program itself."""
        os.sched_setaffinity(0, {core})
        try:
            p = subprocess.Popen([str(part) for part in command], stdin=stdin, **options)
        except FileNotFoundError as e:
            raise Failed(f"{command[0]}: {e.strerror}") from e
        finally:
            os.sched_setaffinity(0, {self.cores.own})
        self.running.append(p)
        return p

    def run(self, command, core=None, **options):
        """To the end; what it wrote to standard output."""
        p = self.start(command, self.cores.own if core is None else core, stdout=subprocess.PIPE, text=True, **options)
        output, _ = p.communicate()
        self.running.remove(p)
        if p.returncode != 0:
            raise Failed(f"{' '.join(map(str, command))}: exit status {p.returncode}")
        return output

    def stop(self, p, with_signal=signal.SIGTERM):
        if p in self.running:
            self.running.remove(p)
        if p.poll() is not None:
            return
        p.send_signal(with_signal)
        p.send_signal(signal.SIGCONT)
        try:
            p.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()

    def stop_all(self, but=None):
        for p in reversed(list(self.running)):
            if p is not but:
                with contextlib.suppress(OSError):
                    self.stop(p)


def text_of(path):
    return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")


def cpu_usec(pid):
    """Of all its threads, by the clock that clock_getcpuclockid(3) names. While it runs, as of the kernel's last tick."""
    return time.clock_gettime(~pid << 3 | 2) * 1e6


def status_of(pid, field):
    """A number of /proc/PID/status: VmHWM and VmRSS in KiB."""
    return int(re.search(rf"^{field}:\s+(\d+)", text_of(f"/proc/{pid}/status"), re.M)[1])


def attach_strace(processes, pid, *options):
    """Counts or writes from when it returns."""
    p = processes.start(["strace", "-f", *options, "-p", pid], processes.cores.own, stderr=subprocess.PIPE, text=True)
    if "attached" not in p.stderr.readline():
        processes.stop(p)
        raise Failed("strace cannot attach to holdfastd")
    return p


class Counter:
    """Counts events of perf-list(1) in a process, between begin() and end(). Then read() gives the counts, once."""

    def __init__(self, processes, pid, events):
        self.processes = processes
        ours, theirs = socket.socketpair()
        self.control = ours.makefile("rw", encoding="ascii")
        ours.close()
        with theirs:
            fd = theirs.fileno()
            self.perf = processes.start(["perf", "stat", "-x", ",", "-e", ",".join(events), "--delay", "-1", "--control", f"fd:{fd},{fd}", "-p", pid],
                                        processes.cores.own, stderr=subprocess.PIPE, text=True, pass_fds=(fd,))

    def _tell(self, word):
        """And wait until it is done."""
        try:
            self.control.write(word + "\n")
            self.control.flush()
            done = self.control.readline()
        except OSError:
            done = ""
        if "ack" not in done:
            raise Failed(f"perf cannot count: {self.perf.communicate()[1].strip()}")

    def begin(self):
        self._tell("enable")

    def end(self):
        self._tell("disable")

    def read(self):
        self.perf.send_signal(signal.SIGINT)
        rows = (line.split(",") for line in self.perf.communicate()[1].splitlines())
        return {row[2]: int(row[0]) for row in rows if len(row) > 2 and row[0].isdigit()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.processes.stop(self.perf)
        self.control.close()


def wait_until(done, seconds, what, every=0.05):
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise Failed(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)


def wait_still(count, seconds, limit, what):
    """Until a count has not moved for so long."""
    last, since = count(), time.monotonic()
    until = since + limit
    while time.monotonic() - since < seconds:
        time.sleep(0.05)
        now = count()
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() > until:
            raise Failed(f"waited {limit:.0f} s for {what}")


@contextlib.contextmanager
def paused(*processes):
    """Stopped meanwhile, so that somebody else has the core; then a moment to find its feet again."""
    for p in processes:
        p.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for p in processes:
            p.send_signal(signal.SIGCONT)
        time.sleep(0.3)
