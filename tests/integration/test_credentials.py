# SPDX-License-Identifier: Apache-2.0
"""Where keys come from, how they are renewed, and what happens when they are refused."""

import os
import shutil
import time

import pytest

from cloud import DOMAIN, PROJECT, REGION
from harness import wait_until
from services import identifier


def used(cloud):
    """The access keys (or "token") that the services accepted."""
    return {r.auth for r in cloud.requests("taurusdb")}


def key_files(holdfast, cloud, where="credentials", access=None, secret=None, **more):
    return holdfast.credential_files(where, access_key=access or cloud.access, secret_key=secret or cloud.secret,
                                     **more)


def profile(holdfast, cloud, access=None, secret=None, text=None):
    path = holdfast.folder / "profile"
    path.write_text(text or f"[basic]\nak = {access or cloud.access}\nsk = {secret or cloud.secret}\n")
    path.chmod(0o600)
    return path


def password(holdfast, cloud, right=True):
    cloud.iam.passwords["account", "user"] = "password-of-user"
    cloud.secrets |= {"password-of-user", "password-mistyped"}
    folder = holdfast.credential_files(password="password-of-user" if right else "password-mistyped")
    holdfast.env = {"CREDENTIALS_DIRECTORY": str(folder)}
    holdfast.configure(credentials={"source": "password", "user_name": "user", "domain_name": "account"})


# Sources

@pytest.mark.parametrize("newline", ["", "\n"])
def test_systemd(holdfast, cloud, newline):
    folder = key_files(holdfast, cloud, access=cloud.access + newline, secret=cloud.secret + newline)
    holdfast.env = {"CREDENTIALS_DIRECTORY": str(folder)}
    holdfast.configure(credentials={"source": "systemd"})
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    assert used(cloud) == {cloud.access}


def test_files(holdfast, cloud):
    holdfast.env = {}
    holdfast.configure(credentials={"source": "files", "directory": str(key_files(holdfast, cloud))})
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    assert used(cloud) == {cloud.access}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_files_open_to_others_are_refused(holdfast, cloud, mode):
    holdfast.env = {}
    folder = key_files(holdfast, cloud)
    (folder / "secret_key").chmod(mode)
    holdfast.configure(credentials={"source": "files", "directory": str(folder)})
    holdfast.encryption("orders")
    result = holdfast.once(timeout=60)
    assert result.rc != 0 and not cloud.requests("taurusdb")
    assert "secret_key" in result.stderr


@pytest.mark.parametrize("kind", ["fifo", "folder", "endless", "empty", "two lines", "binary", "missing"])
@pytest.mark.parametrize("source", ["files", "systemd"])
def test_credential_that_is_no_key(holdfast, cloud, source, kind):
    """Nothing hangs, and nothing is signed with what is left of it."""
    folder = key_files(holdfast, cloud)
    path = folder / "secret_key"
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path, 0o600)
    elif kind == "folder":
        path.mkdir(mode=0o700)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind != "missing":
        content = {"empty": b"", "two lines": b"sk/one\nsk/two\n", "binary": b"sk/\x00\x01\xff"}[kind]
        path.touch(mode=0o600)
        path.write_bytes(content)
    holdfast.env = {"CREDENTIALS_DIRECTORY": str(folder)} if source == "systemd" else {}
    holdfast.configure(credentials={"source": source} | ({"directory": str(folder)} if source == "files" else {}))
    holdfast.encryption("orders")
    result = holdfast.once(timeout=20)
    assert result.rc in (1, 3) and not cloud.log


def test_environment(holdfast, cloud):
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    assert used(cloud) == {cloud.access}


@pytest.mark.parametrize("source", ["environment", "systemd", "files", "profile"])
def test_temporary_key(holdfast, cloud, source):
    access, secret, token = cloud.new_key(expires=cloud.now() + 3600, temporary=True)
    if source == "environment":
        holdfast.env = {"HUAWEICLOUD_SDK_AK": access, "HUAWEICLOUD_SDK_SK": secret,
                        "HUAWEICLOUD_SDK_SECURITY_TOKEN": token}
    elif source == "profile":
        path = profile(holdfast, cloud, text=f"[basic]\nak={access}\nsk={secret}\nsecurity_token={token}\n")
        holdfast.env = {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(path)}
    else:
        folder = key_files(holdfast, cloud, access=access, secret=secret, security_token=token)
        holdfast.env = {"CREDENTIALS_DIRECTORY": str(folder)} if source == "systemd" else {}
        if source == "files":
            holdfast.configure(credentials={"directory": str(folder)})
    holdfast.configure(credentials={"source": source})
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    assert used(cloud) == {access}


