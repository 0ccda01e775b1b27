# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: the root folders of prepare.py, and a machine for each test file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from host import Cloud, holdfast_sim    # noqa: E402
from machine import Machine, Network    # noqa: E402
from prepare import prepare             # noqa: E402


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="boots a container, which needs root"))


@pytest.fixture(scope="session")
def roots():
    return prepare()


@pytest.fixture(scope="session")
def base(roots):
    return roots[0]


@pytest.fixture(scope="session")
def installed(roots):
    return roots[1]


@pytest.fixture(scope="session")
def packages(roots):
    return roots[2]


@pytest.fixture(scope="module")
def network():
    network = Network()
    yield network
    network.close()


@pytest.fixture(scope="module")
def make_machine(network):
    """make_machine(root): a machine that is off yet."""
    machines = []

    def make(root):
        machines.append(Machine(root, network))
        return machines[-1]

    yield make
    for machine in machines:
        machine.close()


@pytest.fixture(scope="module")
def machine(make_machine, installed):
    """With the packages installed, on; for all tests of a file."""
    return make_machine(installed).boot()


@pytest.fixture(scope="module")
def make_cloud(network, installed, tmp_path_factory):
    clouds = []

    def make(instances, **sections):
        clouds.append(Cloud(holdfast_sim(installed), network, tmp_path_factory.mktemp("cloud"), instances, **sections))
        return clouds[-1]

    yield make
    for cloud in clouds:
        cloud.close()


@pytest.fixture(scope="module")
def preload(machine, tmp_path_factory):
    """The library of preload.c in the machine: its path there."""
    library = tmp_path_factory.mktemp("preload") / "holdfast-test-preload.so"
    subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library),
                    str(Path(__file__).parent / "preload.c"), "-ldl"], check=True)
    shutil.copy(library, machine.path("/usr/lib"))
    return f"/usr/lib/{library.name}"
