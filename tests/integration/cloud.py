# SPDX-License-Identifier: Apache-2.0
"""A fake Huawei Cloud on loopback: TaurusDB, DBSS, GaussDB and IAM over HTTPS, the metadata service over HTTP.

Written from the vendor's documents, not from holdfast. Everything that the documents leave open is a switch of the
services (services.py); everything that can go wrong on the way is a Fault. Each request is logged, each signature is
verified, and what no well-behaved client would send is collected as a violation.
"""

import calendar
import json
import re
import secrets
import ssl
import subprocess
import threading
import time
import traceback
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import signing
from services import Audit, Gauss, Iam, Metadata, Reply, Taurus, failure, gateway_failure, identifier, no_such_api
from services import page_of, reply

REGION = "ap-southeast-1"
PROJECT = identifier("project")
DOMAIN = identifier("domain")
SERVICES = ("taurusdb", "dbss", "gaussdb", "iam", "metadata")
SKEW_MAX = 15 * 60
FAILURES_MAX = 5        # signatures in a row; one more locks the key
LOCKED_FOR = 300


@dataclass
class Request:
    service: str
    method: str
    path: str
    query: dict
    pairs: list
    headers: dict       # names in lower case
    body: bytes
    at: float           # the cloud's clock
    auth: str = ""      # the access key, "token", "none", or "refused: why"
    status: int = 0     # of the reply; 0: none was sent (yet)
    fault: object = None

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def write(self):
        """Does it change something?"""
        return self.method in ("PUT", "POST") and not self.path.endswith(("/backups", "/auth/tokens", "/api/token"))


