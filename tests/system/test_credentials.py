# SPDX-License-Identifier: Apache-2.0
"""Keys: by the host's credential store, by drop-ins, sealed, as watched files; and that no secret is ever to be found."""

import os
import re
import secrets
import subprocess
from pathlib import Path

import pytest

from host import Holdfast, taurus_id
from machine import wait_until

FOLDER = "/etc/holdfast/credentials"
DROP_INS = "/etc/systemd/system/holdfast.service.d"


@pytest.fixture(scope="module")
def cloud(make_cloud):
    return make_cloud({"taurusdb": {taurus_id(1): {"name": "orders", "encryption": "off"}}})


@pytest.fixture
def holdfast(machine, cloud):
    """Configured but for the key, and off; afterwards nothing of the key is left."""
    machine.run("systemctl stop holdfast; systemctl reset-failed holdfast || true")
    holdfast = Holdfast(machine, cloud).trust().configure().encryption()
    holdfast.switch_off()
    yield holdfast
    machine.run(f"systemctl stop holdfast; rm -rf {DROP_INS} {FOLDER}/* /etc/credstore* /run/credstore*; systemctl daemon-reload")


def new_key(cloud, **settings):
    """Another one, made known to the cloud."""
    access, secret = "ROTATED" + secrets.token_hex(6).upper(), secrets.token_urlsafe(30)
    cloud.change(keys={access: {"secret_key": secret} | settings})
    return access, secret


def works(holdfast):
    holdfast.start()
    holdfast.wait_remediated()
    assert not holdfast.machine.journal("-b", f"_PID={holdfast.pid}", "HOLDFAST_EVENT=credentials-rejected")


def as_files(holdfast, access, secret, mode=0o600, owner="holdfast"):
    for name, value in (("access_key", access), ("secret_key", secret)):
        part = f"{FOLDER}/.{name}.new"
        holdfast.machine.run(f"umask 077; cat >{part}; chown {owner} {part}; chmod {mode:o} {part}; mv {part} {FOLDER}/{name}", input=value)


def places(machine, pid):
    """(where, bytes) of everything that outlives or surrounds the process."""
    outside = machine.pid_outside(pid)
    for name in ("environ", "cmdline", "comm"):
        yield f"/proc/PID/{name}", Path(f"/proc/{outside}/{name}").read_bytes()
    for command in ("journalctl --no-pager -o export --all", "cat $(find /run/log/journal /var/log/journal -type f)",
                    "systemctl show holdfast", "systemctl status holdfast", "busctl get-property org.holdfast1 /org/holdfast1 org.holdfast1.Manager Version || true",
                    "holdfastctl status --all --json || true", "holdfastctl history --json", "cat /var/lib/holdfast/*"):
        done = subprocess.run(machine.command(command), capture_output=True)
        assert done.stdout, (command, done.stderr)
        yield command, done.stdout


def assert_nowhere(holdfast, *more):
    for where, data in places(holdfast.machine, holdfast.pid):
        for secret in (holdfast.cloud.secret, *more):
            assert secret.encode() not in data, f"a secret is in {where}"


def test_credential_store(holdfast):
    holdfast.credstore()
    works(holdfast)
    assert_nowhere(holdfast)


def test_drop_in_of_the_documentation(holdfast):
    machine = holdfast.machine
    machine.run(f"mkdir -p {DROP_INS}; cp /usr/share/doc/holdfast/examples/credentials.conf.example {DROP_INS}/credentials.conf")
    as_files(holdfast, holdfast.cloud.access, holdfast.cloud.secret, owner="root")
    machine.run("systemctl daemon-reload")
    works(holdfast)
    # Nobody else reads them, and holdfast reads copies.
    assert machine.run(f"cat {FOLDER}/secret_key", user="holdfast", check=False).rc != 0
    assert machine.run(f"ls {FOLDER}", user="nobody", check=False).rc != 0
    assert_nowhere(holdfast)


@pytest.mark.parametrize("how", ["file", "drop-in", "store"])
def test_sealed(holdfast, how):
    """systemd-creds: on the disk there is nothing to steal, and the daemon does not notice."""
    machine = holdfast.machine
    machine.run("systemd-creds setup")
    for name, value in (("access_key", holdfast.cloud.access), ("secret_key", holdfast.cloud.secret)):
        if how == "file":
            machine.run(f"systemd-creds encrypt --with-key=host --name={name} - {FOLDER}/{name}.cred", input=value)
            text = f"LoadCredentialEncrypted={name}:{FOLDER}/{name}.cred"
        elif how == "drop-in":
            text = machine.run(f"systemd-creds encrypt --with-key=host --name={name} --pretty - -", input=value).stdout
            assert text.startswith(f"SetCredentialEncrypted={name}:")
        else:
            machine.run(f"mkdir -p /etc/credstore.encrypted; "
                        f"systemd-creds encrypt --with-key=host --name={name} - /etc/credstore.encrypted/holdfast.{name}", input=value)
            text = f"LoadCredentialEncrypted={name}:holdfast.{name}"
        assert value not in text
        machine.drop_in("holdfast", name.replace("_", "-"), f"[Service]\n{text}\n")
    assert machine.run(f"grep -r -F {holdfast.cloud.secret} /etc /var/lib", check=False).rc == 1
    works(holdfast)
    assert_nowhere(holdfast)


