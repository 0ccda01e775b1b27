# SPDX-License-Identifier: Apache-2.0
"""Start, reload, idling, and fresh connections."""

import re
import signal
import time
from dataclasses import dataclass

import steady
from daemon import Daemon, window
from fleet import ALWAYS, BY_DEFAULT, CONTROLS, ENCRYPTION, SELDOM, Fleet, settings
from procs import Failed, attach_strace, cpu_usec, paused, status_of, wait_still
from report import Figure, Section

WATCHDOG_SECONDS = 60           # holdfastd pings three times in it
WAITS = "epoll_wait,epoll_pwait,epoll_pwait2"
SLEPT_SECONDS = 0.0005          # a shorter wait, under strace, found something to do at once; picked
TALKS = "sendto,recvfrom,sendmsg,recvmsg,write,read"


# --- Start --------------------------------------------------------------------------------------------------------------


def start_once(bench, config, fleet, state=None):
    """Seconds, and CPU in µs, from exec to READY=1."""
    with Daemon(bench, config, fleet.instances, state) as daemon:
        return daemon.ready.at - daemon.started, daemon.ready.cpu_usec


def measure_start(bench):
    section = Section("start", "Start: from exec to READY=1", row_names=("instances",),
                      columns=("CPU, ms", "time, ms", "CPU with state, ms", "time with state, ms"))
    medians = {}
    for n in bench.sizes:
        bench.say(f"start, {n:,} instances")
        fleet, server = bench.fleet(n), bench.server
        # One request a second: what follows READY=1 is no part of the start, and must not be taken for it by a reader that comes late.
        config = fleet.folder / "start.yaml"
        config.write_text(settings(server.origin("h1"), server.ca_file, rate="1/s") + SELDOM, encoding="utf-8")
        first = [start_once(bench, config, fleet) for _ in range(bench.pace.starts)]

        state = bench.new_folder("state")
        with Daemon(bench, fleet.config("fill", server.origin("h1"), server.ca_file, ALWAYS), fleet.instances, state) as daemon:
            daemon.wait_looked(n * CONTROLS)
        again = [start_once(bench, config, fleet, state) for _ in range(bench.pace.starts)]

        def figure(name, text, unit, values):
            return Figure(f"start.{n}.{name}", text, unit, values)

        cpu = figure("cpu", "CPU", "ms", [c / 1000 for _, c in first])
        section.add_row((f"{n:,}",), [
            cpu, figure("wall", "time", "ms", [w * 1000 for w, _ in first]),
            figure("cpu_state", "CPU with state", "ms", [c / 1000 for _, c in again]),
            figure("wall_state", "time with state", "ms", [w * 1000 for w, _ in again])])
        medians[n] = cpu

    if 10000 in medians:
        section.add("start.10000.goal", "CPU, 10,000 policy files", "s", [v / 1000 for v in medians[10000].values], at_most=0.35)
    if 10000 in medians and 100000 in medians:
        section.add("start.linear", "CPU of 100,000 over that of 10,000", "×", [medians[100000].median / medians[10000].median], at_most=11)
    section.notes.append("With state: the database knows every control, as after a reboot. Linear is 10, and a tenth is left to noise.")
    return [section]


# --- Reload -------------------------------------------------------------------------------------------------------------


def waits_of(trace):
    """[(when it was entered, when it was left)] of all waits for events that strace saw, in seconds since 1970."""
    found = re.findall(r"^(?:\d+ +)?(\d+\.\d+) epoll_p?wait2?\(.*<(\d+\.\d+)>$", trace, re.M)
    return [(float(entered), float(entered) + float(inside)) for entered, inside in found]


def longest_turn_msec(waits, began, ended):
    """The longest time between two waits that has to do with what happened from @began to @ended."""
    turns = [(left, entered) for (_, left), (entered, _) in zip(waits, waits[1:]) if entered >= began and left <= ended]
    if not turns:
        raise Failed("strace saw no turn of the loop during a reload")
    return max(entered - left for left, entered in turns) * 1000


@dataclass
class Reloads:
    """Of one kind: seconds, CPU in µs, and the longest turns in ms if they were traced."""
    seconds: list
    cpu_usec: list
    turn_msec: list = None


