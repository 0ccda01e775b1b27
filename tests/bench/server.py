# SPDX-License-Identifier: Apache-2.0
"""The counterpart that no one here wrote: nginx with TLS on loopback, which also counts; and wrk and h2load at the same URLs."""

import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from fleet import CONNECTIONS, urls
from procs import Failed, wait_until

PAGES = """
  location ~ /backups/encryption$ {{ return 200 '{{"encryption_status":"on"}}'; }}
  location ~ /vault-lock$ {{ return 200 '{{"backup_vaultlock_info":{{"lock_retention_days":30,"lock_policy":true,\
"lock_start_time":{start},"lock_end_time":{end}}}}}'; }}
  location ~ /backups$ {{ return 200 '{{"backups":[{{"id":"7e5d1b1c4f2a4e0a9d6c3b2a19081726br07","name":"by-hand","begin_time":"{backup}",\
"end_time":"{backup}","status":"COMPLETED","type":"manual","size":1}}],"total_count":1}}'; }}
"""

CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
 access_log off; default_type application/json; keepalive_timeout 600; keepalive_requests 1000000000; http2_max_concurrent_streams 128;
 client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
 scgi_temp_path {folder}/scgi;
 ssl_certificate {folder}/ca.pem; ssl_certificate_key {folder}/key.pem;
 server {{ listen 127.0.0.1:{status}; location = /status {{ stub_status; }} }}
 server {{ listen 127.0.0.1:{h1} ssl; ssl_session_cache shared:h1:1m; {pages} }}
 server {{ listen 127.0.0.1:{h2} ssl http2; ssl_session_cache shared:h2:1m; {pages} }}
 server {{ listen 127.0.0.1:{fresh} ssl; keepalive_requests 1; ssl_session_cache none; ssl_session_tickets off; {pages} }}
 server {{ listen 127.0.0.1:{resumed} ssl; keepalive_requests 1; ssl_session_cache shared:resumed:1m; {pages} }}
}}
"""

SYSTEM_STORE = Path("/etc/ssl/certs/ca-certificates.crt")

LUA = """
local requests, n = {{}}, 0
init = function() {requests} end
request = function() n = n + 1; return requests[n % #requests + 1] end
"""


def free_ports(names):
    """Asked of the kernel all at once, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: s.getsockname()[1] for name, s in zip(names, sockets)}
    for s in sockets:
        s.close()
    return ports


class Server:
    def __init__(self, processes, folder):
        self.processes, self.folder = processes, folder
        folder.mkdir()
        folder.chmod(0o755)             # its worker is another user
        self.ca_file = folder / "ca.pem"
        processes.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                       "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
                       "-out", self.ca_file], stderr=subprocess.DEVNULL)
        # Who asks a cloud trusts all the authorities that the system trusts, and reads them.
        self.store_file = folder / "store.pem"
        self.store_file.write_bytes(SYSTEM_STORE.read_bytes() + self.ca_file.read_bytes())
        self.ports = free_ports(("status", "h1", "h2", "fresh", "resumed"))
        now = int(time.time())
        pages = PAGES.format(start=now - 10 * 86400, end=now + 20 * 86400,
                             backup=time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(now - 86400)))
        (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, pages=pages, **self.ports), encoding="utf-8")
        self.process = processes.start(["nginx", "-p", folder, "-c", folder / "nginx.conf"], processes.cores.server,
                                       stderr=subprocess.DEVNULL)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.ports["status"], timeout=10)
        self.looks = 0
        wait_until(self._answers, 10, f"nginx, which may have said why in {folder}/nginx.log")

    def _answers(self):
        if self.process.poll() is not None:
            raise Failed(f"nginx does not start: {(self.folder / 'nginx.log').read_text()}")
        try:
            self.requests()
        except OSError:
            self.connection.close()
            return False
        return True

    def origin(self, kind):
        return f"https://127.0.0.1:{self.ports[kind]}"

    def requests(self):
        """How many it has answered, without those that ask for this."""
        self.connection.request("GET", "/status")
        text = self.connection.getresponse().read().decode()
        self.looks += 1
        return int(text.splitlines()[2].split()[2]) - self.looks

    def wrk(self, kind, n, connections=CONNECTIONS):
        """At the URLs of so many instances, until it is stopped. It verifies nothing, signs nothing and reads no body: a floor."""
        script = self.folder / f"urls-{n}.lua"
        paths = [path for i in range(min(n, 1000)) for path in urls(i)]
        script.write_text(LUA.format(requests="\n".join(f'requests[{k + 1}] = wrk.format("GET", "{p}")' for k, p in enumerate(paths))),
                          encoding="utf-8")
        return self._load(["wrk", "-t1", f"-c{min(connections, 3 * n)}", "-d600", "-s", script, self.origin(kind)])

    def h2load(self, n):
        paths = [self.origin("h2") + path for i in range(min(n, 30)) for path in urls(i)]
        return self._load(["h2load", "-t1", "-c1", f"-m{CONNECTIONS}", "-D600", *paths])

    def _load(self, command):
        p = self.processes.start(command, self.processes.cores.client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env=dict(os.environ, LC_ALL="C"))
        time.sleep(0.5)                 # connections, and scripts read
        if p.poll() is not None:
            raise Failed(f"{command[0]} ended with exit status {p.returncode}")
        return p

    def stop_load(self, p):
        self.processes.stop(p, signal.SIGINT)
