# SPDX-License-Identifier: Apache-2.0
"""Rounds in which nothing is to be done: what they cost by the size of the fleet, against wrk in turn; and what noise cannot touch."""

import re
import subprocess
import time

from daemon import Daemon, window
from fleet import ALWAYS, CALLS, CONTROLS
from procs import Counter, paused, status_of
from report import Figure, Section

JUDGED = 10000          # instances
PROTOCOLS = {"h1": "HTTP/1.1", "h2": "HTTP/2"}
EXACT = {"calls": JUDGED, "instructions": 1000}          # instances; valgrind is some fifty times slower
DATABASE_CALLS = ("pwrite64", "pwritev", "fdatasync", "fsync", "ftruncate", "fallocate")
CALLS_SEEN = ("sendto", "recvfrom", "poll", "epoll_wait", "epoll_ctl", "timerfd_settime", "read", "write", *DATABASE_CALLS)
TRACEPOINTS = ("raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{name}" for name in CALLS_SEEN))


def start(bench, kind, n, ca_file=None, **options):
    """A daemon over n policies that has looked at all of them once."""
    fleet, server = bench.fleet(n), bench.server
    config = fleet.config(f"always-{kind}", server.origin(kind), ca_file or server.ca_file, ALWAYS)
    daemon = Daemon(bench, config, fleet.instances, **options)
    daemon.wait_looked(n * CONTROLS)
    time.sleep(0.5)
    return daemon


def measure_load(bench, process, seconds):
    """wrk or h2load, in a window like the daemon's."""
    w = window(bench.server, process.pid, seconds)
    bench.server.stop_load(process)
    return w.usec_a_request


def measure_size(bench, section, kind, n):
    """Pairs of windows; the row of the table, and what memory was taken."""
    server, pace = bench.server, bench.pace
    # Of a small fleet a window holds few requests, and of a large one in a hurry not a whole round.
    seconds = pace.window * (3 if n < 1000 else 1)
    whole = CALLS * n if pace.whole_rounds or n <= 1000 else 0
    ours, floor, alone, h2load, rates = [], [], [], [], []
    with start(bench, kind, n) as daemon:
        looked_at_kib = status_of(daemon.pid, "VmRSS")
        for _ in range(pace.pairs):
            w = window(server, daemon.pid, seconds, whole)
            ours.append(w.usec_a_request)
            rates.append(w.rate)
            with paused(daemon.process):
                floor.append(measure_load(bench, server.wrk(kind, n), pace.window))
                if n == JUDGED:
                    alone.append(ours[-1] / measure_load(bench, server.wrk(kind, n, connections=1), pace.window))
                if kind == "h2":
                    h2load.append(measure_load(bench, server.h2load(n), pace.window))
        peak_kib = daemon.peak_kib()

    ratios = [a / b for a, b in zip(ours, floor)]
    key = f"{kind}.{n}"
    ratio = Figure(f"steady.{key}.ratio", "ratio to wrk", "×", ratios)
    section.add_row((kind, f"{n:,}"), [
        Figure(f"steady.{key}.rate", "requests", "1/s", rates), Figure(f"steady.{key}.cpu", "CPU a request", "µs", ours),
        Figure(f"steady.{key}.wrk", "CPU a request of wrk", "µs", floor), ratio,
        Figure(f"steady.{key}.h2load", "CPU a request of h2load", "µs", h2load) if h2load else None,
        Figure(f"steady.{key}.peak", "peak RSS", "MiB", [peak_kib / 1024])])
    return {"ratio": ratio, "alone": alone, "peak_kib": peak_kib, "rss_kib": looked_at_kib}


