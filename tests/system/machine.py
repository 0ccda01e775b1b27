# SPDX-License-Identifier: Apache-2.0
"""A Debian of its own: a root folder, booted with systemd as its init, in a network that nobody else is in.

Needs root. Everything that is started dies with the Python that started it, however that ends.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("HOLDFAST_SYSTEM_WORK", TOP / "build/system"))
BOOT_SECONDS, STOP_SECONDS = 60, 60
CLEAN = ["/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
         "TERM=dumb", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=cat", "DEBIAN_FRONTEND=noninteractive"]

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, CLONE_NEWNET = 1, 0x40000000


def wait_until(condition, timeout, what, every=0.05):
    """Polls; returns what the condition returned when it came true."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what() if callable(what) else what}"
        time.sleep(every)
    return value


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end(process, by=signal.SIGKILL, timeout=STOP_SECONDS):
    if process.poll() is None:
        process.send_signal(by)
    return process.wait(timeout)


def of_the_living(name):
    """Whether a file is named after a process (name-PID) that still runs."""
    pid = name.rpartition("-")[2]
    return pid.isdigit() and Path("/proc", pid).exists()


def free_name(what):
    free_name.n = getattr(free_name, "n", 0) + 1
    return f"{what}-{free_name.n}-{os.getpid()}"


class Cgroups:
    """A group of its own in each hierarchy that systemd uses: two containers in one group would end each other's services."""

    FOLDERS = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd")]
    PREFIX = "holdfast-test-"

    def __init__(self):
        self.groups = []
        for folder in self.FOLDERS:
            if not (folder / "cgroup.procs").exists():
                continue
            for old in folder.glob(self.PREFIX + "*"):
                if not of_the_living(old.name):
                    self._remove(old)
            group = folder / free_name(self.PREFIX + "c")
            group.mkdir()
            self.groups.append(group)

    def enter(self):
        for group in self.groups:
            (group / "cgroup.procs").write_text("0")

    @staticmethod
    def _remove(group):
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    def close(self):
        for group in self.groups:
            self._remove(group)


