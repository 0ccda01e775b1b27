#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes what the system tests start from, below build/system, and only what has changed since:

    debs/         the packages of this tree
    base/         a minimal Debian with systemd and what the packages depend on, none of them installed
    installed/    the same after "apt-get install" of the packages

Fails where it cannot: without mmdebstrap or a mirror there are no system tests, and that shall be seen. As anybody but root it says that
they are left out.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from machine import TOP, WORK, Machine, Network, remove_root

SUITE = "bookworm"
# What a server has anyway, and what the tests look with.
PACKAGES = ["apt", "ca-certificates", "curl", "dbus", "iproute2", "jq", "libfaketime", "openssl", "polkitd", "procps", "sqlite3", "systemd",
            "systemd-sysv", "tzdata"]
SOURCES = ["CMakeLists.txt", "LICENSE", "NEWS", "README.md", "cmake", "etc", "man", "packaging", "src", "systemd"]


def digest(*parts):
    h = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            h.update(str(part.name).encode() + part.read_bytes())
        else:
            h.update(str(part).encode() + b"\0")
    return h.hexdigest()


def is_fresh(what, key):
    stamp = WORK / f"{what}.key"
    return stamp.exists() and stamp.read_text() == key and (WORK / what).exists()


def make(what, key, maker):
    """@maker(folder) fills a new folder; it counts once it is whole."""
    if is_fresh(what, key):
        return WORK / what
    stamp, folder, part = WORK / f"{what}.key", WORK / what, WORK / f"{what}.part"
    stamp.unlink(missing_ok=True)
    for old in (folder, part):
        remove_root(old)
    maker(part)
    part.rename(folder)
    stamp.write_text(key)
    return folder


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout.decode(errors='replace')[-8000:]}")
    return done.stdout.decode(errors="replace")


def source_key():
    files = sorted(f for s in SOURCES for f in ([TOP / s] if (TOP / s).is_file() else (TOP / s).rglob("*")) if f.is_file())
    return digest(*(x for f in files for x in (str(f.relative_to(TOP)), f)))


def build_debs(folder):
    folder.mkdir(parents=True)
    run(TOP / "packaging/build-deb", folder, cwd=TOP)


def debs():
    """Of this tree, or of the folder that HOLDFAST_DEBS names."""
    folder = os.environ.get("HOLDFAST_DEBS")
    folder = Path(folder) if folder else make("debs", source_key(), build_debs)
    found = sorted(f for f in folder.glob("*.deb") if "-dbgsym_" not in f.name)
    if not found:
        sys.exit(f"no package in {folder}")
    return found


def dependencies(packages):
    """Names of what they depend on, without versions, alternatives and each other."""
    names, own = set(), {p.name.split("_")[0] for p in packages}
    for package in packages:
        text = run("dpkg-deb", "-f", package, "Depends", "Pre-Depends")
        for entry in re.split(r"[,\n]", re.sub(r"^[\w-]+:", "", text, flags=re.M)):
            name = entry.split("|")[0].split("(")[0].strip()
            if name and name not in own:
                names.add(name)
    return sorted(names)


def build_base(names):
    def maker(folder):
        # Nobody needs it after a power cut: dpkg may leave out its many syncs.
        run("mmdebstrap", "--variant=minbase", "--dpkgopt=force-unsafe-io", f"--include={','.join(names)}", SUITE, folder)
        (folder / "etc/machine-id").write_text("")      # each copy gets one of its own when it boots
        (folder / "etc/hostname").write_text("holdfast-test\n")
        (folder / "etc/resolv.conf").write_text("")
        (folder / "etc/hosts").write_text("127.0.0.1 localhost holdfast-test\n::1 localhost\n")
    return maker


def install(machine, packages):
    """As an administrator does it; the packages are in /root."""
    for package in packages:
        shutil.copy(package, machine.path("/root"))
    return machine.run("apt-get install -y --no-install-recommends " + " ".join(f"/root/{p.name}" for p in packages), timeout=300)


def build_installed(base, packages):
    def maker(folder):
        network = Network()
        machine = Machine(base, network, copy=True)
        try:
            install(machine.boot(), packages)
            machine.off()
            machine.root.rename(folder)
            (folder / "etc/machine-id").write_text("")
        finally:
            machine.close()
            network.close()
    return maker


def prepare():
    """Returns (base, installed, packages)."""
    missing = [t for t in ("mmdebstrap", "systemd-nspawn", "nsenter", "dpkg-deb") if not shutil.which(t)]
    if missing:
        sys.exit(f"the system tests need {', '.join(missing)} (packages mmdebstrap and systemd-container)")

    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = debs()
        names = sorted({*PACKAGES, *dependencies(packages)})
        base = make("base", digest(SUITE, *names, Path(__file__)), build_base(names))
        installed = make("installed", digest((WORK / "base.key").read_text(), *packages), build_installed(base, packages))
    return base, installed, packages


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: the system tests boot a container, which needs root")
        sys.exit(77)                            # SKIP_RETURN_CODE
    prepare()