def test_rotation(holdfast):
    """A new key is used at once, without a restart, and nothing is asked with the old one any more."""
    cloud = holdfast.cloud
    holdfast.configure(credentials={"source": "files", "directory": FOLDER})
    as_files(holdfast, cloud.access, cloud.secret)
    works(holdfast)
    pid, cursor = holdfast.pid, holdfast.cursor()

    access, secret = new_key(cloud)
    as_files(holdfast, access, secret)
    holdfast.wait_event("credentials-refreshed", cursor)
    wait_until(lambda: access in str(cloud.requests()), 10, "the new key is in use")
    cloud.change(keys={cloud.access: {"enabled": False}})
    try:
        holdfast.switch_off()
        holdfast.wait_remediated()
        assert not holdfast.events("credentials-rejected", cursor)
        assert holdfast.pid == pid
        assert_nowhere(holdfast, secret)
    finally:
        cloud.change(keys={cloud.access: {"enabled": True}})


def test_revoked_key_stops_all_requests_until_there_is_another(holdfast):
    cloud = holdfast.cloud
    old, secret = new_key(cloud)
    holdfast.configure(credentials={"source": "files", "directory": FOLDER})
    as_files(holdfast, old, secret)
    works(holdfast)
    cursor = holdfast.cursor()
    cloud.change(keys={old: {"enabled": False}})
    holdfast.wait_event("credentials-rejected", cursor)
    cloud.ask("DELETE", "requests")
    holdfast.switch_off()
    as_files(holdfast, *new_key(cloud))
    holdfast.wait_remediated()
    assert old not in str(cloud.requests())
    assert_nowhere(holdfast, secret)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_wrong_permissions_are_refused(holdfast, mode):
    holdfast.configure(credentials={"source": "files", "directory": FOLDER})
    as_files(holdfast, holdfast.cloud.access, holdfast.cloud.secret, mode)
    cursor = holdfast.cursor()
    holdfast.start()
    said = holdfast.wait_event("credentials-rejected", cursor)
    assert said["PRIORITY"] == "3" and re.search(rf"{FOLDER}/\w+_key.*(0{mode:o}|0600)", said["MESSAGE"]), said["MESSAGE"]
    # Put right, it works at once.
    holdfast.machine.run(f"chmod 600 {FOLDER}/access_key {FOLDER}/secret_key")
    holdfast.wait_remediated()


def mappings(pid):
    """(address range, flags, readable) of a process."""
    ranges, flags = [], {}
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
        if match:
            ranges.append((int(match[1], 16), int(match[2], 16), match[3]))
        elif line.startswith("VmFlags:"):
            flags[ranges[-1]] = line.split()[1:]
    return [(r, flags[r]) for r in ranges if r[2].startswith("r")]


def test_memory_holds_the_secret_where_no_dump_takes_it(holdfast):
    holdfast.credstore()
    works(holdfast)
    outside, found = holdfast.machine.pid_outside(holdfast.pid), []
    with open(f"/proc/{outside}/mem", "rb", buffering=0) as memory:
        for (start, stop, what), flags in mappings(outside):
            try:
                data = os.pread(memory.fileno(), stop - start, start)
            except OSError:
                continue                        # vvar and the like
            if holdfast.cloud.secret.encode() in data:
                found.append((f"{start:x}-{stop:x} {what}", flags))
    assert found, "the secret is nowhere in memory: this test looks in the wrong place"
    for where, flags in found:
        assert "dd" in flags, f"the secret is in {where}, which a core dump would hold"


def test_no_core_dump(holdfast):
    """Even where somebody lifts the unit's limit."""
    machine = holdfast.machine
    holdfast.credstore()
    machine.drop_in("holdfast", "core", "[Service]\nLimitCORE=infinity\nWorkingDirectory=/var/lib/holdfast\nRestart=no\n")
    works(holdfast)
    holdfast.kill("ABRT")
    wait_until(lambda: holdfast.state == "failed", 10, "it has ended")
    assert machine.show("holdfast", "Result", "ExecMainStatus") == {"Result": "signal", "ExecMainStatus": "6"}       # not core-dump
    assert "core" not in machine.run("ls /var/lib/holdfast").stdout
