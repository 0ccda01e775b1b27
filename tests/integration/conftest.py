# SPDX-License-Identifier: Apache-2.0
"""A fake cloud and an installation of holdfastd for each test; both are looked over when the test is done."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cloud import Cloud, make_certificates  # noqa: E402
from harness import Holdfast, program       # noqa: E402


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def make_cloud(certificates):
    clouds = []

    def make(**options):
        clouds.append(Cloud(certificates, **options))
        return clouds[-1]

    yield make
    for cloud in clouds:
        cloud.close()
        assert not cloud.violations, cloud.violations
        assert not cloud.errors, cloud.errors


@pytest.fixture
def cloud(make_cloud):
    return make_cloud()


@pytest.fixture
def make_holdfast(tmp_path):
    binary = program("HOLDFASTD")
    if binary is None:
        pytest.skip("HOLDFASTD does not name a program")
    made = []

    def make(cloud):
        made.append(Holdfast(binary, tmp_path / f"holdfast-{len(made)}", cloud))
        return made[-1]

    yield make
    for holdfast in made:
        holdfast.finish()


@pytest.fixture
def holdfast(make_holdfast, cloud):
    return make_holdfast(cloud)
