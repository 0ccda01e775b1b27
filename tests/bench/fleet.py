# SPDX-License-Identifier: Apache-2.0
"""Policies, as many as are asked for. Written once; what varies from one measurement to the next is in holdfast.yaml."""

PROJECT = "619d3e78f61b4be68bc5aa0b59edcf7b"
DOMAIN = "8a6f5e0c1d2b4f739e0d1c2b3a495867"
REGION = "ap-southeast-1"
KMS_KEY = "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11"
CONTROLS = 2            # of an instance: encryption, lock
CALLS = 3               # of an instance in a round: encryption, lock, list of backups
CONNECTIONS = 32        # of holdfastd and wrk, and streams of h2load

LOCK = "lock:\n  retention_days: 30\n  renew_before: {renew}d\n  max_retention_days: 45\n  require_manual_backup: 30d\n"
ENCRYPTION = "encryption:\n  expect: on\n"
SCHEDULE = ("schedule:\n  status: on\n  mode: AUTO\n  cycle: PER_DAY\n  trigger_time: \"2025-08-21 02:00:44\"\n"
            "  timezone: Asia/Singapore\n  bucket_name: audit-backups\n")

# Lines of holdfast.yaml. With ALWAYS everything is due again a second after it was looked at: a fleet of more than a few hundred keeps
# holdfastd at its limit. renew_before must hold three polls of a lock, so that two days are the longest for one.
ALWAYS = "defaults: {encryption: {poll: 1s}, lock: {poll: 1s}}\n"
SELDOM = "defaults: {encryption: {poll: 30d}, lock: {poll: 2d}}\n"
BY_DEFAULT = ""


def taurus_id(i):
    return f"{i + 1:032x}in07"


def urls(i):
    """What holdfastd asks of one instance in a round."""
    base = f"/v3/{PROJECT}"
    return [f"{base}/instances/{taurus_id(i)}/backups/encryption", f"{base}/instances/{taurus_id(i)}/backups/vault-lock",
            f"{base}/backups?instance_id={taurus_id(i)}&backup_type=manual&limit=100&offset=0"]


class Fleet:
    """One folder of policies, a file each."""

    def __init__(self, folder, n, controls=ENCRYPTION + LOCK):
        self.folder, self.n, self.controls, self.renew = folder, n, controls, 7
        self.instances = folder / "instances.d"
        self.instances.mkdir(parents=True)
        self._write()

    def _write(self):
        controls = self.controls.format(renew=self.renew)
        for i in range(self.n):
            with open(self.instances / f"db-{i:06d}.yaml", "w", encoding="utf-8") as f:
                f.write(f"name: db-{i:06d}\nservice: taurusdb\ninstance_id: {taurus_id(i)}\n{controls}")

    def change(self):
        """Every file says something else than before."""
        self.renew = 15 - self.renew
        self._write()

    def config(self, name, origin, ca_file, lines):
        """A holdfast.yaml; its path."""
        path = self.folder / f"{name}.yaml"
        path.write_text(settings(origin, ca_file) + lines, encoding="utf-8")
        return path


def settings(origin, ca_file, rate="1000000/s"):
    return (f"region: {REGION}\nproject_id: {PROJECT}\ndomain_id: {DOMAIN}\ncredentials: {{source: environment}}\n"
            f"endpoints: {{taurusdb: \"{origin}\", dbss: \"{origin}\"}}\n"
            f"http: {{ca_file: \"{ca_file}\", rate: {rate}, max_connections: {CONNECTIONS}}}\n")


