# SPDX-License-Identifier: Apache-2.0
"""The life of the package on a host: installed, upgraded, removed and purged by apt, with the daemon running."""

import subprocess

import pytest
from machine import TOP, wait_until
from prepare import install

NEWER = "0.1.0+newer"
EDITED = "region: ap-southeast-1\nproject_id: 619d3e78f61b4be68bc5aa0b59edcf7b\n# edited\n"
POLICY = "service: taurusdb\ninstance_id: 7033e7c3cf93438797d44ad7ae0a7d95in07\nmode: observe\nencryption: {expect: on}\n"


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run([TOP / "packaging/build-deb", "--version", NEWER, folder], check=True, stdout=subprocess.DEVNULL)
    return [path for path in sorted(folder.glob("*.deb")) if "-dbgsym_" not in path.name]


@pytest.fixture(scope="module")
def host(make_machine, base, packages):
    """The tests below follow each other on it, in their order."""
    machine = make_machine(base).boot()
    host.said = install(machine, packages).text
    return machine


def active(host):
    return host.show("holdfast", "ActiveState")


def test_first_installation_leaves_an_idle_daemon(host):
    assert active(host) == "active", host.said
    assert host.run("systemctl is-enabled holdfast").stdout.strip() == "enabled"
    assert host.run("systemctl --failed --no-legend --plain").stdout.strip() == ""
    assert "0 policies" in host.run("journalctl -u holdfast HOLDFAST_EVENT=started -o cat").stdout
    assert "holdfast keeps watch" in host.run("journalctl -x -u holdfast").stdout


def test_first_installation_is_known_to_the_bus(host):
    assert host.run("systemctl is-active dbus").stdout.strip() == "active"
    pid = host.show("holdfast", "MainPID")
    wait_until(lambda: f"PID={pid}" in host.run("busctl status org.holdfast1", check=False).stdout, 5,
               lambda: f"the daemon has its name: {host.run('journalctl -u holdfast -u dbus -o cat').stdout}")


def test_what_is_installed_is_whole(host):
    assert host.run("dpkg --verify holdfast holdfast-sim").stdout == ""
    modes = host.run("stat -c '%n %a %U:%G' /etc/holdfast /etc/holdfast/credentials /etc/holdfast/instances.d /var/lib/holdfast").stdout
    assert modes.splitlines() == ["/etc/holdfast 755 root:root", "/etc/holdfast/credentials 750 root:holdfast",
                                  "/etc/holdfast/instances.d 755 root:root", "/var/lib/holdfast 750 holdfast:holdfast"]
    assert host.run("getent passwd holdfast").stdout.strip().endswith(":/var/lib/holdfast:/usr/sbin/nologin")
    assert host.run("holdfastd --check").rc == 0


def test_upgrade_keeps_what_was_edited_and_restarts(host, newer):
    host.write("/etc/holdfast/holdfast.yaml", EDITED)
    host.write("/etc/holdfast/instances.d/orders.yaml", POLICY)
    host.run("systemctl reload holdfast")
    host.run("echo kept >/var/lib/holdfast/witness")
    before = host.show("holdfast", "InvocationID", "MainPID")

    install(host, newer)

    assert host.run("dpkg-query -W -f '${Version}' holdfast").stdout == NEWER
    assert host.path("/etc/holdfast/holdfast.yaml").read_text() == EDITED
    assert host.path("/etc/holdfast/instances.d/orders.yaml").read_text() == POLICY
    assert host.run("cat /var/lib/holdfast/witness").stdout == "kept\n"
    assert host.run("ls /etc/holdfast/*.dpkg-* || true").stdout == ""
    after = host.show("holdfast", "InvocationID", "MainPID")
    assert active(host) == "active"
    assert after["InvocationID"] != before["InvocationID"] and after["MainPID"] != before["MainPID"]


def test_upgrade_with_broken_settings_does_not_fail(host, packages):
    host.write("/etc/holdfast/holdfast.yaml", "region: [\n")
    # Also the way back: a downgrade is an upgrade with another sign.
    for package in packages:
        host.run(f"dpkg -i /root/{package.name}", timeout=300)
    assert active(host) == "failed"
    assert host.show("holdfast", "ExecMainStatus") == "78"
    assert host.run("dpkg --audit").stdout == ""
    host.write("/etc/holdfast/holdfast.yaml", EDITED)
    host.run("systemctl reset-failed holdfast; systemctl start holdfast")


def test_upgrade_leaves_a_disabled_unit_alone(host, newer):
    host.run("systemctl disable --now holdfast")
    install(host, newer)
    assert host.run("systemctl is-enabled holdfast", check=False).stdout.strip() == "disabled"
    assert active(host) == "inactive"
    host.run("systemctl enable --now holdfast")


def test_removal_stops_and_keeps_settings_and_state(host, newer):
    host.run("apt-get remove -y holdfast", timeout=300)
    assert host.run("pgrep -x holdfastd", check=False).stdout == ""
    assert active(host) == "inactive"
    assert host.path("/etc/holdfast/holdfast.yaml").read_text() == EDITED
    assert host.path("/etc/holdfast/instances.d/orders.yaml").exists()
    assert host.run("ls /var/lib/holdfast").stdout.split() == ["holdfast.db", "holdfast.lock", "witness"]

    install(host, newer)
    assert active(host) == "active"
    assert host.path("/etc/holdfast/holdfast.yaml").read_text() == EDITED


def test_purge_keeps_the_state_and_what_somebody_wrote(host, newer):
    said = host.run("apt-get purge -y holdfast", timeout=300).text
    assert "state and evidence are kept in /var/lib/holdfast" in said
    assert host.run("cat /var/lib/holdfast/witness").stdout == "kept\n"
    assert host.run("find /etc/holdfast -type f").stdout.split() == ["/etc/holdfast/instances.d/orders.yaml"]
    assert host.run("getent passwd holdfast").rc == 0
    install(host, newer)


def test_purge_takes_the_state_along_when_asked(host):
    host.run("touch /etc/holdfast/purge-state; rm /etc/holdfast/instances.d/orders.yaml")
    host.run("apt-get purge -y holdfast holdfast-sim", timeout=300)
    assert host.run("ls -d /var/lib/holdfast /etc/holdfast", check=False).stdout == ""
    assert host.run("systemctl --failed --no-legend --plain").stdout.strip() == ""
