# SPDX-License-Identifier: Apache-2.0
"""Arguments and files: what is accepted, what is refused, and how the refusal reads."""

import os
import re
import subprocess

import pytest

from harness import KMS_KEY
from services import DAY, identifier

TAURUS = identifier("orders", "in07")
LOCK = f"service: taurusdb\ninstance_id: {TAURUS}\nlock:\n  retention_days: 30\n"


def said(result):
    return result.stdout + result.stderr


def check(holdfast, **options):
    options.setdefault("log", "text")
    return holdfast.run("--check", **options)


def assert_contacts_nobody(cloud):
    assert not cloud.log and not cloud.tls_failures


# Arguments

def test_version(holdfast):
    result = holdfast.run("--version").exits(0)
    assert re.search(r"\d+\.\d+", result.stdout)


def test_help_names_every_option(holdfast):
    result = holdfast.run("--help").exits(0)
    for option in ("config", "instances", "state", "observe", "once", "check", "log", "version", "help"):
        assert f"--{option}" in result.stdout, option


@pytest.mark.parametrize("argument", ["--help", "--version", "--check"])
def test_output_that_cannot_be_written(holdfast, argument):
    holdfast.write()
    with open("/dev/full", "w") as full:
        done = subprocess.run(holdfast.command(argument, log=None), env=holdfast.environment(), stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=40)
    assert done.returncode == 1 and "stdout: not all could be written: No space left on device" in done.stderr


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--log", "loud"], ["surplus"], ["--config"]])
def test_wrong_usage(holdfast, cloud, arguments):
    result = holdfast.run(*arguments, log=None)
    result.exits(2)
    assert result.stderr.strip()
    assert_contacts_nobody(cloud)


@pytest.mark.parametrize("option", ["config", "instances", "state", "log"])
def test_empty_value(holdfast, option):
    for arguments in ([f"--{option}", ""], [f"--{option}="]):
        result = holdfast.run("--check", *arguments, log=None).exits(2)
        assert f"--{option} needs a value, and not an empty one" in result.stderr


# --check

def test_check_good(holdfast, cloud):
    holdfast.encryption("orders")
    holdfast.lock("vault")
    holdfast.schedule("audit")
    holdfast.download("ledger", identifier("gauss", "in14"))
    check(holdfast).exits(0)
    assert_contacts_nobody(cloud)


def test_check_good_everything_written_out(holdfast, cloud):
    """The contract's own example, whole."""
    holdfast.configure(language="zh-cn", mode="enforce",
                       http={"max_connections": 16, "rate": "20/s", "proxy": "http://proxy.example.internal:3128"},
                       limits={"max_retention_days": 3660, "new_locks_per_day": 20},
                       defaults={"encryption": {"poll": "5m"}, "schedule": {"poll": "15m", "reapply": "24h"},
                                 "lock": {"poll": "1h", "renew_before": "7d", "settle": "1h"},
                                 "download": {"poll": "12h", "reauthorize": "never"}})
    holdfast.policy("all", f"""name: orders
service: taurusdb
instance_id: 7033e7c3cf93438797d44ad7ae0a7d95in07
encryption:
  expect: on
  kms_key_id: {KMS_KEY}
  poll: 5m
lock:
  retention_days: 30
  renew_before: 7d
  max_retention_days: 45
  extension: auto
  settle: 1h
  require_manual_backup: 30d
  poll: 1h""", """name: audit
service: dbss
instance_id: 2f6b1d3c4e5f60718293a4b5c6d7e8f9
schedule:
  status: on
  mode: AUTO
  cycle: per_day
  trigger_time: "2025-08-21 02:00:44"
  timezone: Asia/Singapore
  bucket_name: cbh-ynf
  bucket_root_path: ""
  poll: 15m
  reapply: 24h
  max_backup_age: 1d2h""", """name: ledger-gauss
service: gaussdb
instance_id: 1de27464abdf48519f8574c97a8f0625in14
download:
  backups: latest
  reauthorize: never
  poll: 12h""")
    check(holdfast).exits(0)
    assert_contacts_nobody(cloud)