def judge(section, found):
    for kind in PROTOCOLS:
        if (kind, JUDGED) in found:
            section.add(f"steady.{kind}.goal_ratio", f"CPU a request over wrk's, 10,000 instances, {kind}", "×",
                        found[kind, JUDGED]["ratio"].values, at_most=2.5)
            section.add(f"steady.{kind}.alone", "… over that of wrk with a single connection", "×", found[kind, JUDGED]["alone"])
    for n, limit in ((JUDGED, 20), (100000, 48)):
        if ("h1", n) in found:
            peak_kib = max(found[key]["peak_kib"] for key in found if key[1] == n)
            section.add(f"steady.{n}.goal_peak", f"peak RSS, {n:,} instances", "MiB", [peak_kib / 1024], at_most=limit)
    for kind in PROTOCOLS:
        if (kind, 10000) in found and (kind, 100000) in found:
            growth = found[kind, 100000]["ratio"].median / found[kind, 10000]["ratio"].median
            section.add(f"steady.{kind}.growth", f"a call with 100,000 over one with 10,000, {kind}, each by its wrk", "×", [growth], at_most=1.1)
    if ("h1", 10000) in found and ("h1", 100000) in found:
        more_kib = found["h1", 100000]["rss_kib"] - found["h1", 10000]["rss_kib"]
        section.add("steady.bytes_a_policy", "memory a policy, from 10,000 to 100,000, all looked at once", "B", [more_kib * 1024 / 90000])


def measure(bench):
    section = Section("steady", "Steady rounds: CPU a request, by instances", row_names=("", "instances"),
                      columns=("requests/s", "holdfastd, µs", "wrk, µs", "ratio to wrk", "h2load, µs", "peak RSS, MiB"))
    found = {}
    for kind, name in PROTOCOLS.items():
        for n in bench.sizes:
            bench.say(f"steady rounds, {name}, {n:,} instances")
            found[kind, n] = measure_size(bench, section, kind, n)
    judge(section, found)
    section.notes += [
        f"Median (min – max) of {bench.pace.pairs} pairs of windows; a ratio is of the two windows of one pair. wrk speaks HTTP/1.1 alone.",
        "1 and 100 instances do not keep holdfastd busy: requests are what the policies ask for, and turns of the loop count for few of them."]
    return [section]


# --- What noise cannot touch --------------------------------------------------------------------------------------------


def count_calls(bench, kind):
    """How often each system call was made, all of them as "", and requests. The kernel counts, while the daemon runs at full speed: one that is
    slowed down finds each answer waiting, and makes other calls."""
    with start(bench, kind, EXACT["calls"]) as daemon, Counter(bench.processes, daemon.pid, TRACEPOINTS) as counter:
        counter.begin()
        before = bench.server.requests()
        time.sleep(bench.pace.window)
        requests = bench.server.requests() - before
        counter.end()
        counts = counter.read()
    return {name: counts[event] for name, event in zip(("", *CALLS_SEEN), TRACEPOINTS)}, requests


def count_instructions(bench, kind):
    """Between two dumps: each is asked for in the same way, so that what asking takes falls out."""
    out = bench.new_folder("callgrind")
    wrapper = ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}/dump"]
    with start(bench, kind, EXACT["instructions"], wrapper=wrapper) as daemon:
        def control(*args):
            bench.processes.run(["callgrind_control", *args, daemon.pid], stderr=subprocess.DEVNULL)
            return bench.server.requests()

        control("-i", "on")
        time.sleep(1)
        before = control("-d")
        time.sleep(bench.pace.callgrind)
        requests = control("-d") - before
        dump = max(out.glob("dump.*"), key=lambda path: int(path.suffix[1:]))
        return int(re.search(r"^(?:totals|summary): (\d+)", dump.read_text(), re.M)[1]) / requests


def measure_exact(bench):
    section = Section("exact", "What noise cannot touch")
    instructions_max = {"h1": 170000, "h2": 185000}
    for kind, name in PROTOCOLS.items():
        if bench.is_root:
            bench.say(f"system calls, {name}")
            calls, requests = count_calls(bench, kind)
            section.add(f"exact.{kind}.calls", f"system calls a request, {kind}", "", [calls.pop("") / requests], at_most=6)
            section.add(f"exact.{kind}.database", f"calls that write to the database, {kind}", "", [sum(calls[c] for c in DATABASE_CALLS)],
                        at_most=0)
            most = sorted(calls.items(), key=lambda item: -item[1])[:6]
            section.notes.append(f"{kind}: " + ", ".join(f"{name} {n / requests:.2f}" for name, n in most))
        bench.say(f"instructions, {name}")
        section.add(f"exact.{kind}.instructions", f"instructions a request, {kind}", "", [count_instructions(bench, kind)],
                    at_most=instructions_max[kind])
    section.notes.append(f"System calls with {EXACT['calls']:,} instances, instructions with {EXACT['instructions']:,}; steady rounds.")
    if not bench.is_root:
        section.notes.append("System calls were not counted: perf may watch holdfastd only as root.")
    return [section]
