# SPDX-License-Identifier: Apache-2.0
"""What the fake cloud's services remember, and their rules. No sockets, no threads: cloud.py holds the lock."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

DAY = 86400
CYCLES = ("FIVE_MIN", "PER_HOUR", "PER_DAY", "PER_WEEK", "PER_MONTH")
READINGS = ("from-start", "from-now", "added")
TRIGGER = re.compile(r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$")


@dataclass
class Reply:
    status: int
    body: bytes = b""
    headers: dict = field(default_factory=dict)


def reply(status, body=None, **headers):
    """A JSON reply; header names are written with underscores."""
    data = b"" if body is None else json.dumps(body).encode()
    return Reply(status, data, {"Content-Type": "application/json"} |
                 {k.replace("_", "-"): v for k, v in headers.items()})


def failure(status, code, message):
    """Error shape of TaurusDB and GaussDB."""
    return reply(status, {"error_code": code, "error_msg": message})


def gateway_failure(status, digits, message):
    return reply(status, {"error_msg": message, "error_code": f"APIGW.{digits}",
                          "request_id": hashlib.md5(message.encode()).hexdigest()})


def no_such_api():
    return gateway_failure(404, "0101", "The API does not exist or has not been published in the environment")


def identifier(name, suffix=""):
    return hashlib.md5(name.encode()).hexdigest() + suffix


def stamp(at, zone="+0000"):
    offset = timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[3:]))
    return (datetime.fromtimestamp(at, timezone.utc) + offset).strftime("%Y-%m-%dT%H:%M:%S") + zone


@dataclass
class Put:
    """One accepted or refused lock write, with what was true around it."""
    at: float
    action: str
    days: int
    start: float
    end: float          # before; None: no lock
    end_after: float = None


class Lock:
    """One compliance lock under one reading of the documentation.

    reading: what `extend` counts from; unit: of the times shown; shorten: what happens to an extension that would
    not lengthen (silent: 200 and nothing; refuse: 400); echo: what lock_retention_days shows after an extension;
    visible_after: how many reads still show the old state after a change; never: the shape of a lock never enabled;
    lie: called instead of the rules; ignore: writes are accepted without effect.
    """

    def __init__(self, now, *, start=None, end=None, reading="from-now", unit="ms", shorten="silent", echo="total",
                 visible_after=0, never="zeros", lie=None, ignore=False, expired_policy=True, move_start=False):
        self.now = now
        self.start, self.end = start, end
        self.days = self._total()
        self.reading, self.unit, self.shorten, self.echo = reading, unit, shorten, echo
        self.visible_after, self.never, self.lie, self.ignore = visible_after, never, lie, ignore
        self.expired_policy, self.move_start = expired_policy, move_start
        self.puts = []
        self.ends = []                  # (when, end): every end that a write gave it
        self.n_reads = 0
        self._stale, self._n_stale = None, 0

    def _total(self):
        return max(1, round((self.end - self.start) / DAY)) if self.end else 0

    def _never(self):
        return {
            "zeros": {"backup_vaultlock_info": {"lock_retention_days": 0, "lock_policy": False,
                                                "lock_start_time": 0, "lock_end_time": 0}},
            "nulls": {"backup_vaultlock_info": {"lock_retention_days": None, "lock_policy": False,
                                                "lock_start_time": None, "lock_end_time": None}},
            "false-only": {"backup_vaultlock_info": {"lock_policy": False}},
            "default-days": {"backup_vaultlock_info": {"lock_retention_days": 1, "lock_policy": False,
                                                       "lock_start_time": 0, "lock_end_time": 0}},
            "null-object": {"backup_vaultlock_info": None},
            "missing-object": {},
        }[self.never]

    def _view(self):
        if self.end is None:
            return self._never()
        scale = 1000 if self.unit == "ms" else 1
        return {"backup_vaultlock_info": {
            "lock_retention_days": self.days,
            "lock_policy": self.end > self.now() or self.expired_policy,
            "lock_start_time": int(self.start * scale),
            "lock_end_time": int(self.end * scale),
        }}

    def read(self):
        self.n_reads += 1
        if self._n_stale > 0:
            self._n_stale -= 1
            return reply(200, self._stale)
        return reply(200, self._view())

    def predict(self, reading, days, put):
        base = {"from-start": put.start, "from-now": put.at, "added": put.end}[reading]
        return base + days * DAY

    def write(self, action, days):
        put = Put(self.now(), action, days, self.start, self.end)
        before = self._view()
        self.puts.append(put)
        answer = self._write(put)
        put.end_after = self.end
        if self.end != put.end:
            self.ends.append((self.now(), self.end))
            self._stale, self._n_stale = before, self.visible_after
        return answer

    def _write(self, put):
        active = self.end is not None and self.end > put.at
        if self.lie:
            self.lie(self, put)
            return reply(200, {"result": "success"})
        if self.ignore:
            return reply(200, {"result": "success"})
        if put.action == "enable":
            if active:
                return failure(400, "DBS.280001", "The compliance lock is already enabled.")
            self.start, self.end, self.days = put.at, put.at + put.days * DAY, put.days
            return reply(200, {"result": "success"})
        if not active:
            return failure(400, "DBS.280001", "The compliance lock is not enabled.")
        end = self.predict(self.reading, put.days, put)
        if end <= self.end:
            if self.shorten == "refuse":
                return failure(400, "DBS.280001", "The retention period cannot be shortened.")
            return reply(200, {"result": "success"})
        self.end = end
        if self.move_start:
            self.start = put.at
        self.days = put.days if self.echo == "last" else self._total()
        return reply(200, {"result": "success"})

    # What every test asks of a lock afterwards.

    def assert_cap(self, cap_days, slack=5):
        """No end that the lock ever had lies past the cap, counted from the moment it got it."""
        for at, end in self.ends:
            assert end <= at + cap_days * DAY + slack, f"lock ends {(end - at) / DAY:.2f} days on, cap {cap_days}"

    def assert_requests(self, cap_days, possible=READINGS):
        assert_requests([self], cap_days, possible)

    def went_past(self, cap_days):
        return any(end > at + cap_days * DAY + 5 for at, end in self.ends)

    def remaining_days(self):
        return (self.end - self.now()) / DAY

    @property
    def days_sent(self):
        return [p.days for p in self.puts]


def assert_requests(locks, cap_days, possible=READINGS, slack=120):
    """No request could have passed the cap under any reading that was still possible when it was sent.

    What one lock of an endpoint disproved is disproved for all of them.
    """
    possible = set(possible)
    for lock, put in sorted(((lk, p) for lk in locks for p in lk.puts), key=lambda pair: pair[1].at):
        if put.action == "enable":
            assert put.days <= cap_days
            continue
        assert put.end is not None, "extend without a lock"
        ends = {r: lock.predict(r, put.days, put) for r in possible}
        for reading, end in ends.items():
            assert end <= put.at + cap_days * DAY + slack, \
                f"extend by {put.days} could end {(end - put.at) / DAY:.2f} days on under {reading}"
        if put.end_after > put.end + slack:
            possible = {r for r in possible if abs(ends[r] - put.end_after) <= slack}
        else:
            possible = {r for r in possible if ends[r] <= put.end + slack}


class Taurus:
    """One TaurusDB instance: encrypted backup, lock, full backups."""

    def __init__(self, cloud, encryption="on", lock=None, **lock_options):
        self.cloud = cloud
        self.encryption = encryption
        self.kms_key_id = None
        self.ignore_encryption = False
        self.lock = Lock(cloud.now, **(lock or {}), **lock_options)
        self.backups = []

    def add_backup(self, name, age, kind="manual", status="COMPLETED"):
        end = self.cloud.now() - age
        self.backups.append({
            "id": identifier(name, "br07"), "name": name, "begin_time": stamp(end - 600, "+0800"),
            "end_time": stamp(end, "+0800"), "status": status, "take_up_time": 10, "type": kind, "size": 1024,
            "datastore": {"type": "gaussdb-mysql", "version": "8.0"}, "instance_id": None, "description": None})

    def route(self, request, leaf):
        if leaf == "encryption" and request.method == "GET":
            return reply(200, {"encryption_status": self.encryption})
        if leaf == "encryption" and request.method == "POST":
            return self.switch_encryption(request)
        if leaf == "vault-lock" and request.method == "GET":
            return self.lock.read()
        if leaf == "vault-lock" and request.method == "PUT":
            return self.write_lock(request)
        return no_such_api()

    def switch_encryption(self, request):
        body, cloud = request.json, self.cloud
        wanted = {"encryption_status", "type", "kms_key_id"}
        if not isinstance(body, dict) or set(body) - wanted:
            cloud.violation(request, f"encryption body {body!r}")
            return failure(400, "DBS.280001", "Parameter error.")
        if str(body.get("encryption_status")).lower() == "on":
            if str(body.get("type")).lower() != "kms" or not body.get("kms_key_id"):
                cloud.violation(request, f"switching on needs type and kms_key_id: {body!r}")
                return failure(400, "DBS.200506", "KMS key ID invalid.")
        elif set(body) != {"encryption_status"}:
            cloud.violation(request, f"switching off must send the status alone: {body!r}")
            return failure(400, "DBS.280001", "Parameter error.")
        if not self.ignore_encryption:
            self.encryption = body["encryption_status"].lower()
            self.kms_key_id = body.get("kms_key_id")
        return reply(200, {"encryption_status": body["encryption_status"].lower()})

    def write_lock(self, request):
        body, cloud = request.json, self.cloud
        info = body.get("backup_vaultlock_info") if isinstance(body, dict) else None
        days = info.get("lock_retention_days") if isinstance(info, dict) else None
        good = (isinstance(info, dict) and set(body) == {"backup_vaultlock_info", "action"} and
                set(info) == {"lock_retention_days", "lock_policy"} and info["lock_policy"] is True and
                type(days) is int and 1 <= days <= 36500 and body["action"] in ("enable", "extend") and
                request.headers.get("content-type", "").startswith("application/json"))
        if not good:
            cloud.violation(request, f"vault-lock body {request.body!r}")
            return failure(400, "DBS.280001", "Parameter error.")
        return self.lock.write(body["action"], days)


class Audit:
    """One DBSS instance: the backup switch as last set, and what it shows of it."""

    def __init__(self, cloud, config=None, zone_shift=0, form=" ", page_base=1):
        self.cloud = cloud
        self.config = config            # as written by a switch, or None
        self.zone_shift = zone_shift    # seconds added to every trigger time shown
        self.form = form                # between date and time
        self.page_base = page_base
        self.ignore = False
        self.backups = []
        self.switches = []              # every body accepted
        self.unset = {}                 # the template before any switch

    def add_backup(self, name, at_text, progress="AUTO_BACKUPED", deleted=False):
        self.backups.insert(0, {
            "id": identifier(name), "name": name, "mode": "AUTO", "backup_time": at_text, "start_time": at_text,
            "end_time": at_text, "file_size": 10, "file_size_unit": "MB", "percentage": "100", "progress": progress,
            "sha256": "0" * 64, "deleted": deleted, "backup_task_fail_reason": None})

    def route(self, request, leaf):
        if leaf == "switch" and request.method == "POST":
            return self.switch(request)
        if leaf == "template" and request.method == "GET":
            return reply(200, self.template())
        if leaf == "status" and request.method == "GET":
            return reply(200, {"status": 1})
        if leaf == "backups" and request.method == "POST":
            return self.list(request)
        return no_such_api()

    def shown(self, text):
        """A time as the template shows it."""
        at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S") + timedelta(seconds=self.zone_shift)
        return at.strftime(f"%Y-%m-%d{self.form}%H:%M:%S")

    def template(self):
        good = [b["backup_time"] for b in self.backups if b["progress"].endswith("_BACKUPED") and not b["deleted"]]
        latest = {"latest_backup_time": self.shown(max(good)) if good else None}
        if self.config is None:
            return self.unset | (latest if good else {})
        return {"bucket_name": self.config["bucket_name"], "bucket_root_path": self.config.get("bucket_root_path", ""),
                "cycle": self.config["cycle"], "status": self.config["status"], "triggered": bool(good),
                "trigger_time": self.shown(self.config["trigger_time"])} | latest

    def switch(self, request):
        body = request.json
        good = (isinstance(body, dict) and
                set(body) - {"bucket_root_path"} == {"bucket_name", "cycle", "mode", "status", "trigger_time"} and
                body["cycle"] in CYCLES and body["mode"] == "AUTO" and type(body["status"]) is int and
                body["status"] in (0, 1) and isinstance(body["bucket_name"], str) and
                isinstance(body.get("bucket_root_path", ""), str) and TRIGGER.match(str(body["trigger_time"])))
        if not good:
            self.cloud.violation(request, f"switch body {request.body!r}")
            return reply(400, {"error_code": "DBSS.10000001", "error_msg": "Bad request message.", "details": [],
                               "encoded_authorization_message": None})
        self.switches.append(body)
        if not self.ignore:
            self.config = dict(body)
        return reply(200, {"result": "SUCCESS"})

    def list(self, request):
        body = request.json
        if not isinstance(body, dict) or type(body.get("page")) is not int or type(body.get("size")) is not int:
            self.cloud.violation(request, f"backup list body {request.body!r}")
            return reply(400, {"error_code": "DBSS.10000001", "error_msg": "Bad request message."})
        first = (body["page"] - self.page_base) * body["size"]
        page = self.backups[first:first + body["size"]] if first >= 0 else []
        return reply(200, {"data_list": page, "total_num": len(self.backups)})


class Gauss:
    """The GaussDB backups of the project."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.backups = []
        self.versions = {"v3.2", "v3.1", "v3"}
        self.grants = []                # backup ids in the order they were granted
        self.max_limit = 100

    def add_backup(self, name, instance_id, age, kind="auto", status="COMPLETED"):
        end = self.cloud.now() - age
        backup = {"id": identifier(name, "br14"), "name": name, "description": None,
                  "begin_time": stamp(end - 600, "+0800"), "end_time": stamp(end, "+0800"), "status": status,
                  "size": 12.5 if status == "COMPLETED" else 0.0, "type": kind,
                  "datastore": {"type": "GaussDB", "version": "8.103"}, "instance_id": instance_id}
        self.backups.append(backup)
        return backup["id"]

    def list(self, request):
        return page_of(request, self.backups, self.cloud, self.max_limit)

    def authorize(self, request, backup_id):
        if request.body:
            self.cloud.violation(request, "download authorization takes no body")
        backup = next((b for b in self.backups if b["id"] == backup_id), None)
        if backup is None:
            return failure(400, "DBS.201203", "The backup does not exist.")
        if backup["status"] != "COMPLETED":
            return failure(400, "DBS.201208", "The backup state does not allow it.")
        self.grants.append(backup_id)
        return reply(200, {"bucket": "dbsbucket-fake", "file_paths": [
            f"{identifier('bucket')}_{backup['instance_id']}/Db/1652084459123"]})