def test_check_no_policies(holdfast):
    check(holdfast).exits(0)


@pytest.mark.parametrize("arguments", [["--check"], ["--once"], []])
def test_named_folder_must_be_there(holdfast, cloud, arguments):
    nowhere = str(holdfast.folder / "nowhere")
    result = holdfast.run(*arguments, "--instances", nowhere).exits(78)
    assert [e["HOLDFAST_FILE"] for e in result.named("policy-rejected")] == [nowhere]
    assert "no such folder" in result.named("policy-rejected")[0]["MESSAGE"]
    assert_contacts_nobody(cloud)


def test_folder_that_is_none(holdfast, cloud):
    """The start says what --check says."""
    file = holdfast.folder / "file"
    file.write_text("")
    for argument in ("--check", "--once"):
        assert "Not a directory" in holdfast.run(argument, "--instances", str(file)).exits(78).stderr
    assert_contacts_nobody(cloud)


def test_default_folder_may_be_missing(holdfast):
    holdfast.instances.rmdir()
    holdfast.once().exits(0)
    check(holdfast).exits(0)


BROKEN = [
    # text, line, column (None: any), key, words that must be said
    (LOCK + "  renew_befor: 7d\n", 5, 3, "lock.renew_befor", ["renew_before"]),
    (LOCK.replace("30", "soon"), 4, 19, "lock.retention_days", ["soon"]),
    (LOCK.replace("30", "0"), 4, 19, "lock.retention_days", ["1", "36500"]),
    (LOCK.replace("30", "36501"), 4, 19, "lock.retention_days", ["36501", "36500"]),
    (LOCK + "  retention_days: 31\n", 5, 3, "lock.retention_days", []),
    (LOCK + "  renew_before: 5x\n", 5, 17, "lock.renew_before", ["5x"]),
    (LOCK + "  poll: 0s\n", 5, 9, "lock.poll", []),
    (LOCK + "  poll: 31d\n", 5, 9, "lock.poll", ["31d"]),
    (LOCK + "  extension: guess\n", 5, 14, "lock.extension", ["guess", "from-start", "added"]),
    (LOCK + "  settle: [1h]\n", 5, 11, "lock.settle", []),
    (LOCK + "schedule:\n  status: on\n", 5, None, "schedule", ["taurusdb"]),
    (f"service: taurusdb\ninstance_id: {TAURUS}\n", None, None, "", ["control"]),
    (f"service: mysql\ninstance_id: {TAURUS}\nencryption:\n  expect: on\n", 1, 10, "service", ["mysql", "taurusdb"]),
    ("service: taurusdb\ninstance_id: short\nencryption:\n  expect: on\n", 2, 14, "instance_id", ["36"]),
    ("service: taurusdb\nencryption:\n  expect: on\n", None, None, "instance_id", []),
    (f"service: taurusdb\ninstance_id: {TAURUS}\nencryption:\n  expect: maybe\n",
     4, 11, "encryption.expect", ["maybe"]),
    ("service: dbss\ninstance_id: 2f6b1d3c4e5f60718293a4b5c6d7e8f9\nschedule:\n  status: on\n  mode: AUTO\n"
     "  cycle: PER_YEAR\n  trigger_time: \"2025-08-21 02:00:44\"\n  timezone: Asia/Singapore\n  bucket_name: b-1\n",
     6, 10, "schedule.cycle", ["PER_YEAR", "PER_DAY"]),
    ("service: dbss\ninstance_id: 2f6b1d3c4e5f60718293a4b5c6d7e8f9\nschedule:\n  status: on\n  mode: AUTO\n"
     "  cycle: PER_DAY\n  trigger_time: \"2025-08-21 02:00:44\"\n  timezone: Asia/Nowhere\n  bucket_name: b-1\n",
     8, 13, "schedule.timezone", ["Asia/Nowhere"]),
    ("service: dbss\ninstance_id: 2f6b1d3c4e5f60718293a4b5c6d7e8f9\nschedule:\n  status: on\n  mode: AUTO\n"
     "  cycle: PER_DAY\n  trigger_time: \"2025-08-21 02:00:44\"\n  bucket_name: b-1\n",
     None, None, "schedule.timezone", []),
    ("service: dbss\ninstance_id: 2f6b1d3c4e5f60718293a4b5c6d7e8f9\nschedule:\n  status: on\n  mode: AUTO\n"
     "  cycle: PER_DAY\n  trigger_time: \"2025-02-30 02:00:44\"\n  timezone: Asia/Singapore\n  bucket_name: b-1\n",
     7, 17, "schedule.trigger_time", ["2025-02-30"]),
    ("service: gaussdb\ninstance_id: 1de27464abdf48519f8574c97a8f0625in14\ndownload:\n  backups: newest\n",
     4, 12, "download.backups", ["newest", "latest"]),
    # what can never work, with the figures
    (LOCK + "  renew_before: 30d\n", 5, None, "lock.renew_before", ["30"]),
    (LOCK + "  renew_before: 2h\n  poll: 1h\n", 5, None, "lock.renew_before", ["2h", "1h"]),
    (LOCK + "  max_retention_days: 29\n", 5, None, "lock.max_retention_days", ["29", "30"]),
    (LOCK.replace("30", "4000"), 4, None, "lock.", ["4000", "3660"]),
]


