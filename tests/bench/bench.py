# SPDX-License-Identifier: Apache-2.0
"""What every measurement stands on: programs, folders, fleets, the server, and how long to look."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fleet import CALLS, Fleet
from procs import Cores, Failed, Processes, text_of, wait_until
from server import Server


@dataclass(frozen=True)
class Pace:
    """How long and how often; --quick is for trying out."""
    pairs: int
    window: float           # seconds, at least
    whole_rounds: bool      # … and at least a round of the fleet
    starts: int
    reloads: int
    idle: float             # seconds
    callgrind: float
    days: int


FULL = Pace(pairs=5, window=2, whole_rounds=True, starts=5, reloads=5, idle=120, callgrind=15, days=30)
QUICK = Pace(pairs=2, window=0.5, whole_rounds=False, starts=2, reloads=2, idle=10, callgrind=4, days=2)


class Bench:
    def __init__(self, build, pace, sizes):
        self.build, self.pace, self.sizes = build, pace, sizes
        self.cores = Cores()
        self.processes = Processes(self.cores)
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
        self.folder.chmod(0o755)
        self.fleets, self.n_folders = {}, 0
        self.is_root = os.geteuid() == 0
        self.server = None

    def open(self):
        for program in ("holdfastd", "holdfast-sim"):
            if not os.access(self.binary(program), os.X_OK):
                raise Failed(f"{self.binary(program)} is missing; the target bench-programs builds it")
        self.server = Server(self.processes, self.folder / "nginx")

    def close(self):
        self.processes.stop_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def say(self, text):
        """Where it is, for whoever waits."""
        print(f"… {text}", file=sys.stderr, flush=True)

    def binary(self, name):
        return self.build / "bin" / name

    def new_folder(self, name):
        self.n_folders += 1
        folder = self.folder / f"{name}-{self.n_folders}"
        folder.mkdir()
        return folder

    def fleet(self, n):
        if n not in self.fleets:
            self.fleets[n] = Fleet(self.folder / f"fleet-{n}", n)
        return self.fleets[n]

    def wait_round(self, requests, n):
        """Until as many calls as a round of @n instances has were answered, since @requests."""
        wait_until(lambda: self.server.requests() - requests >= n * CALLS, 60 + n / 100, f"a round of {n} instances")

    def facts(self):
        """What the figures were taken on."""
        cache = text_of(self.build / "CMakeCache.txt")

        def cached(name):
            found = re.search(rf"^{name}:[A-Z]+=(.*)$", cache, re.M)
            return found[1] if found else ""

        def first_line(*command):
            p = subprocess.run(command, capture_output=True, text=True, check=False)
            return ((p.stdout + p.stderr).splitlines() or [""])[0].strip()

        model = re.search(r"^model name\s*:\s*(.*)$", text_of("/proc/cpuinfo"), re.M)
        return {
            "processor": model[1] if model else os.uname().machine, "cores": self.cores.n, "kernel": os.uname().release,
            "load_average": round(os.getloadavg()[0], 1), "build_type": cached("CMAKE_BUILD_TYPE"), "hardened": cached("HOLDFAST_HARDEN"),
            "sanitized": cached("HOLDFAST_SANITIZE"), "holdfastd": first_line(self.binary("holdfastd"), "--version"),
            "nginx": first_line("nginx", "-v").removeprefix("nginx version: "), "wrk": " ".join(first_line("wrk", "-v").split()[:2]),
            "curl": " ".join(first_line("curl", "--version").split()[:4]), "pairs": self.pace.pairs, "window_seconds": self.pace.window,
        }
