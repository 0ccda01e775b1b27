# SPDX-License-Identifier: Apache-2.0
"""A system bus of one's own: a real dbus-daemon on a socket in the test's folder, and who talks on it."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

DAEMON = shutil.which("dbus-daemon")
BUSCTL = shutil.which("busctl")
PEER = os.environ.get("HOLDFAST_BUS_PEER", "")
POLICY = Path(__file__).resolve().parents[2] / "dbus/org.holdfast1.conf"

NAME, PATH, MANAGER = "org.holdfast1", "/org/holdfast1", "org.holdfast1.Manager"
NOBODY = 65534

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
  {rules}
</busconfig>
"""

# As a host has it; or with nothing that keeps anybody from anything, so that what the daemon does by itself can be seen.
STRICT = f"<include>{POLICY}</include>"
OPEN = '<policy context="default"><allow own="*"/><allow send_destination="*"/></policy>'
NO_NAMES = '<policy context="default"><deny own="*"/><allow send_destination="*"/></policy>'


def as_user(user, command):
    if user is None:
        return command
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--", *command]


class Refused(Exception):
    """An error that came back over the bus."""


class Bus:
    def __init__(self, folder, rules=OPEN):
        self.folder = folder
        folder.mkdir(mode=0o755, exist_ok=True)
        self.socket, self.config = folder / "socket", folder / "bus.conf"
        self.address = f"unix:path={self.socket}"
        self.config.write_text(CONFIG.format(socket=self.socket, rules=rules))
        self.process, self.peers = None, []

    @property
    def env(self):
        return {"DBUS_SYSTEM_BUS_ADDRESS": self.address}

    def start(self):
        self.process = subprocess.Popen([DAEMON, f"--config-file={self.config}", "--nofork", "--nopidfile", "--nosyslog", "--print-address=1"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout.readline(), "dbus-daemon did not start"
        return self

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None
        self.socket.unlink(missing_ok=True)

    def finish(self):
        for peer in self.peers:
            peer.end()
        self.stop()

    def peer(self, *args, user=None):
        peer = Peer(self, args, user)
        self.peers.append(peer)
        return peer

    def busctl(self, *args, user=None, timeout=60):
        command = [BUSCTL, "--system", f"--address={self.address}", "--timeout=50", "--json=short", *args]
        command = as_user(user, command)
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Refused(done.stderr.strip())
        return json.loads(done.stdout) if done.stdout.strip() else None

    def call(self, method, *args, user=None, options=()):
        """The reply's values."""
        reply = self.busctl(*options, "call", NAME, PATH, MANAGER, method, *[str(a) for a in args], user=user)
        return reply["data"] if reply else []

    def spawn(self, method):
        """A call that goes on."""
        return subprocess.Popen([BUSCTL, "--system", f"--address={self.address}", "--timeout=50", "--json=short", "call", NAME, PATH, MANAGER,
                                 method], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def get(self, name, user=None):
        return self.busctl("get-property", NAME, PATH, MANAGER, name, user=user)["data"]

    def instance(self, name, user=None):
        return [plain(c) for c in self.call("GetInstance", "s", name, user=user)[0]]

    def list(self, offset=0, limit=1000, what="all"):
        total, controls = self.call("ListInstances", "uus", offset, limit, what)
        return total, [plain(c) for c in controls]

    def has_name(self):
        listed = self.busctl("call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "s", NAME)
        return listed["data"][0]

    def wait_name(self, timeout=15):
        deadline = time.monotonic() + timeout
        while not self.has_name():
            assert time.monotonic() < deadline, f"nobody has {NAME} within {timeout} s"
            time.sleep(0.05)


def plain(dictionary):
    return {key: value["data"] for key, value in dictionary.items()}


class Peer:
    """bus-peer, which is ready."""

    def __init__(self, bus, args, user=None):
        self.process = subprocess.Popen(as_user(user, [PEER, *[str(a) for a in args]]), env=os.environ | bus.env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line == "ready\n", line + self.process.stderr.read()

    def wait(self, timeout=90):
        """What it said until it ended by itself."""
        out, err = self.process.communicate(timeout=timeout)
        assert self.process.returncode == 0, err
        return out

    def end(self):
        """Ends it; what it said."""
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdout.closed:
            return ""
        return self.process.communicate(timeout=10)[0]