@pytest.mark.parametrize("text,line,column,key,words", BROKEN,
                         ids=[f"{b[3] or 'document'}-{i}" for i, b in enumerate(BROKEN)])
def test_broken_policy(holdfast, cloud, text, line, column, key, words):
    """--check and --once tell the same: file, line, column, key, what was found."""
    holdfast.policy("orders", text.rstrip("\n"))
    result = check(holdfast)
    assert result.rc != 0
    where = rf"orders\.yaml:{line or r'[0-9]+'}:{column or r'[0-9]+'}: {re.escape(key)}"
    found = [m for m in said(result).splitlines() if re.search(where, m)]
    assert found, f"nothing like {where} in:\n{said(result)}"
    for word in words:
        assert any(word in m for m in found), f"{word!r} is not said: {found}"
    result = holdfast.once().exits(3)
    rejected = result.named("policy-rejected")
    assert rejected and rejected[0]["HOLDFAST_FILE"].endswith("orders.yaml")
    if line:
        assert str(line) in [str(e["HOLDFAST_LINE"]) for e in rejected]
    assert all(int(e["PRIORITY"]) == 3 for e in rejected)
    assert not cloud.writes


def test_misspelt_key_suggests_the_nearest(holdfast):
    holdfast.policy("orders", f"service: taurusdb\ninstance_id: {TAURUS}\nencrytion:\n  expect: on")
    assert re.search(r"orders\.yaml:3:1: encrytion: .*\bencryption\b", said(check(holdfast)))


def test_all_errors_of_a_file_at_once(holdfast):
    holdfast.policy("orders", LOCK + "  poll: never\n  settle: x\n  extensoin: added\n  renew_before: -1d")
    text = said(check(holdfast))
    for where in ("5:9: lock.poll", "6:11: lock.settle", "7:3: lock.extensoin", "8:17: lock.renew_before"):
        assert f"orders.yaml:{where}: " in text, text


def test_errors_of_all_files_at_once(holdfast):
    holdfast.policy("a", LOCK + "  poll: never")
    holdfast.policy("b", "service: nonsense\nlock: 1")
    text = said(check(holdfast))
    assert "a.yaml:5:9: lock.poll: " in text and "b.yaml:1:10: service: " in text


def test_syntax_error_has_a_position(holdfast):
    holdfast.policy("orders", "service: taurusdb\nlock: {retention_days: 30")
    result = check(holdfast)
    assert result.rc != 0 and re.search(r"orders\.yaml:\d+:\d+: ", said(result))