class Network:
    """A network namespace with nothing but a loopback interface. It outlives the machines in it."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent)
        wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"), 10, "a network namespace")
        self.path = f"/proc/{self.holder.pid}/ns/net"
        self.up()

    def ip(self, *args):
        subprocess.run(["nsenter", f"--net={self.path}", "ip", *args], check=True)

    def up(self):
        self.ip("link", "set", "lo", "up")

    def down(self):
        self.ip("link", "set", "lo", "down")

    @contextlib.contextmanager
    def entered(self):
        """Sockets made meanwhile, by this thread, belong to this network."""
        with open("/proc/thread-self/ns/net") as home, open(self.path) as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), CLONE_NEWNET) == 0

    def close(self):
        end(self.holder)


class Result:
    def __init__(self, command, done):
        self.command, self.rc = command, done.returncode
        self.stdout, self.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    @property
    def text(self):
        return self.stdout + self.stderr

    def __repr__(self):
        return f"{self.command}: exit status {self.rc}\n{self.text}"


class Machine:
    """A root folder of its own that begins as @root, on or off. With @copy it can be kept afterwards."""

    def __init__(self, root, network, copy=False):
        folder = WORK / "run"
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if not of_the_living(old.name):
                remove_root(old)
        self.network, self.nspawn, self.init = network, None, None
        self.folder = folder / free_name("machine")
        self.root, self.console = self.folder / "root", self.folder / "console"
        self.folder.mkdir()
        self.cgroups = Cgroups()
        if copy or not self._lay_over(root):
            subprocess.run(["cp", "-a", "--reflink=auto", str(root), str(self.root)], check=True)

    def _lay_over(self, root):
        """What is changed goes to a folder above @root: cheaper by far than a copy, where the file system can do it."""
        layers = {name: self.folder / name for name in ("upper", "work", "root")}
        for layer in layers.values():
            layer.mkdir()
        options = f"lowerdir={root},upperdir={layers['upper']},workdir={layers['work']}"
        if subprocess.run(["mount", "-t", "overlay", "-o", options, "none", str(self.root)], capture_output=True).returncode == 0:
            return True
        self.root.rmdir()
        return False

    # On and off

    def boot(self, *options):
        assert not self.nspawn

        def prepare():
            die_with_parent()
            self.cgroups.enter()

        with open(self.console, "ab") as console:
            self.nspawn = subprocess.Popen(
                ["systemd-nspawn", "-q", "-D", str(self.root), "--register=no", "--keep-unit", "--boot", "--console=pipe",
                 "--link-journal=no", "--resolv-conf=off", "--timezone=off", "--hostname=holdfast-test",
                 f"--network-namespace-path={self.network.path}", *options],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=prepare)
        self.init = wait_until(self._find_init, BOOT_SECONDS, self._console)
        wait_until(lambda: self.run("systemctl is-system-running", check=False).stdout.strip() in ("running", "degraded"), BOOT_SECONDS,
                   lambda: f"booted: {self.run('systemctl is-system-running; systemctl list-jobs', check=False)}")
        return self

    def _find_init(self):
        assert self.nspawn.poll() is None, self._console()
        children = Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        with contextlib.suppress(FileNotFoundError):
            return next((int(c) for c in children if Path(f"/proc/{c}/comm").read_text().strip() == "systemd" and
                         Path(f"/proc/{c}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()), None)
        return None

    def _console(self):
        return f"the machine's console:\n{self.console.read_text(errors='replace')[-4000:]}"

    def off(self):
        """As by the button: in good order."""
        os.kill(self.init, signal.SIGRTMIN + 4)
        self.nspawn.wait(STOP_SECONDS)
        self.nspawn = self.init = None

    def cut(self):
        """As by the plug: everything in it is gone at once. What was written and not synced stays, as the disk is ours."""
        if self.nspawn:
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(self.init, signal.SIGKILL)
            try:
                self.nspawn.wait(5)
            except subprocess.TimeoutExpired:
                end(self.nspawn)
        self.nspawn = self.init = None

    def close(self):
        self.cut()
        self.cgroups.close()
        remove_root(self.folder)

    # Inside

    def command(self, command, user=None):
        """@command (a text for the shell, or a list) in the machine, as @user."""
        enter = ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-C", "--", *CLEAN]
        if user:
            enter += ["runuser", "-u", user, "--"]
        return enter + (["bash", "-c", command] if isinstance(command, str) else list(command))

    def run(self, command, user=None, check=True, timeout=120, input=None):
        done = subprocess.run(self.command(command, user), capture_output=True, timeout=timeout, input=(input or "").encode())
        result = Result(command, done)
        assert not check or result.rc == 0, repr(result)
        return result

    def pid_outside(self, pid):
        """Of a process that is called @pid inside."""
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if (folder / "ns/pid").readlink() != Path(f"/proc/{self.init}/ns/pid").readlink():
                    continue
                for line in (folder / "status").read_text().splitlines():
                    if line.startswith("NSpid:") and line.split()[-1] == str(pid):
                        return int(folder.name)
        return None

    def show(self, unit, *properties):
        """Properties of a unit; of one alone its value, else a mapping."""
        lines = self.run(["systemctl", "show", unit, *(f"--property={p}" for p in properties)]).stdout.splitlines()
        found = dict(line.split("=", 1) for line in lines)
        return found[properties[0]] if len(properties) == 1 else found

    def journal(self, *matches, after=None):
        """Entries as journalctl shows them in JSON, oldest first; those behind the cursor @after."""
        # Not --after-cursor: it passes over the first match where the entry at the cursor is none.
        since = [f"--cursor={after}"] if after else []
        lines = self.run(["journalctl", "--no-pager", "-q", "-o", "json", "--all", *since, *matches]).stdout.splitlines()
        return [e for e in map(json.loads, lines) if e["__CURSOR"] != after]

    def path(self, path):
        """Of a file inside, as it is reached from outside. Not below /run, /tmp, /proc and the like while it is on."""
        return self.root / str(path).lstrip("/")

    def write(self, path, text, mode=0o644):
        """A file that is whole as soon as it is there."""
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.new")
        part.write_text(text)
        part.chmod(mode)
        part.rename(target)
        return target

    def drop_in(self, unit, name, text):
        self.write(f"/etc/systemd/system/{unit}.service.d/{name}.conf", text)
        self.run("systemctl daemon-reload")


def remove_root(folder):
    """With what is mounted right in it."""
    subprocess.run(["umount", "--lazy", str(folder / "root")], capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)
