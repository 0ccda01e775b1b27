# SPDX-License-Identifier: Apache-2.0
"""Runs the real holdfastd in a folder of its own and reads what it says."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from cloud import DOMAIN, PROJECT, REGION, SERVICES

SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:")
PLAIN = re.compile(r"[A-Za-z0-9_./@-][A-Za-z0-9_./:@-]*(?<!:)")
KMS_KEY = "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"


def scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return value if PLAIN.fullmatch(value) else json.dumps(value)


def to_yaml(value, indent=0):
    """Block style with plain scalars, as a person writes it."""
    pad, lines = " " * indent, []
    for key, v in value.items():
        if isinstance(v, dict):
            lines += [f"{pad}{key}:", to_yaml(v, indent + 2)]
        elif isinstance(v, list):
            lines += [f"{pad}{key}:"] + [f"{pad}  - {scalar(x)}" for x in v]
        else:
            lines.append(f"{pad}{key}: {scalar(v)}")
    return "\n".join(lines)


def merge(a, b):
    """b over a; None in b takes a key away."""
    out = dict(a)
    for key, value in b.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = value
    return out


class Output:
    """What a run said: events as the journal's fields."""

    def __init__(self, stdout, stderr):
        self.stdout, self.stderr = stdout, stderr
        self.events, self.noise = [], []
        for line in stderr.splitlines():
            try:
                self.events.append(json.loads(line))
            except ValueError:
                self.noise.append(line)

    def named(self, event, **fields):
        """Events of that name; fields without their HOLDFAST_ prefix."""
        return [e for e in self.events if e.get("HOLDFAST_EVENT") == event and
                all(str(e.get(f"HOLDFAST_{k.upper()}")) == str(v) for k, v in fields.items())]

    def one(self, event, **fields):
        found = self.named(event, **fields)
        assert len(found) == 1, f"{len(found)} events {event} {fields}, expected one:\n{self.stderr}"
        return found[0]

    def none(self, *events, **fields):
        for event in events:
            assert not self.named(event, **fields), f"unexpected {event}:\n{self.stderr}"

    @property
    def names(self):
        return [e.get("HOLDFAST_EVENT") for e in self.events]


class Result(Output):
    def __init__(self, rc, stdout, stderr, seconds):
        super().__init__(stdout, stderr)
        self.rc, self.seconds = rc, seconds

    def exits(self, rc):
        assert self.rc == rc, f"exit {self.rc}, expected {rc}:\n{self.stdout}{self.stderr}"
        return self