@pytest.mark.parametrize("text", [
    "a: &a [*a]",
    "service: taurusdb\nencryption: &x\n  expect: on\n  poll: *x",
    "service: taurusdb\n" + "#" * (1024 * 1024 + 1),
    "- a\n- b",
    "just text",
    "\x00\x01\x02",
    "service: " + "[" * 2000,
    "&a a: 1\n" + "\n".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}' if i else 'x'] * 10)}]" for i in range(9)),
], ids=["loop", "self", "over-1-MiB", "list", "scalar", "binary", "deep", "bomb"])
def test_hostile_files(holdfast, text):
    holdfast.policy("orders", text)
    result = check(holdfast, timeout=15)
    assert result.rc in (1, 3, 78) and "orders.yaml:" in said(result)


@pytest.mark.parametrize("write", [
    lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text,
    lambda text: "# ü\n---\n" + text + "...\n",
    lambda text: text.replace("retention_days: 30", "retention_days: 30 # days\n\n"),
    lambda text: text + "  poll: &often 5m\n  settle: *often\n",
    lambda text: "{service: taurusdb, instance_id: " + TAURUS + ", lock: {retention_days: 30}}\n",
], ids=["crlf", "bom", "markers", "comment", "alias", "flow"])
def test_yaml_as_people_write_it(holdfast, write):
    (holdfast.instances / "orders.yaml").write_text(write(LOCK), newline="")
    check(holdfast).exits(0)


def test_duplicate_name_and_control(holdfast):
    holdfast.policy("a", "name: one\n" + LOCK)
    other = identifier("other", "in07")
    holdfast.policy("b", f"name: one\nservice: taurusdb\ninstance_id: {other}\nencryption:\n  expect: on")
    holdfast.policy("c", "name: three\n" + LOCK)
    text = said(check(holdfast))
    assert re.search(r"b\.yaml:\d+:\d+: name: .*one", text) and re.search(r"c\.yaml:\d+:\d+: ", text)
    assert not re.search(r"^\S*a\.yaml:", text, re.M), "the first one keeps name and control"


@pytest.mark.parametrize("value", ["99999999999999999999", "-1", "1e2", "3.5", "0x1e", "1_000", "~", "[30]", "true",
                                   "''"])
def test_numbers_that_are_none(holdfast, value):
    holdfast.policy("orders", LOCK.replace("30", value))
    result = check(holdfast)
    assert result.rc != 0 and re.search(r"orders\.yaml:4:\d+: lock\.retention_days: ", said(result))


@pytest.mark.parametrize("value", ["99999999999999999999d", "1", "d", "1d2", "1.5h", "1 h", "-1h", "1H", "h1",
                                   "1d-1h", "~"])
def test_durations_that_are_none(holdfast, value):
    holdfast.policy("orders", LOCK + f"  renew_before: {value}\n")
    result = check(holdfast)
    assert result.rc != 0 and re.search(r"orders\.yaml:5:\d+: lock\.renew_before: ", said(result))


@pytest.mark.parametrize("kind", ["fifo", "folder", "dangling", "itself", "unreadable"])
def test_what_is_not_a_file(holdfast, cloud, kind):
    """Nothing hangs, nothing is taken down."""
    odd = holdfast.instances / "odd.yaml"
    if kind == "fifo":
        os.mkfifo(odd)
    elif kind == "folder":
        odd.mkdir()
    elif kind == "unreadable":
        odd.symlink_to("/proc/self/mem")
    else:
        odd.symlink_to("nowhere.yaml" if kind == "dangling" else "odd.yaml")
    good = holdfast.encryption("good", cloud.add_taurus("good", encryption="off"))
    result = holdfast.once(timeout=15)
    assert result.rc == 3 and "odd.yaml" in result.stderr
    assert good.encryption == "on"