def reload_often(bench, config, fleet, trace, times, changed_times):
    """Reloads with nothing changed, reloads with everything changed, and the peak RSS in KiB after them."""
    results, spans = (Reloads([], []), Reloads([], [])), ([], [])
    with Daemon(bench, config, fleet.instances, trace=trace) as daemon:
        daemon.wait_looked(fleet.n * CONTROLS)
        wait_still(bench.server.requests, 0.5, 60 + fleet.n / 100, "the first looks")
        for changed, n in enumerate((times, changed_times)):
            for _ in range(n):
                if changed:
                    fleet.change()
                began = time.time()
                seconds, cpu = daemon.reload()
                spans[changed].append((began, time.time()))
                results[changed].seconds.append(seconds)
                results[changed].cpu_usec.append(cpu)
                wait_still(bench.server.requests, 1, 60 + fleet.n / 100, "the looks after a reload")
        peak_kib = daemon.peak_kib()
        if trace:
            time.sleep(3)       # a wait is written when it ends, and the status line ends one every two seconds
            waits = waits_of(daemon.trace.read_text())
            for result, those in zip(results, spans):
                result.turn_msec = [longest_turn_msec(waits, *span) for span in those]
    return *results, peak_kib


def reload_busy(bench, fleet, times):
    """Reloads with everything changed of a daemon for which everything is always due."""
    result = Reloads([], [])
    with steady.start(bench, "h1", fleet.n) as daemon:
        for _ in range(times):
            fleet.change()
            seen = bench.server.requests()
            seconds, cpu = daemon.reload()
            result.seconds.append(seconds)
            result.cpu_usec.append(cpu)
            bench.wait_round(seen, fleet.n)
    return result