def page_of(request, backups, cloud, max_limit=100):
    """The project-wide list of TaurusDB and GaussDB alike."""
    query = request.query
    unknown = set(query) - {"instance_id", "backup_id", "backup_type", "offset", "limit", "begin_time", "end_time",
                            "name", "instance_name"}
    offset, limit = query.get("offset", "0"), query.get("limit", str(max_limit))
    if unknown or not offset.isdigit() or not limit.isdigit() or not 1 <= int(limit) <= max_limit:
        cloud.violation(request, f"list query {query!r}")
        return failure(400, "DBS.280001", "Parameter error.")
    found = [b for b in backups
             if query.get("instance_id", b["instance_id"]) == b["instance_id"] and
             query.get("backup_id", b["id"]) == b["id"] and query.get("backup_type", b["type"]) == b["type"]]
    return reply(200, {"backups": found[int(offset):int(offset) + int(limit)], "total_count": len(found)})


class Iam:
    def __init__(self, cloud, region, project_id, domain_id):
        self.cloud = cloud
        self.region, self.project_id, self.domain_id = region, project_id, domain_id
        self.passwords = {}             # (domain name, user name): password
        self.token_lifetime = DAY
        self.projects = [
            {"id": identifier("elsewhere"), "name": "cn-north-4", "domain_id": domain_id, "enabled": True},
            {"id": project_id, "name": region, "domain_id": domain_id, "enabled": True, "is_domain": False,
             "description": "", "links": {}},
        ]
        self.issued = 0

    def token(self, request):
        body = request.json
        try:
            identity = body["auth"]["identity"]
            user = identity["password"]["user"]
            account, name, password = user["domain"]["name"], user["name"], user["password"]
            scope = body["auth"].get("scope", {})
        except (TypeError, KeyError):
            self.cloud.violation(request, "token body lacks a field")
            return reply(400, {"error": {"code": 400, "message": "Bad body", "title": "Bad Request"}})
        if identity.get("methods") != ["password"] or not request.query.get("nocatalog"):
            self.cloud.violation(request, "token by password: methods, nocatalog")
        if self.passwords.get((account, name)) != password:
            return reply(401, {"error": {"code": 401, "message": "The username or password is wrong.",
                                         "title": "Unauthorized"}})
        self.issued += 1
        expires = self.cloud.now() + self.token_lifetime
        token = self.cloud.new_token(expires)
        form = "%Y-%m-%dT%H:%M:%S.%fZ"
        doc = {"token": {"methods": ["password"], "roles": [], "catalog": [],
                         "expires_at": datetime.fromtimestamp(expires, timezone.utc).strftime(form),
                         "issued_at": datetime.fromtimestamp(self.cloud.now(), timezone.utc).strftime(form),
                         "user": {"name": name, "id": identifier(name), "password_expires_at": "",
                                  "domain": {"name": account, "id": self.domain_id}}}}
        if "project" in scope:
            doc["token"]["project"] = {"id": self.project_id, "name": self.region,
                                       "domain": {"name": account, "id": self.domain_id}}
        return reply(201, doc, X_Subject_Token=token)

    def list_projects(self, request):
        wanted = request.query.get("name")
        return reply(200, {"projects": [p for p in self.projects if wanted in (None, p["name"])], "links": {}})

    def list_domains(self):
        return reply(200, {"domains": [{"id": self.domain_id, "name": "account", "enabled": True}], "links": {}})