@pytest.mark.parametrize("kind", ["folder", "fifo", "empty"])
def test_settings_that_are_no_file(holdfast, kind):
    holdfast.settings = None
    if kind == "folder":
        holdfast.config.mkdir()
    elif kind == "fifo":
        os.mkfifo(holdfast.config)
    else:
        holdfast.config.write_text("")
    result = holdfast.run("--once", timeout=15)
    assert result.rc in ((0, 78) if kind == "empty" else (78,))


def test_ignored_names(holdfast):
    for name in (".hidden.yaml", "notes.txt", "orders.yaml.bak", "orders.yml"):
        (holdfast.instances / name).write_text("{[nonsense")
    check(holdfast).exits(0)


def test_broken_policy_takes_no_other_down(holdfast, cloud):
    holdfast.policy("broken", "service: [")
    good = holdfast.encryption("good", cloud.add_taurus("good", encryption="off"))
    result = holdfast.once().exits(3)
    assert good.encryption == "on"
    assert result.named("policy-rejected") and result.named("remediated", name="good")


def test_several_documents_in_a_file(holdfast, cloud):
    one, two = cloud.add_taurus("one", encryption="off"), cloud.add_taurus("two", encryption="off")
    holdfast.policy("both", *({"name": n, "service": "taurusdb", "instance_id": i.id,
                               "encryption": {"expect": "on", "kms_key_id": KMS_KEY}}
                              for n, i in (("one", one), ("two", two))))
    result = holdfast.once().exits(0)
    assert one.encryption == two.encryption == "on"
    assert result.named("remediated", name="one") and result.named("remediated", name="two")


# holdfast.yaml

def test_check_broken_settings_and_broken_policies(holdfast, cloud):
    """Everything is checked, and nothing is held against settings that nobody could read."""
    holdfast.configure(region=None, mode="enforced")
    holdfast.policy("broken", "service: taurusdb\ninstance_id: x\nlock: {}\n")
    holdfast.policy("large", f"service: taurusdb\ninstance_id: {TAURUS}\nlock: {{retention_days: 4000}}\n")
    result = check(holdfast).exits(78)
    assert re.search(r"^holdfast\.yaml:\d+:\d+: mode", said(result), re.M)
    assert "broken.yaml:2:14: instance_id" in said(result) and "broken.yaml:3:7: lock.retention_days" in said(result)
    assert "large.yaml" not in said(result) and "region" not in said(result)
    assert_contacts_nobody(cloud)

    lines = check(holdfast, log="json").exits(78)
    assert not lines.noise
    assert {e["HOLDFAST_FILE"] for e in lines.named("policy-rejected")} == {"holdfast.yaml", "broken.yaml"}


@pytest.mark.parametrize("url", [
    "https://user:secret@host", "ftp://host", "https://", "https://host/path", "https://host?query", "host name",
    "https://host:99999", "https://[::1", "http://10.0.0.1", "http://localhost.example.com", "file:///etc/passwd",
])
def test_endpoint_that_is_none(holdfast, cloud, url):
    """Plain http is for loopback addresses and the metadata service; the origin is all that an endpoint is."""
    holdfast.settings = None
    holdfast.config.write_text(f'region: ap-southeast-1\nendpoints:\n  taurusdb: "{url}"\n')
    result = check(holdfast).exits(78)
    assert "holdfast.yaml:3:13: endpoints.taurusdb: " in said(result)


@pytest.mark.parametrize("key,value", [
    ("rate", "0/s"), ("rate", "20"), ("rate", "-1/s"), ("max_connections", "0"), ("timeout", "0s"),
    ("connect_timeout", "0s"), ("ca_file", "relative.pem"), ("timeout", "5"),
])
def test_http_settings_that_cannot_work(holdfast, key, value):
    holdfast.settings = None
    holdfast.config.write_text(f"http:\n  {key}: {value}\n")
    result = check(holdfast)
    if key == "ca_file":
        assert result.rc in (0, 78)
    else:
        result.exits(78)
        assert f"http.{key}: " in said(result)


