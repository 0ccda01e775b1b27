# SPDX-License-Identifier: Apache-2.0
"""A round in which everything drifted, against the simulated cloud, which holds state; and what a month leaves in the database."""

import collections
import json
import re
import subprocess
import time

from daemon import ACCESS_KEY, SECRET_KEY, Daemon
from fleet import DOMAIN, ENCRYPTION, KMS_KEY, LOCK, PROJECT, REGION, SCHEDULE, settings, taurus_id
from procs import Failed, cpu_usec, wait_until
from report import Section

N_TAURUS, N_AUDIT = 1000, 200
# With these intervals hardly anything is polled twice before all is put back: locks come first, and each waits for the disk.
LINES = ("defaults: {encryption: {poll: 20s}, schedule: {poll: 20s}}\n"
         "limits: {new_locks_per_day: 1000000}\n")


def audit_id(i):
    return f"{i + 1:032x}"


class Cloud:
    """holdfast-sim, in which encryption is off, no lock was ever enabled, and every audit schedule is switched off."""

    def __init__(self, bench):
        self.bench, self.folder = bench, bench.new_folder("cloud")
        self.ca_file, self.log = self.folder / "ca.pem", self.folder / "log"
        state = self.folder / "state.yaml"
        with open(state, "w", encoding="utf-8") as f:
            f.write(f"account: {{domain_id: {DOMAIN}, projects: {{{PROJECT}: {REGION}}}}}\n"
                    f"keys: {{{ACCESS_KEY}: {{secret_key: {SECRET_KEY}}}}}\nkms_keys: {{{KMS_KEY}: enabled}}\ninstances:\n  taurusdb:\n")
            for i in range(N_TAURUS):
                f.write(f"    {taurus_id(i)}: {{encryption: \"off\", lock: none, backups: {{{i + 1:032x}br07: {{type: manual, begin: -1d}}}}}}\n")
            f.write("  dbss:\n")
            for i in range(N_AUDIT):
                f.write(f"    {audit_id(i)}: {{schedule: {{status: \"off\", cycle: PER_DAY, trigger_time: \"2025-08-21 02:00:44\", "
                        "bucket_name: audit-backups}}\n")
        ready = self.folder / "ready"
        with open(self.log, "wb") as log:
            self.process = bench.processes.start(
                [bench.binary("holdfast-sim"), "--listen", "127.0.0.1:0", "--metadata", "off", "--state", state, "--ca-file", self.ca_file,
                 "--ready-file", ready, "--log", "json"], bench.cores.server, stdout=subprocess.DEVNULL, stderr=log)
        wait_until(lambda: ready.exists() or self.process.poll() is not None, 30, "holdfast-sim")
        if self.process.poll() is not None:
            raise Failed(f"holdfast-sim ended: {self.log.read_text()[-2000:]}")
        self.origin = re.search(r"^cloud=(.*)$", ready.read_text(), re.M)[1]

    def calls(self):
        """How often each was asked, by name."""
        with open(self.log, encoding="utf-8") as log:
            return collections.Counter(json.loads(line)["call"] for line in log if line.startswith("{") and line.endswith("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bench.processes.stop(self.process)


def write_policies(bench):
    folder = bench.new_folder("fleet") / "instances.d"
    folder.mkdir()
    controls = ENCRYPTION + f"  kms_key_id: {KMS_KEY}\n" + LOCK.format(renew=7)
    for i in range(N_TAURUS):
        (folder / f"db-{i:04d}.yaml").write_text(f"service: taurusdb\ninstance_id: {taurus_id(i)}\n{controls}", encoding="utf-8")
    for i in range(N_AUDIT):
        (folder / f"audit-{i:04d}.yaml").write_text(f"service: dbss\ninstance_id: {audit_id(i)}\n{SCHEDULE}", encoding="utf-8")
    return folder


def put_back(events):
    return events["remediated"] >= N_TAURUS + N_AUDIT and events["lock-enabled"] >= N_TAURUS


def round_once(bench, instances, trace=""):
    """Seconds until all is put back, CPU in µs, calls, events, and syncs where a trace shows them."""
    with Cloud(bench) as cloud:
        config = cloud.folder / "holdfast.yaml"
        config.write_text(settings(cloud.origin, cloud.ca_file) + LINES, encoding="utf-8")
        with Daemon(bench, config, instances, trace=trace) as daemon:
            began = time.time()
            wait_until(lambda: put_back(daemon.events()), 120, "all to be put back", every=0.2)
            used, calls, events, ended = cpu_usec(daemon.pid) - daemon.ready.cpu_usec, cloud.calls(), daemon.events(), time.time()
            if not trace:
                return ended - began, used, calls, events, None
            found = re.findall(r"^(?:\d+\s+)?(\d+\.\d+) f(?:data)?sync\(", daemon.trace.read_text(), re.M)
            return ended - began, used, calls, events, sum(began <= float(at) <= ended for at in found)


def measure(bench):
    bench.say("a round in which everything drifted")
    section = Section("drift", f"A round in which everything drifted: {N_TAURUS:,} databases (encryption, lock), {N_AUDIT} audit schedules")
    instances = write_policies(bench)
    rounds = [round_once(bench, instances) for _ in range(max(1, bench.pace.starts // 2))]
    writes = ("encryption-set", "lock-set", "schedule-set")
    n_calls = [sum(calls.values()) for _, _, calls, _, _ in rounds]
    section.add("drift.seconds", "until all was put back", "s", [r[0] for r in rounds])
    section.add("drift.requests", "requests", "", n_calls)
    section.add("drift.writes", "… of which change something", "", [sum(calls[w] for w in writes) for _, _, calls, _, _ in rounds])
    section.add("drift.cpu", "CPU a request", "µs", [used / n for (_, used, _, _, _), n in zip(rounds, n_calls)])
    section.add("drift.events", "events", "", [sum(events.values()) for _, _, _, events, _ in rounds])

    seconds, _, _, _, syncs = round_once(bench, instances, trace="fsync,fdatasync")
    section.add("drift.syncs", "syncs", "1/s", [syncs / seconds], at_most=10)
    section.notes.append("Against holdfast-sim, which is as busy as holdfastd; from READY=1 until the last event of a repair. "
                         "Syncs were counted in a round of their own.")
    return [section]


def measure_month(bench):
    bench.say("a simulated month")
    n = 1000
    found = json.loads(bench.processes.run([bench.build / "tests/bench-month", bench.new_folder("month"), n, bench.pace.days]))
    section = Section("month", f"A simulated month: {n:,} databases, {found['days']} days, default intervals")
    section.add("month.database", "database afterwards", "MiB", [found["database_bytes"] / 2**20])
    section.add("month.database_instance", "… an instance", "B", [found["database_bytes"] / n])
    section.add("month.log", "its write-ahead log at most", "MiB", [found["log_peak_bytes"] / 2**20])
    for key, text in (("calls", "calls"), ("evidence", "records of evidence"), ("records", "records stored, evidence included"),
                      ("commits", "commits"), ("events", "events")):
        section.add(f"month.{key}", text, "", [found[key]])
    section.notes.append("Each lock is extended when it is due; each day somebody switches encryption off on one instance in a hundred.")
    return [section]