class Metadata:
    """The server's own metadata service. Every key handed out is a new one."""

    def __init__(self, cloud, version="v2"):
        self.cloud = cloud
        self.version = version          # v1, v2 (token accepted), v2-only (token required)
        self.key_lifetime = DAY
        self.agency = True
        self.tokens = set()
        self.keys = []                  # access keys in the order they were handed out

    def token(self, request):
        if self.version == "v1":
            return Reply(404, b"not found")
        if request.headers.get("x-metadata-token-ttl-seconds", "") == "":
            self.cloud.violation(request, "metadata token without a life time")
            return Reply(400)
        token = f"metadata-token-{len(self.tokens)}-secret"
        self.tokens.add(token)
        self.cloud.secrets.add(token)
        return Reply(200, token.encode())

    def security_key(self, request):
        token = request.headers.get("x-metadata-token")
        if (self.version == "v2-only" and token is None) or (token is not None and token not in self.tokens):
            return Reply(401, b"Unauthorized")
        if not self.agency:
            return Reply(401, b"Please configure Cloud Service Agency first")
        expires = self.cloud.now() + self.key_lifetime
        access, secret, session = self.cloud.new_key(expires=expires, temporary=True)
        self.keys.append(access)
        return reply(200, {"credential": {
            "access": access, "secret": secret, "securitytoken": session,
            "expires_at": datetime.fromtimestamp(expires, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}})