@pytest.mark.parametrize("text,where", [
    ("region: ap-southeast-1\nnonsense: 1\n", "holdfast.yaml:2:1: nonsense"),
    ("mode: enforced\n", "holdfast.yaml:1:7: mode"),
    ("http:\n  rate: fast\n", "holdfast.yaml:2:9: http.rate"),
    ("credentials:\n  source: guess\n", "holdfast.yaml:2:11: credentials.source"),
    ("endpoints:\n  taurusdb: http://gaussdb.example.internal\n", "holdfast.yaml:2:13: endpoints.taurusdb"),
    ("region: [\n", "holdfast.yaml:"),
    ("limits:\n  max_retention_days: lots\n", "holdfast.yaml:2:23: limits.max_retention_days"),
], ids=["unknown", "enum", "rate", "source", "plain-http", "syntax", "limit"])
@pytest.mark.parametrize("how", ["--check", "--once", None])
def test_broken_settings(holdfast, cloud, text, where, how):
    holdfast.settings = None
    holdfast.config.write_text(text)
    result = holdfast.run(*([how] if how else []), log="text", timeout=10).exits(78)
    assert where in said(result)
    assert_contacts_nobody(cloud)


def test_missing_settings(holdfast):
    holdfast.settings = None
    result = holdfast.run("--once", log="text").exits(78)
    assert "holdfast.yaml" in said(result)


def test_instances_option(holdfast, cloud):
    elsewhere = holdfast.folder / "elsewhere"
    elsewhere.mkdir()
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    (holdfast.instances / "orders.yaml").rename(elsewhere / "orders.yaml")
    holdfast.once().exits(0)
    assert instance.encryption == "off"
    holdfast.once("--instances", str(elsewhere)).exits(0)
    assert instance.encryption == "on"


# observe

@pytest.mark.parametrize("how", ["option", "settings", "instance"])
def test_observe_changes_nothing(holdfast, cloud, how):
    now = cloud.now()
    encryption = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    lock = holdfast.lock("vault", cloud.add_taurus("vault", lock={"start": now - 30 * DAY, "end": now + DAY}))
    fresh = holdfast.lock("fresh")
    audit = holdfast.schedule("audit")
    gauss = identifier("gauss", "in14")
    cloud.gauss.add_backup("b", gauss, age=3600)
    holdfast.download("ledger", gauss)
    if how == "settings":
        holdfast.configure(mode="observe")
    if how == "instance":
        for file in holdfast.instances.iterdir():
            file.write_text("mode: observe\n" + file.read_text())
    result = holdfast.once(*(["--observe"] if how == "option" else [])).exits(3)
    assert not cloud.writes
    assert encryption.encryption == "off" and audit.config is None and not lock.lock.puts and not fresh.lock.puts
    for name in ("orders", "fresh", "audit"):
        assert result.named("drift", name=name), name
    result.none("remediated", "lock-enabled", "lock-extended", "download-authorized", "remediation-failed")


# What is logged

def test_text_log(holdfast, cloud):
    holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    result = holdfast.run("--once", log="text").exits(0)
    assert "orders" in result.stderr and not result.stderr.lstrip().startswith("{")


def test_json_fields(holdfast, cloud):
    instance = holdfast.encryption("orders", cloud.add_taurus("orders", encryption="off"))
    event = holdfast.once().exits(0).one("drift")
    assert re.fullmatch(r"[0-9a-f]{32}", event["MESSAGE_ID"]) and event["MESSAGE"]
    assert int(event["PRIORITY"]) == 4
    assert event["HOLDFAST_NAME"] == "orders" and event["HOLDFAST_INSTANCE"] == instance.id
    assert event["HOLDFAST_SERVICE"] == "taurusdb" and event["HOLDFAST_REGION"] == "ap-southeast-1"
    assert event["HOLDFAST_CONTROL"] == "encryption"


def test_started_and_stopping(holdfast):
    holdfast.encryption("orders")
    result = holdfast.once().exits(0)
    for name in ("started", "stopping"):
        assert int(result.one(name)["PRIORITY"]) == 5