def measure_reload(bench):
    section = Section("reload", "Reload: from SIGHUP to READY=1", row_names=("", "instances"),
                      columns=("CPU, ms", "time, ms", "longest turn, ms"))

    def add_row(key, text, n, result, turn_msec=None):
        turn = Figure(f"{key}.turn", f"longest turn of the loop, {n:,} policies, {text}", "ms", turn_msec) if turn_msec else None
        cpu = Figure(f"{key}.cpu", f"CPU, {n:,} policies, {text}", "ms", [c / 1000 for c in result.cpu_usec])
        time_msec = Figure(f"{key}.wall", f"time, {n:,} policies, {text}", "ms", [s * 1000 for s in result.seconds])
        section.add_row((text, f"{n:,}"), [cpu, time_msec, turn])

    changed_times = max(1, bench.pace.reloads // 2)
    for n in bench.sizes:
        bench.say(f"reload, {n:,} instances")
        fleet, server = bench.fleet(n), bench.server
        config = fleet.config("reload", server.origin("h1"), server.ca_file, SELDOM)
        same, changed, peak_kib = reload_often(bench, config, fleet, "", bench.pace.reloads, changed_times)
        same_traced, changed_traced, _ = reload_often(bench, config, fleet, WAITS, bench.pace.reloads, changed_times)
        add_row(f"reload.{n}.nothing", "nothing changed", n, same, same_traced.turn_msec)
        add_row(f"reload.{n}.all", "all changed", n, changed, changed_traced.turn_msec)
        if n <= steady.JUDGED:
            add_row(f"reload.{n}.busy", "all changed, all due", n, reload_busy(bench, fleet, changed_times))
        if n == steady.JUDGED:
            section.add(f"reload.{n}.goal_cpu", f"CPU, {n:,} policies, nothing changed", "s", [c / 1e6 for c in same.cpu_usec], at_most=0.175)
            section.add(f"reload.{n}.goal_turn", f"longest turn of the loop, {n:,} policies, nothing changed", "ms", same_traced.turn_msec,
                        at_most=20)
        if n >= steady.JUDGED:
            section.add(f"reload.{n}.peak", f"peak RSS, {n:,} policies, after reloads with all changed", "MiB", [peak_kib / 1024])
    section.notes.append("The longest turn is wall time between two waits for events, seen by strace in reloads of their own.")
    return [section]


# --- Idling -------------------------------------------------------------------------------------------------------------


def wakeups(bench, daemon, seconds):
    """How often it woke up, and how often of these for nothing that has to do with a call: with no word to or from a server before it
    slept again."""
    trace = daemon.folder / "wakeups"
    strace = attach_strace(bench.processes, daemon.pid, "-y", "-T", "-e", f"trace={WAITS},{TALKS}", "-o", trace)
    time.sleep(seconds)
    bench.processes.stop(strace, signal.SIGINT)
    n = others = 0
    talked = True                       # what was before strace came does not count
    for line in trace.read_text().splitlines():
        slept = re.search(r" epoll_p?wait2?\(.*<(\d+\.\d+)>$", line)
        if slept and float(slept[1]) >= SLEPT_SECONDS:
            others += not talked
            n += 1
            talked = False
        elif re.search(r"\(\d+<(TCP|socket):", line):
            talked = True
    return n, others


def idle_window(bench, section, key, text, daemon, allowed):
    """@allowed: other wake-ups in so many seconds."""
    seconds = bench.pace.idle
    before = bench.server.requests(), cpu_usec(daemon.pid), status_of(daemon.pid, "voluntary_ctxt_switches"), time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - before[3]
    requests, cpu = bench.server.requests() - before[0], cpu_usec(daemon.pid) - before[1]
    switches = status_of(daemon.pid, "voluntary_ctxt_switches") - before[2]
    section.add(f"idle.{key}.requests", f"requests, {text}", "1/s", [requests / passed])
    section.add(f"idle.{key}.switches", f"voluntary context switches, {text}", "1/s", [switches / passed])
    section.add(f"idle.{key}.cpu", f"CPU, {text}", "ms/s", [cpu / 1000 / passed])
    if bench.is_root:
        n, others = wakeups(bench, daemon, seconds)
        section.add(f"idle.{key}.wakeups", f"wake-ups, {text}", "1/s", [n / seconds])
        section.add(f"idle.{key}.others", f"wake-ups besides calls, {text}", "1/s", [others / seconds], at_most=allowed(seconds) / seconds)
    else:
        section.notes.append(f"{text}: wake-ups were not told apart: strace may attach to holdfastd only as root.")


def measure_idle(bench):
    n = 10000 if 10000 in bench.sizes else max(bench.sizes)
    section = Section("idle", f"Idling: {n:,} policies, {bench.pace.idle} s")
    server, fleet = bench.server, bench.fleet(n)

    bench.say("idling at the default intervals")
    with Daemon(bench, fleet.config("idle", server.origin("h1"), server.ca_file, BY_DEFAULT), fleet.instances,
                watchdog_seconds=WATCHDOG_SECONDS) as daemon:
        daemon.wait_looked(n * CONTROLS)
        time.sleep(3)
        idle_window(bench, section, "default", "default intervals", daemon, lambda seconds: seconds)

    bench.say("idling with nothing due")
    alone = Fleet(bench.new_folder("fleet"), n, controls=ENCRYPTION)
    with Daemon(bench, alone.config("idle", server.origin("h1"), server.ca_file, SELDOM), alone.instances,
                watchdog_seconds=WATCHDOG_SECONDS) as daemon:
        daemon.wait_looked(n)
        time.sleep(3)
        # Ping by ping, and one more if the window begins right before one.
        idle_window(bench, section, "nothing", "nothing due", daemon, lambda seconds: seconds // (WATCHDOG_SECONDS / 3) + 1)
    section.notes.append(f"Encryption every 5 min and locks every hour; nothing due: encryption alone, every 30 d. WATCHDOG_USEC is "
                         f"{WATCHDOG_SECONDS} s: a ping every {WATCHDOG_SECONDS // 3} s.")
    return [section]


# --- Connections --------------------------------------------------------------------------------------------------------


def measure_connection(bench):
    n, pairs = 1000, bench.pace.pairs
    bench.say("fresh connections")
    section = Section("connection", "Connections: what a TLS connection adds to a call")
    daemons = {}
    for kind in ("h1", "fresh", "resumed"):
        with paused(*(d.process for d in daemons.values())):
            daemons[kind] = steady.start(bench, kind, n)
    cost = {kind: [] for kind in daemons}
    for _ in range(pairs):
        for kind, daemon in daemons.items():
            with paused(*(d.process for d in daemons.values() if d is not daemon)):
                time.sleep(0.5)
                cost[kind].append(window(bench.server, daemon.pid, bench.pace.window).usec_a_request)
    for daemon in daemons.values():
        daemon.stop()
    section.add("connection.kept", "CPU a call on a kept connection", "µs", cost["h1"])
    for kind, text, goal in (("fresh", "a full handshake", {"at_most": 1.2}), ("resumed", "a resumed session", {})):
        section.add(f"connection.{kind}", f"CPU of a connection with {text}", "ms",
                    [(a - b) / 1000 for a, b in zip(cost[kind], cost["h1"])], **goal)
    section.notes.append(f"HTTP/1.1, {n:,} instances; the server closes each connection after one answer, and its sessions can or cannot be resumed.")
    return [section]
