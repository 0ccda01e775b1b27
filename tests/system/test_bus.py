# SPDX-License-Identifier: Apache-2.0
"""Who may see and steer the daemon over the system bus, without polkit and with it: tried by the users themselves."""

import pytest

from host import Holdfast, taurus_id
from machine import wait_until

CALL = "busctl call org.holdfast1 /org/holdfast1 org.holdfast1.Manager"
ACTS = {"Reload": f"{CALL} Reload", "Reconcile": f"{CALL} Reconcile as 1 orders", "Thaw": f'{CALL} Thaw s ""'}


@pytest.fixture(scope="module")
def cloud(make_cloud):
    return make_cloud({"taurusdb": {taurus_id(1): {"encryption": "on"}}})


@pytest.fixture(scope="module")
def holdfast(machine, cloud):
    """With two people on the host: one of group holdfast, and one that is nobody in particular."""
    machine.run("systemctl mask --now polkit")
    machine.run("useradd --groups holdfast oncall && useradd stranger")
    holdfast = Holdfast(machine, cloud).ready().encryption()
    machine.run("systemctl restart holdfast")
    holdfast.wait_event("compliant")
    wait_until(lambda: machine.run("busctl status org.holdfast1", check=False).rc == 0, 15, "the daemon is on the bus")
    return holdfast


@pytest.mark.parametrize("user", [None, "oncall"])
def test_root_and_the_group_see(holdfast, user):
    machine = holdfast.machine
    assert "orders" in machine.run("holdfastctl status orders", user=user).stdout
    assert "1 control" in machine.run("holdfastctl status", user=user).stdout
    assert '"holdfastd' not in machine.run("busctl introspect org.holdfast1 /org/holdfast1", user=user).stderr


def test_strangers_do_not_see(holdfast):
    machine = holdfast.machine
    for command in (f"{CALL} GetInstance s orders", f"{CALL} ListEndpoints",
                    "busctl get-property org.holdfast1 /org/holdfast1 org.holdfast1.Manager ConfigFile"):
        done = machine.run(command, user="stranger", check=False)
        assert done.rc != 0 and "denied" in done.stderr.lower() and "orders" not in done.stdout, done
    done = machine.run("holdfastctl status", user="stranger", check=False)
    assert done.rc not in (0, 2) and taurus_id(1) not in done.text, done


@pytest.mark.parametrize("user", ["oncall", "stranger", "nobody"])
@pytest.mark.parametrize("act", ACTS)
def test_only_root_acts(holdfast, act, user):
    done = holdfast.machine.run(ACTS[act], user=user, check=False)
    assert done.rc != 0 and "denied" in done.stderr.lower(), done


@pytest.mark.parametrize("act", ACTS)
def test_root_acts(holdfast, act):
    cursor = holdfast.cursor()
    assert holdfast.machine.run(ACTS[act]).stdout.startswith("u ")
    if act == "Reload":
        holdfast.wait_event("reloaded", cursor)


def test_polkit_lets_whom_the_host_says(holdfast):
    """A rule of the host's administrator: the group may have things looked at again, and nothing else."""
    machine = holdfast.machine
    machine.run("systemctl unmask polkit")
    try:
        # Not by default: that needs the password of an administrator, and nobody is there to ask for it.
        done = machine.run(ACTS["Reconcile"], user="oncall", check=False)
        assert done.rc != 0 and "orders" not in done.stdout, done

        machine.write("/etc/polkit-1/rules.d/50-holdfast.rules",
                      """polkit.addRule(function(action, subject) {
                             if (action.id == "org.holdfast1.reconcile" && subject.isInGroup("holdfast"))
                                     return polkit.Result.YES;
                         });\n""")
        machine.run("systemctl restart polkit")
        assert machine.run(ACTS["Reconcile"], user="oncall").stdout.startswith("u 1")
        assert machine.run("holdfastctl reconcile orders", user="oncall").rc == 0
        for act in ("Reload", "Thaw"):
            assert machine.run(ACTS[act], user="oncall", check=False).rc != 0
        for act in ACTS:
            assert machine.run(ACTS[act], user="stranger", check=False).rc != 0
        assert machine.run(ACTS["Reload"]).rc == 0
    finally:
        machine.run("systemctl mask --now polkit")


def test_nobody_takes_the_name(holdfast):
    machine = holdfast.machine
    machine.run("systemctl stop holdfast")
    try:
        for user in ("stranger", "oncall"):
            done = machine.run("busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus RequestName su org.holdfast1 4",
                               user=user, check=False)
            assert done.rc != 0 and "denied" in done.stderr.lower(), done
    finally:
        holdfast.start()


def test_a_second_daemon_does_not_start(holdfast):
    """By hand, with another state folder, while the unit runs."""
    command = "mkdir -p -m 0700 /tmp/second; timeout 10 holdfastd --state /tmp/second --log text"
    done = holdfast.machine.run(command, user="holdfast", check=False)
    assert done.rc == 1 and "org.holdfast1" in done.stderr, done
    assert holdfast.state == "active"


def test_the_bus_goes_and_comes_back(holdfast):
    """Enforcement does not care, and the daemon is found again."""
    machine = holdfast.machine
    pid = holdfast.pid
    machine.run("systemctl stop dbus.socket dbus.service", check=False)
    try:
        holdfast.switch_off()
        holdfast.wait_remediated()
    finally:
        machine.run("systemctl start dbus.socket dbus.service")
    wait_until(lambda: machine.run("holdfastctl reconcile orders", check=False).rc == 0, 40, "the daemon is on the bus again")
    assert holdfast.pid == pid
