# SPDX-License-Identifier: Apache-2.0
"""The same calls by what an administrator has at hand otherwise: curl in a script, and a loop around the vendor's SDK."""

import json
import os
import pathlib
import subprocess
import sys

import steady
from daemon import window
from fleet import CALLS, CONNECTIONS, urls
from procs import Failed, paused
from report import Section

N = 1000                # instances that scripts ask about; what a call costs them does not depend on it
N_EACH = 50             # of these, with a process for each
SDK = "HOLDFAST_BENCH_SDK"


def cpu_of(bench, p):
    """µs of one that ends."""
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    bench.processes.running.remove(p)
    if p.returncode != 0:
        raise Failed(f"{p.args[0]}: exit status {p.returncode}")
    return (usage.ru_utime + usage.ru_stime) * 1e6


def curl(bench, ca_file, *args, **options):
    return bench.processes.start(["curl", "--no-progress-meter", "--parallel", "--parallel-max", CONNECTIONS, "--http1.1", "--cacert", ca_file,
                                  *args], bench.cores.client, **options)


def curl_for_all(bench, ca_file, config):
    """CPU in µs a request of one curl that asks for all of it, and of the grep that reads what it prints."""
    asks = curl(bench, ca_file, "--config", config, stdout=subprocess.PIPE)
    reads = bench.processes.start(["grep", "--only-matching", "\"encryption_status\":\"on\""], bench.cores.client, stdin=asks.stdout,
                                  stdout=subprocess.PIPE, text=True)
    asks.stdout.close()
    n_on = len(reads.stdout.read().split())
    cpu = cpu_of(bench, asks) + cpu_of(bench, reads)
    if n_on != N:
        raise Failed(f"curl read {n_on} of {N} instances")
    return cpu / (CALLS * N)


def curl_for_each(bench):
    """The same of a curl for each instance, as in a loop of the shell."""
    cpu = 0
    for i in range(N_EACH):
        cpu += cpu_of(bench, curl(bench, bench.server.store_file, *(bench.server.origin("h1") + path for path in urls(i)), stdout=subprocess.DEVNULL))
    return cpu / (CALLS * N_EACH)


def sdk_once(bench):
    """What sdk.py found."""
    script = pathlib.Path(__file__).resolve().with_name("sdk.py")
    return json.loads(bench.processes.run([sys.executable, "-B", script, os.environ[SDK], bench.server.origin("h1"),
                                           bench.server.store_file, N], bench.cores.client))


def measure(bench):
    bench.say("curl and the SDK")
    section = Section("others", "Against scripts: HTTP/1.1, CPU a request")
    config = bench.new_folder("curl") / "config"
    config.write_text("".join(f'url = "{bench.server.origin("h1")}{path}"\n' for i in range(N) for path in urls(i)), encoding="utf-8")

    with steady.start(bench, "h1", N, ca_file=bench.server.store_file) as daemon:
        peak_kib = daemon.peak_kib()

    ours, one, lean, each, sdk = [], [], [], [], []
    with steady.start(bench, "h1", steady.JUDGED, ca_file=bench.server.store_file) as daemon:
        for _ in range(bench.pace.pairs):
            ours.append(window(bench.server, daemon.pid, bench.pace.window).usec_a_request)
            with paused(daemon.process):
                one.append(curl_for_all(bench, bench.server.store_file, config))
                lean.append(curl_for_all(bench, bench.server.ca_file, config))
                each.append(curl_for_each(bench))
                if os.environ.get(SDK):
                    sdk.append(sdk_once(bench))

    section.add("others.holdfastd", f"holdfastd, {steady.JUDGED:,} instances", "µs", ours)
    section.add("others.curl", "one curl --parallel for all, and grep", "µs", one)
    section.add("others.curl_ratio", "one curl for all, over holdfastd", "×", [c / o for c, o in zip(one, ours)], at_least=5)
    section.add("others.curl_lean", "… that is given one certificate to trust", "µs", lean)
    section.add("others.curl_lean_ratio", "… over holdfastd", "×", [c / o for c, o in zip(lean, ours)])
    section.add("others.curl_each", "a curl --parallel for each instance", "µs", each)
    section.add("others.curl_each_ratio", "a curl for each instance, over holdfastd", "×", [c / o for c, o in zip(each, ours)])
    if sdk:
        section.add("others.sdk", "a loop around the Python SDK", "µs", [s["cpu_usec"] / s["calls"] for s in sdk])
        section.add("others.sdk_ratio", "SDK, over holdfastd", "×", [s["cpu_usec"] / s["calls"] / o for s, o in zip(sdk, ours)], at_least=30)
        section.add("others.sdk_peak", f"peak RSS of the SDK's loop, {N:,} instances", "MiB", [s["peak_kib"] / 1024 for s in sdk])
        section.add("others.sdk_peak_ratio", f"… over holdfastd's, {N:,} instances", "×", [s["peak_kib"] / peak_kib for s in sdk], at_least=5)
    else:
        section.notes.append(f"The Python SDK was left out: {SDK} does not name a folder with it.")
    section.notes.append(f"Scripts ask about {N:,} instances. curl signs nothing, decides nothing and remembers nothing; all but one read what"
                         " the system trusts.")
    return [section]