@pytest.mark.parametrize("where", ["named", "home"])
def test_profile(holdfast, cloud, where):
    path = profile(holdfast, cloud, text=f"# made by hand\n[global]\nak = other\nsk = other\n\n[basic]\n"
                                         f"ak={cloud.access}\nsk = {cloud.secret}\n")
    holdfast.env = {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(path)}
    if where == "home":
        (holdfast.folder / ".huaweicloud").mkdir()
        path.rename(holdfast.folder / ".huaweicloud/credentials")
        holdfast.env = {}
    holdfast.configure(credentials={"source": "profile"})
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    assert used(cloud) == {cloud.access}


@pytest.mark.parametrize("first", ["systemd", "environment", "profile", "metadata"])
def test_auto_takes_the_first_that_has_a_key(holdfast, cloud, first):
    order = ["systemd", "environment", "profile", "metadata"]
    keys = {s: cloud.new_key()[:2] for s in order}
    holdfast.env = {}
    for source in order[order.index(first):]:
        access, secret = keys[source]
        if source == "systemd":
            folder = key_files(holdfast, cloud, access=access, secret=secret)
            holdfast.env["CREDENTIALS_DIRECTORY"] = str(folder)
        elif source == "environment":
            holdfast.env |= {"HUAWEICLOUD_SDK_AK": access, "HUAWEICLOUD_SDK_SK": secret}
        elif source == "profile":
            holdfast.env["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = str(profile(holdfast, cloud, access, secret))
    if first == "environment":
        # There, but without a key in it.
        holdfast.env["CREDENTIALS_DIRECTORY"] = str(holdfast.credential_files("empty", unrelated="x"))
    holdfast.configure(credentials={"source": "auto"})
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    assert used(cloud) == ({cloud.metadata.keys[0]} if first == "metadata" else {keys[first][0]})
    assert bool(cloud.requests("metadata")) == (first == "metadata")


@pytest.mark.parametrize("source", ["environment", "systemd", "files", "profile", "password"])
def test_no_key_anywhere(holdfast, cloud, source):
    holdfast.env = {}
    more = {"directory": str(holdfast.folder / "nowhere")} if source == "files" else {}
    more |= {"user_name": "user", "domain_name": "account"} if source == "password" else {}
    holdfast.configure(credentials={"source": source, **more})
    holdfast.encryption("orders")
    result = holdfast.once(timeout=60)
    assert result.rc in (1, 3) and not cloud.log
    result.none("compliant", "drift")


# Metadata

@pytest.mark.parametrize("version", ["v1", "v2", "v2-only"])
def test_metadata(holdfast, cloud, version):
    cloud.metadata.version = version
    holdfast.env = {}
    holdfast.configure(credentials={"source": "metadata"})
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    first, second = cloud.requests("metadata")[:2]
    assert (first.method, second.method) == ("PUT", "GET") and second.path == "/openstack/latest/securitykey"
    assert ("x-metadata-token" in second.headers) == (version != "v1")
    assert len(cloud.metadata.keys) == 1 and used(cloud) == set(cloud.metadata.keys)


def test_metadata_key_is_refreshed_before_it_expires(holdfast, cloud):
    cloud.metadata.key_lifetime = 8
    holdfast.env = {}
    holdfast.configure(credentials={"source": "metadata"})
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    wait_until(lambda: len(used(cloud)) >= 2, 25, "a second key in use")
    assert not cloud.signature_failures
    assert int(daemon.wait_event("credentials-refreshed")["PRIORITY"]) == 6
    assert len(cloud.metadata.keys) <= 30, "asked for over and over"


def test_metadata_token_that_ran_out(holdfast, cloud):
    cloud.metadata.version, cloud.metadata.key_lifetime = "v2-only", 6
    holdfast.env = {}
    holdfast.configure(credentials={"source": "metadata"})
    holdfast.encryption("orders", poll="1s")
    holdfast.start()
    cloud.wait_for(1, service="taurusdb")
    with cloud.lock:
        cloud.metadata.tokens.clear()
    wait_until(lambda: len(used(cloud)) >= 2, 25, "a second key in use")
    assert not cloud.signature_failures


def test_metadata_without_an_agency(holdfast, cloud):
    cloud.metadata.agency = False
    holdfast.env = {}
    holdfast.configure(credentials={"source": "metadata"})
    holdfast.encryption("orders")
    result = holdfast.once(timeout=60)
    assert result.rc != 0 and not cloud.requests("taurusdb")
    assert len(cloud.requests("metadata", "GET")) <= 2


def test_metadata_down(holdfast, cloud):
    cloud.fault(service="metadata", status=500, body=b"")
    holdfast.env = {}
    holdfast.configure(credentials={"source": "metadata"})
    holdfast.encryption("orders")
    result = holdfast.once(timeout=60)
    assert result.rc != 0 and not cloud.requests("taurusdb")


# Password

def test_password(holdfast, cloud):
    password(holdfast, cloud)
    holdfast.encryption("orders")
    holdfast.schedule("audit")
    holdfast.once().exits(0)
    request, = cloud.requests("iam", "POST")
    assert request.path == "/v3/auth/tokens" and "nocatalog" in request.query
    scope = request.json["auth"]["scope"]["project"]
    assert scope in ({"name": REGION}, {"id": PROJECT}, {"id": PROJECT, "name": REGION})
    assert used(cloud) == {"token"} and not any("authorization" in r.headers for r in cloud.requests("taurusdb"))


def test_password_gives_project_and_account(holdfast, cloud):
    """The token names both: nothing else has to be asked."""
    password(holdfast, cloud)
    holdfast.configure(project_id=None, domain_id=None)
    holdfast.encryption("orders")
    holdfast.schedule("audit")
    holdfast.once().exits(0)
    assert cloud.requests("taurusdb") and cloud.audit[identifier("audit")].switches


@pytest.mark.parametrize("refusal", ["0307", "0301"])
def test_token_that_ran_out_early_is_renewed(holdfast, cloud, refusal):
    password(holdfast, cloud)
    cloud.token_refusal = refusal
    holdfast.encryption("orders", poll="1s")
    holdfast.start()
    cloud.wait_for(2, service="taurusdb")
    cloud.expire_tokens()
    wait_until(lambda: cloud.iam.issued == 2, what="a new token")
    n = len(cloud.requests("taurusdb"))
    found = cloud.wait_for(n + 2, service="taurusdb")
    assert all(r.auth == "token" for r in found[n:])
    assert len([r for r in cloud.signature_failures]) <= 2 and cloud.iam.issued == 2


def test_token_is_renewed_before_it_expires(holdfast, cloud):
    password(holdfast, cloud)
    cloud.iam.token_lifetime = 8
    holdfast.encryption("orders", poll="1s")
    holdfast.start()
    wait_until(lambda: cloud.iam.issued >= 2, 20, "a second token")
    time.sleep(1.5)
    assert not cloud.signature_failures and cloud.iam.issued <= 30


def test_wrong_password_is_tried_once(holdfast, cloud):
    password(holdfast, cloud, right=False)
    for i in range(5):
        holdfast.encryption(f"orders{i}", poll="1s")
    daemon = holdfast.start()
    assert int(daemon.wait_event("credentials-rejected")["PRIORITY"]) == 3
    time.sleep(3)
    assert len(cloud.requests("iam", "POST")) == 1 and not cloud.requests("taurusdb")
    assert len(daemon.output.named("credentials-rejected")) == 1


def test_token_never_accepted(holdfast, cloud):
    """A fresh token is refused as well: renewed once, not for ever."""
    password(holdfast, cloud)
    cloud.fault(service="taurusdb", status=401,
                body={"error_code": "APIGW.0307", "error_msg": "The token must be updated."})
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("credentials-rejected")
    time.sleep(2)
    assert cloud.iam.issued <= 3


def test_long_security_token(holdfast, cloud):
    """They run to many KB."""
    access, secret, _ = cloud.new_key(temporary=True)
    cloud.keys[access].token = token = "x" * 30000
    holdfast.env = {"HUAWEICLOUD_SDK_AK": access, "HUAWEICLOUD_SDK_SK": secret,
                    "HUAWEICLOUD_SDK_SECURITY_TOKEN": token}
    holdfast.encryption("orders")
    holdfast.once().exits(0)
    assert used(cloud) == {access}


# Scope

@pytest.mark.parametrize("source", ["environment", "password"])
def test_project_is_looked_up(holdfast, cloud, source):
    holdfast.configure(project_id=None)
    if source == "password":
        password(holdfast, cloud)
    for i in range(3):
        holdfast.encryption(f"orders{i}")
    holdfast.once().exits(0)
    assert all(PROJECT in r.path for r in cloud.requests("taurusdb"))
    if source == "environment":
        lookup, = cloud.requests("iam")
        assert lookup.path in ("/v3/projects", "/v3/auth/projects") and lookup.auth == cloud.access


@pytest.mark.parametrize("projects", [
    [], [{"id": identifier("x"), "name": "cn-north-4", "enabled": True}],
    [{"id": PROJECT, "name": REGION, "enabled": False, "domain_id": DOMAIN}],
    [{"id": identifier(x), "name": REGION, "enabled": True, "domain_id": DOMAIN} for x in "ab"],
], ids=["none", "elsewhere", "disabled", "two"])
def test_project_that_cannot_be_told(holdfast, cloud, projects):
    cloud.iam.projects = projects
    holdfast.configure(project_id=None)
    holdfast.encryption("orders")
    holdfast.once(timeout=60).exits(3)
    assert not cloud.requests("taurusdb")


# Refused

def test_wrong_key_fails_exactly_once(holdfast, cloud):
    """Twenty instances, four services, polls every second: one refused signature, then silence."""
    holdfast.env["HUAWEICLOUD_SDK_SK"] = "sk/mistyped"
    cloud.secrets.add("sk/mistyped")
    for i in range(20):
        holdfast.encryption(f"orders{i}", poll="1s")
    for i in range(5):
        holdfast.lock(f"vault{i}", poll="1s")
        holdfast.schedule(f"audit{i}", poll="1s")
    holdfast.download("ledger", identifier("gauss", "in14"), poll="1s")
    daemon = holdfast.start()
    event = daemon.wait_event("credentials-rejected")
    time.sleep(4)
    assert len(cloud.log) == 1 and len(cloud.signature_failures) == 1
    assert int(event["PRIORITY"]) == 3 and str(event["HOLDFAST_HTTP_STATUS"]) == "401"
    assert event["HOLDFAST_ERROR_CODE"] == "APIGW.0301"
    assert len(daemon.output.named("credentials-rejected")) == 1


def test_wrong_key_with_once(holdfast, cloud):
    holdfast.env["HUAWEICLOUD_SDK_AK"] = "HFAKUNKNOWN"
    for i in range(10):
        holdfast.encryption(f"orders{i}")
    result = holdfast.once().exits(3)
    assert len(cloud.log) == 1
    result.one("credentials-rejected")
    result.none("drift", "compliant")


def test_first_request_goes_alone(holdfast, cloud):
    """Until the key proved good nothing else is sent with it."""
    for i in range(10):
        holdfast.encryption(f"orders{i}")
    cloud.fault(delay=1, times=1)
    holdfast.once().exits(0)
    times = [r.at for r in cloud.log]
    assert times[1] - times[0] >= 0.9


def test_rotated_key_is_used_at_once(holdfast, cloud):
    access, secret, _ = cloud.new_key()
    folder = key_files(holdfast, cloud)
    holdfast.env = {}
    holdfast.configure(credentials={"source": "files", "directory": str(folder)})
    holdfast.encryption("orders", poll="1s")
    holdfast.start()
    cloud.wait_for(2, service="taurusdb")
    key_files(holdfast, cloud, access=access, secret=secret)
    wait_until(lambda: access in used(cloud), 8, "the new key in use")
    assert len(cloud.signature_failures) <= 1, "a key half rotated may fail once, not more"


@pytest.mark.parametrize("how", ["symlink", "made again", "moved", "appears", "appears deep", "twice"])
def test_folder_of_the_key_is_replaced(holdfast, cloud, how):
    """Used at once, whichever way the new files come to bear the old name."""
    access, secret, _ = cloud.new_key()
    path = holdfast.folder / ("above/deep/credentials" if how == "appears deep" else "credentials")
    holdfast.env = {}
    holdfast.configure(credentials={"source": "files", "directory": str(path) + "/"})
    holdfast.encryption("orders", poll="1s")
    if how == "symlink":
        key_files(holdfast, cloud, where="old")
        path.symlink_to("old")
    elif not how.startswith("appears"):
        key_files(holdfast, cloud)
    daemon = holdfast.start()
    if how.startswith("appears"):
        daemon.wait_event("credentials-rejected")
    else:
        cloud.wait_for(2, service="taurusdb")

    if how == "symlink":
        key_files(holdfast, cloud, where="new", access=access, secret=secret)
        (holdfast.folder / "swap").symlink_to("new")
        (holdfast.folder / "swap").rename(path)
    elif how == "moved":
        new = key_files(holdfast, cloud, where="new", access=access, secret=secret)
        path.rename(holdfast.folder / "old")
        new.rename(path)
    else:
        if not how.startswith("appears"):
            shutil.rmtree(path)
            time.sleep(1)
        path.parent.mkdir(parents=True, exist_ok=True)
        key_files(holdfast, cloud, where=path, access=access, secret=secret)
    wait_until(lambda: access in used(cloud), 8, "the new key in use")
    if how == "twice":
        access, secret, _ = cloud.new_key()
        key_files(holdfast, cloud, access=access, secret=secret)
        wait_until(lambda: access in used(cloud), 8, "the newest key in use")
    assert "cannot be watched" not in daemon.stderr


def test_rejected_key_is_replaced(holdfast, cloud):
    """After the refusal nothing is sent until the files change."""
    folder = key_files(holdfast, cloud, secret="sk/mistyped")
    holdfast.env = {}
    holdfast.configure(credentials={"source": "files", "directory": str(folder)})
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    daemon.wait_event("credentials-rejected")
    time.sleep(1.5)
    assert len(cloud.log) == 1
    key_files(holdfast, cloud)
    daemon.wait_event("compliant", control="encryption", timeout=8)
    assert len(cloud.signature_failures) == 1


def test_key_disabled_while_running(holdfast, cloud):
    for i in range(8):
        holdfast.encryption(f"orders{i}", poll="1s")
    daemon = holdfast.start()
    cloud.wait_for(12, service="taurusdb")
    with cloud.lock:
        del cloud.keys[cloud.access]
    daemon.wait_event("credentials-rejected")
    time.sleep(3)
    # Those under way when the first refusal came back cannot be called back.
    assert len(cloud.signature_failures) <= 8


def test_no_secret_in_the_command_line(holdfast, cloud):
    holdfast.encryption("orders", poll="1s")
    daemon = holdfast.start()
    cloud.wait_for(1, service="taurusdb")
    with open(f"/proc/{daemon.pid}/cmdline", "rb") as f:
        command = f.read()
    assert b"holdfast" in command and not any(s.encode() in command for s in cloud.secrets)


def test_no_secret_when_everything_fails(holdfast, cloud):
    """The gateway quotes the canonical request, security token and all; the harness looks for it in every output."""
    access, secret, token = cloud.new_key(temporary=True)
    holdfast.env = {"HUAWEICLOUD_SDK_AK": access, "HUAWEICLOUD_SDK_SK": "sk/mistyped",
                    "HUAWEICLOUD_SDK_SECURITY_TOKEN": token}
    cloud.secrets.add("sk/mistyped")
    holdfast.encryption("orders")
    result = holdfast.once().exits(3)
    assert len(cloud.signature_failures) == 1
    assert token[:40] not in result.stderr