@dataclass
class Fault:
    """What happens to requests that match. The first fault that matches and has times left is used.

    effect: the request is carried out all the same. Then: close (no answer), status and body (another answer), patch
    (a function of the answer's JSON that gives the one sent), truncate (the body ends early), raw (bytes as they are).
    """
    service: str = None
    method: str = None
    path: str = ""              # searched in the path
    times: int = None           # None: always
    skip: int = 0               # matching requests that pass before
    effect: bool = False
    close: bool = False
    status: int = None
    body: object = None         # bytes, or JSON
    headers: dict = field(default_factory=dict)
    patch: object = None
    truncate: bool = False
    delay: float = 0            # seconds before the answer, after an effect
    hits: int = 0

    @property
    def replaces(self):
        return self.close or self.status is not None

    def matches(self, request):
        if self.service not in (None, request.service) or self.method not in (None, request.method):
            return False
        if not re.search(self.path, request.path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Key:
    def __init__(self, secret, token=None, expires=None):
        self.secret, self.token, self.expires = secret, token, expires
        self.failures, self.locked_until = 0, 0


def make_certificates(folder):
    """A certificate authority and a server certificate for loopback, by the openssl command."""
    def run(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=folder)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=fake cloud authority",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    for name, san in (("server", "IP:127.0.0.1,DNS:localhost"), ("other", "DNS:elsewhere.example")):
        run("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text(f"subjectAltName={san}\n")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", f"{name}.ext", "-out", f"{name}.pem")
    return folder


class Front(ThreadingHTTPServer):
    """One listener. TLS is shaken in the connection's own thread, so that a stuck client holds nobody up."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, cloud, service, context):
        self.cloud, self.service, self.context = cloud, service, context
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def finish_request(self, request, client_address):
        if self.context:
            try:
                request.settimeout(10)
                request = self.context.wrap_socket(request, server_side=True)
                request.settimeout(None)
            except (OSError, ssl.SSLError) as e:
                self.cloud.tls_failures.append(str(e))
                return
        try:
            super().finish_request(request, client_address)
        except (OSError, ssl.SSLError):
            pass
        finally:
            request.close()

    def handle_error(self, request, client_address):
        self.cloud.errors.append(traceback.format_exc())

    @property
    def origin(self):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return self.server.cloud.date or formatdate(self.server.cloud.now(), usegmt=True)

    def do(self):
        cloud = self.server.cloud
        path, _, query = self.path.partition("?")
        pairs = signing.parse_query(query)
        length = int(self.headers.get("content-length") or 0)
        request = Request(
            service=self.server.service, method=self.command, path=path, pairs=pairs,
            query={k.decode(): v.decode() for k, v in pairs}, body=self.rfile.read(length),
            headers={k.lower(): v for k, v in self.headers.items()}, at=cloud.now())
        answer = cloud.answer(request)
        if answer is None:
            self.close_connection = True
            return
        request.status = answer.status
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("X-Request-Id", f"req-{len(cloud.log)}-{secrets.token_hex(4)}")
        cut = request.fault is not None and request.fault.truncate
        self.send_header("Content-Length", str(len(answer.body) + (100 if cut else 0)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()
        self.close_connection = self.close_connection or cut

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = do


class Cloud:
    """All of it. Tests reach into the services' state directly; `lock` guards it against the listeners."""

    def __init__(self, certificates, skew=0, certificate="server"):
        self.lock = threading.RLock()
        self.skew = skew
        self.date = None        # another Date header, as it is
        self.certificates = certificates
        self.ca_file = certificates / "ca.pem"
        self.log, self.faults, self.violations, self.errors, self.tls_failures = [], [], [], [], []
        self.keys, self.tokens, self.secrets = {}, {}, set()
        self.token_refusal = "0307"
        self.access, self.secret, _ = self.new_key()
        self.taurus, self.audit = {}, {}
        self.gauss = Gauss(self)
        self.iam = Iam(self, REGION, PROJECT, DOMAIN)
        self.metadata = Metadata(self)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / f"{certificate}.pem", certificates / f"{certificate}.key")
        self.fronts = {s: Front(self, s, None if s == "metadata" else context) for s in SERVICES}

    def close(self):
        enders = [threading.Thread(target=front.shutdown) for front in self.fronts.values()]
        for ender in enders:
            ender.start()
        for ender, front in zip(enders, self.fronts.values()):
            ender.join()
            front.server_close()

    def now(self):
        return time.time() + self.skew

    def origin(self, service):
        return self.fronts[service].origin

    # Who may call

    def new_key(self, expires=None, temporary=False):
        access = "HFAK" + secrets.token_hex(8).upper()
        secret = "sk/" + secrets.token_hex(20)
        token = "sts+" + secrets.token_hex(1500) if temporary else None
        self.keys[access] = Key(secret, token, expires)
        self.secrets.update(s for s in (secret, token) if s)
        return access, secret, token

    def new_token(self, expires):
        token = "MIIToken" + secrets.token_hex(1500)
        self.tokens[token] = expires
        self.secrets.add(token)
        return token

    def expire_tokens(self):
        with self.lock:
            self.tokens = {t: 0 for t in self.tokens}

    @property
    def signature_failures(self):
        return [r for r in self.log if r.auth.startswith("refused")]

    def authenticate(self, request):
        """Fills request.auth; returns None or the refusal."""
        token = request.headers.get("x-auth-token")
        if token is not None:
            return self._check_token(request, token)
        header = request.headers.get("authorization")
        if header is None:
            request.auth = "refused: no credentials"
            return gateway_failure(401, "0301", "Incorrect IAM authentication information: x-auth-token not found")
        match = signing.AUTHORIZATION.match(header)
        if not match:
            self.violation(request, "Authorization header of another form")
            request.auth = "refused: malformed"
            return gateway_failure(401, "0301", "Incorrect IAM authentication information: malformed")
        return self._check_signature(request, match)

    def _check_token(self, request, token):
        expires = self.tokens.get(token)
        if expires is None:
            request.auth = "refused: unknown token"
            return gateway_failure(401, "0301", "Incorrect IAM authentication information: decrypt token fail")
        if expires <= self.now():
            request.auth = "refused: expired token"
            return gateway_failure(401, self.token_refusal, "The token must be updated.")
        request.auth = "token"
        return None

    def _check_signature(self, request, match):
        access, signed = match["access"], match["signed"].split(";")
        self.secrets.add(match["signature"])
        key = self.keys.get(access)
        if key is None:
            request.auth = "refused: unknown key"
            return gateway_failure(401, "0301", "Incorrect IAM authentication information: Get secretKey failed,"
                                                f"ak:{access},err:ak not exist")
        if key.locked_until > self.now():
            request.auth = "refused: locked"
            return gateway_failure(401, "0301", "Incorrect IAM authentication information: AK access failed to "
                                                "reach the limit,forbidden")
        why, canonical = self._signature_problem(request, match, key, signed)
        if why is None:
            key.failures = 0
            request.auth = access
            return None
        key.failures += 1
        if key.failures > FAILURES_MAX:
            key.locked_until = self.now() + LOCKED_FOR
        request.auth = f"refused: {why}"
        return gateway_failure(401, "0301", "Incorrect IAM authentication information: verify aksk signature fail, "
                                            "canonicalRequest:" + canonical.replace("\n", "|"))

    def _signature_problem(self, request, match, key, signed):
        headers = request.headers
        date = headers.get("x-sdk-date", "")
        missing = [n for n in signed if n not in headers]
        if missing or "x-sdk-date" not in signed or signed != sorted(signed):
            self.violation(request, f"signed headers {signed}, missing {missing}")
            return "signed headers", ""
        if "host" not in signed:
            self.violation(request, "host is not signed")
        canonical = signing.canonical_request(request.method, request.path, request.pairs, headers, signed,
                                              request.body)
        try:
            at = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
        except ValueError:
            self.violation(request, f"X-Sdk-Date {date!r}")
            return "date", canonical
        if abs(at - self.now()) > SKEW_MAX:
            return "clock", canonical
        if key.token is not None and (headers.get("x-security-token") != key.token or "x-security-token" not in signed):
            return "security token", canonical
        if key.expires is not None and key.expires <= self.now():
            return "expired key", canonical
        if signing.signature(key.secret, signing.string_to_sign(canonical, date)) != match["signature"]:
            return "signature", canonical
        return None, canonical

    def violation(self, request, what):
        self.violations.append(f"{request.method} {request.service} {request.path}: {what}")

    # What the services hold

    def add_taurus(self, name, **options):
        instance = Taurus(self, **options)
        instance.id = identifier(name, "in07")
        self.taurus[instance.id] = instance
        return instance

    def add_audit(self, name, **options):
        instance = Audit(self, **options)
        instance.id = identifier(name)
        self.audit[instance.id] = instance
        return instance

    def fault(self, **options):
        fault = Fault(**options)
        with self.lock:
            self.faults.append(fault)
        return fault

    def heal(self):
        with self.lock:
            self.faults.clear()

    # What was asked

    def requests(self, service=None, method=None, path=""):
        with self.lock:
            return [r for r in self.log if service in (None, r.service) and method in (None, r.method) and
                    re.search(path, r.path)]

    @property
    def writes(self):
        with self.lock:
            return [r for r in self.log if r.write]

    def wait_for(self, n, timeout=15, **what):
        """Until at least n such requests were seen."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = self.requests(**what)
            if len(found) >= n:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{len(self.requests(**what))} requests {what} within {timeout} s, expected {n}")

    # How it is answered

    def answer(self, request):
        with self.lock:
            self.log.append(request)
            refusal = None
            if request.service != "metadata" and not request.path.endswith("/v3/auth/tokens"):
                refusal = self.authenticate(request)
            fault = next((f for f in self.faults if f.matches(request)), None)
            request.fault = fault
            answer = None
            if fault is None or fault.effect or not fault.replaces:
                answer = refusal or self.route(request)
        if fault is None:
            return answer
        if fault.delay:
            time.sleep(fault.delay)
        if fault.close:
            return None
        if fault.status is not None:
            body = fault.body if isinstance(fault.body, bytes) else json.dumps(fault.body or {}).encode()
            return Reply(fault.status, body, {"Content-Type": "application/json"} | fault.headers)
        if fault.patch and answer.status == 200:
            answer.body = json.dumps(fault.patch(json.loads(answer.body))).encode()
        answer.headers |= fault.headers
        return answer

    def route(self, request):
        return getattr(self, f"route_{request.service}")(request)

    def route_taurusdb(self, request):
        match = re.fullmatch(r"/v3/([^/]+)/(?:instances/([^/]+)/)?backups(?:/([a-z-]+))?", request.path)
        if not match:
            return no_such_api()
        project, instance_id, leaf = match.groups()
        if project != PROJECT:
            self.violation(request, "another project")
            return failure(403, "DBS.200010", "Not permitted.")
        if instance_id is None:
            if leaf is not None or request.method != "GET":
                return no_such_api()
            backups = [b | {"instance_id": i.id} for i in self.taurus.values() for b in i.backups]
            return page_of(request, backups, self)
        instance = self.taurus.get(unquote(instance_id))
        if instance is None:
            return failure(404, "DBS.200002", "The instance does not exist.")
        return instance.route(request, leaf)

    def route_dbss(self, request):
        match = re.fullmatch(r"/(v1|v2)/([^/]+)/audit/([^/]+)/(?:backup/(switch|template|status)|(backups))",
                             request.path)
        if not match:
            return no_such_api()
        version, scope, instance_id, leaf, backups = match.groups()
        leaf = leaf or backups
        if version != ("v2" if backups else "v1"):
            return no_such_api()
        if scope != (DOMAIN if leaf == "switch" else PROJECT):
            self.violation(request, "the switch takes the account, all else the project")
            return reply(403, {"error_code": "DBSS.10020100", "error_msg": "Unauthorized.", "details": []})
        instance = self.audit.get(unquote(instance_id))
        if instance is None:
            return reply(404, {"error": {"error_code": "DBSS.10021004", "error_msg": "Not found."}})
        return instance.route(request, leaf)

    def route_gaussdb(self, request):
        match = re.fullmatch(r"/(v3(?:\.[12])?)/([^/]+)/backups", request.path)
        if match and request.method == "GET":
            if match[1] not in self.gauss.versions:
                return no_such_api()
            return self.gauss.list(request)
        match = re.fullmatch(r"/v3/([^/]+)/backups/([^/]+)/download/authorization", request.path)
        if match and request.method == "POST":
            return self.gauss.authorize(request, match[2])
        return no_such_api()

    def route_iam(self, request):
        what = (request.method, request.path)
        if what == ("POST", "/v3/auth/tokens"):
            return self.iam.token(request)
        if what in (("GET", "/v3/projects"), ("GET", "/v3/auth/projects")):
            return self.iam.list_projects(request)
        if what == ("GET", "/v3/auth/domains"):
            return self.iam.list_domains()
        return no_such_api()

    def route_metadata(self, request):
        what = (request.method, request.path)
        if what == ("PUT", "/meta-data/latest/api/token"):
            return self.metadata.token(request)
        if what == ("GET", "/openstack/latest/securitykey"):
            return self.metadata.security_key(request)
        return Reply(404, b"not found")