class Holdfast:
    """One installation: configuration, policies, state and credentials under one temporary folder."""

    def __init__(self, binary, folder, cloud):
        self.binary, self.folder, self.cloud = binary, folder, cloud
        self.etc, self.state, self.instances = folder / "etc", folder / "state", folder / "etc/instances.d"
        for path in (self.instances, self.state):
            path.mkdir(parents=True)
        self.config = self.etc / "holdfast.yaml"
        self.settings = {
            "region": REGION, "project_id": PROJECT, "domain_id": DOMAIN,
            "credentials": {"source": "environment"},
            "endpoints": {s: cloud.origin(s) for s in SERVICES},
            "http": {"ca_file": str(cloud.ca_file), "connect_timeout": "2s", "timeout": "5s"},
        }
        self.env = {"HUAWEICLOUD_SDK_AK": cloud.access, "HUAWEICLOUD_SDK_SK": cloud.secret}
        self.running, self.outputs, self.n = [], [], 0

    # Writing

    def configure(self, **changes):
        self.settings = merge(self.settings, changes)
        return self

    def policy(self, name, *documents):
        """Writes instances.d/<name>.yaml: documents are mappings, or text as it is."""
        texts = [d if isinstance(d, str) else to_yaml(d) for d in documents]
        (self.instances / f"{name}.yaml").write_text("\n---\n".join(texts) + "\n")
        return self

    def encryption(self, name="orders", instance=None, key=KMS_KEY, **changes):
        instance = instance or self.cloud.add_taurus(name)
        control = merge({"expect": "on", "kms_key_id": key} if key else {"expect": "on"}, changes)
        self.policy(name, {"service": "taurusdb", "instance_id": instance.id, "encryption": control})
        return instance

    def lock(self, name="orders", instance=None, **changes):
        """A lock policy: 30 days, renewed at 7, cap 31, an unchanged lock believed at once."""
        instance = instance or self.cloud.add_taurus(name)
        control = merge({"retention_days": 30, "renew_before": "7d", "settle": "0s", "poll": "1h"}, changes)
        self.policy(name, {"service": "taurusdb", "instance_id": instance.id, "lock": control})
        return instance

    def schedule(self, name="audit", instance=None, **changes):
        instance = instance or self.cloud.add_audit(name)
        control = merge({"status": "on", "mode": "AUTO", "cycle": "PER_DAY", "trigger_time": "2025-08-21 02:00:44",
                         "timezone": "Asia/Singapore", "bucket_name": "cbh-ynf", "bucket_root_path": ""}, changes)
        self.policy(name, {"service": "dbss", "instance_id": instance.id, "schedule": control})
        return instance

    def download(self, name="ledger", instance_id=None, **changes):
        control = merge({"backups": "latest"}, changes)
        self.policy(name, {"service": "gaussdb", "instance_id": instance_id, "download": control})

    def many(self, n):
        """As many policies, a file each, of instances that the cloud does not have: for what takes its time to read."""
        for i in range(n):
            self.policy(f"many-{i}", f"service: taurusdb\ninstance_id: {i:032}in07\nmode: observe\nencryption: {{expect: on, poll: 30d}}\n")

    def credential_files(self, where="credentials", mode=0o400, **files):
        """A folder with one file a credential."""
        folder = self.folder / where
        folder.mkdir(exist_ok=True, mode=0o700)
        for name, value in files.items():
            part = folder / f".{name}.new"
            part.write_text(value)
            part.chmod(mode)
            part.rename(folder / name)
        return folder

    def write(self):
        self.config.write_text(to_yaml(self.settings) + "\n")

    # Running

    def command(self, *args, log="json"):
        command = [self.binary, "--config", str(self.config), "--state", str(self.state)]
        return command + (["--log", log] if log else []) + list(args)

    def environment(self):
        # No daemon under test appears on the bus of the host that it is tested on.
        return {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "TZ": "UTC",
                "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent",
                "ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "exitcode=99:halt_on_error=1"} | self.env

    def run(self, *args, timeout=40, log="json"):
        """Runs to the end with these arguments added."""
        if self.settings is not None:
            self.write()
        started = time.monotonic()
        done = subprocess.run(self.command(*args, log=log), env=self.environment(), capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, cwd=self.folder)
        result = Result(done.returncode, done.stdout, done.stderr, time.monotonic() - started)
        self.outputs.append(result)
        assert not SANITIZER.search(result.stderr), result.stderr
        if log == "json" and "--once" in args:
            assert not result.noise, f"not JSON: {result.noise}"
        return result

    def once(self, *args, **options):
        return self.run("--once", *args, **options)

    def start(self, *args, ready=True, env=None):
        """The daemon, ready unless told otherwise."""
        self.write()
        daemon = Daemon(self, args, env or {})
        self.running.append(daemon)
        if ready:
            daemon.wait_notify("READY=1")
        return daemon

    # Afterwards

    def finish(self):
        for daemon in self.running:
            daemon.kill()
            assert not SANITIZER.search(daemon.stderr), daemon.stderr
        for output in [o for o in self.outputs if not o.noise] + [d.output for d in self.running]:
            for event in output.events:
                assert event.get("MESSAGE_ID") and event.get("HOLDFAST_EVENT"), f"no event: {event}"
        said = [(f"output {i}", (o.stdout + o.stderr).encode()) for i, o in enumerate(self.outputs + self.running)]
        said += [(str(p), p.read_bytes()) for p in self.state.rglob("*") if p.is_file()]
        for where, data in said:
            for secret in self.cloud.secrets:
                assert secret.encode() not in data, f"a secret is in {where}"


class Daemon:
    """A holdfastd that runs on; its service manager is us."""

    def __init__(self, holdfast, args, env):
        holdfast.n += 1
        self.stderr_path = holdfast.folder / f"daemon-{holdfast.n}.stderr"
        self.stdout = ""
        path = str(holdfast.folder / f"notify-{holdfast.n}")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(path)
        self.notified = []
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                holdfast.command(*args), env=holdfast.environment() | {"NOTIFY_SOCKET": path} | env,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, cwd=holdfast.folder)

    @property
    def pid(self):
        return self.process.pid

    @property
    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    @property
    def output(self):
        return Output("", self.stderr)

    def _receive(self, timeout):
        self.socket.settimeout(max(timeout, 0.001))
        try:
            self.notified += self.socket.recv(65536).decode().splitlines()
        except TimeoutError:
            pass

    def drain(self):
        """All that was notified so far."""
        n = -1
        while n != len(self.notified):
            n = len(self.notified)
            self._receive(0)
        return self.notified

    def wait_notify(self, line, timeout=15, after=0):
        """Until a line that starts so was notified, counted from index `after`. Returns the index behind it."""
        deadline = time.monotonic() + timeout
        while True:
            over = self.process.poll() is not None
            if over:
                self.drain()
            for i, said in enumerate(self.notified[after:], after):
                if said.startswith(line):
                    return i + 1
            assert not over, f"ended before {line}:\n{self.stderr}"
            left = deadline - time.monotonic()
            assert left > 0, f"no {line} within {timeout} s; notified {self.notified}\n{self.stderr}"
            self._receive(min(left, 0.1))

    def wait_event(self, event, timeout=15, n=1, **fields):
        deadline = time.monotonic() + timeout
        while True:
            found = self.output.named(event, **fields)
            if len(found) >= n:
                return found[n - 1]
            assert time.monotonic() < deadline, f"no {event} {fields} within {timeout} s:\n{self.stderr}"
            time.sleep(0.03)

    def reload(self):
        self.drain()
        after = len(self.notified)
        self.process.send_signal(signal.SIGHUP)
        return self.wait_notify("READY=1", after=self.wait_notify("RELOADING=1", after=after))

    def stop(self, by=signal.SIGTERM, timeout=12):
        """Returns the exit status."""
        self.process.send_signal(by)
        return self.wait(timeout)

    def wait(self, timeout=12):
        return self.process.wait(timeout)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.socket.close()


def wait_until(condition, timeout=15, what="condition"):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {timeout} s"
        time.sleep(0.03)


def program(variable):
    path = os.environ.get(variable, "")
    return path if path and Path(path).is_file() else None
