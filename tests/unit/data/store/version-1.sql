-- SPDX-License-Identifier: Apache-2.0
-- A database as schema version 1 wrote it. Never changed: what was released must be read for ever.
PRAGMA application_id = 0x484f4c44;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
CREATE TABLE control (
  -- A control of an instance as last seen. Times: microseconds since 1970 UTC, 0 for never.
  service TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  control TEXT NOT NULL,
  name TEXT,                        -- of the policy
  verdict TEXT NOT NULL,            -- unknown, compliant, violated
  since INTEGER NOT NULL,
  unknown_since INTEGER NOT NULL,
  n_unknown INTEGER NOT NULL,       -- looks in a row without a verdict
  schedule_applied_at INTEGER,
  schedule_has_echo INTEGER,
  schedule_sent TEXT,               -- trigger_time as written, and as read right afterwards
  schedule_echo TEXT,
  schedule_offset_at_echo INTEGER,  -- seconds east of UTC
  schedule_phase_digest INTEGER,
  schedule_on_since INTEGER,
  lock_seen INTEGER,
  lock_start INTEGER,               -- as last read
  lock_end INTEGER,
  lock_struck TEXT,                 -- readings of the API disproved since the last extension began
  lock_enabled_at INTEGER,
  PRIMARY KEY (service, instance_id, control)
) WITHOUT ROWID;
CREATE TABLE said (
  -- When a lasting state was last said; digest tells whether it is still the same one.
  service TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  control TEXT NOT NULL,
  said TEXT NOT NULL,
  at INTEGER NOT NULL,
  digest INTEGER NOT NULL,
  PRIMARY KEY (service, instance_id, control, said),
  FOREIGN KEY (service, instance_id, control) REFERENCES control ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE lock_intent (
  -- The requests of the lock change going on, oldest first. Stored before they are sent.
  service TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  control TEXT NOT NULL,
  step INTEGER NOT NULL,            -- from 0
  action TEXT NOT NULL,             -- enable, extend
  days INTEGER NOT NULL,
  outcome TEXT NOT NULL,            -- open, accepted, lost, refused, confirmed, void
  sent_at INTEGER NOT NULL,
  start_before INTEGER NOT NULL,
  end_before INTEGER NOT NULL,
  expected_end INTEGER NOT NULL,
  cap_at INTEGER NOT NULL,          -- no later end may be read back
  readings TEXT NOT NULL,           -- of the API that were possible when it was sent
  PRIMARY KEY (service, instance_id, control, step),
  FOREIGN KEY (service, instance_id, control) REFERENCES control ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE endpoint (
  -- What was learned at an endpoint, and whether lock writes to it are frozen.
  origin TEXT NOT NULL PRIMARY KEY,
  service TEXT NOT NULL,
  readings TEXT NOT NULL,           -- of the API that evidence left; empty: nothing learned
  frozen INTEGER NOT NULL,          -- 1 until holdfastctl thaw
  frozen_at INTEGER NOT NULL,
  frozen_why TEXT NOT NULL,
  said_at INTEGER NOT NULL,
  said_digest INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE grant_record (
  -- Every backup authorized for download, as of its last authorization.
  service TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  backup_id TEXT NOT NULL,
  granted_at INTEGER NOT NULL,
  bucket TEXT,
  file_paths TEXT,                  -- one a line
  request_id TEXT,
  PRIMARY KEY (service, instance_id, backup_id)
) WITHOUT ROWID;
CREATE TABLE evidence (
  -- History; rows are added and, when old, dropped, but never changed.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  service TEXT,
  instance_id TEXT,
  control TEXT,
  what TEXT NOT NULL,
  detail TEXT,
  request_id TEXT
);
CREATE INDEX evidence_by_instance ON evidence (instance_id, at);
CREATE INDEX evidence_by_time ON evidence (at);
CREATE VIEW overview AS
  SELECT name, service, instance_id, control, verdict,
         strftime('%Y-%m-%dT%H:%M:%SZ', since / 1000000, 'unixepoch') AS since,
         iif(unknown_since, strftime('%Y-%m-%dT%H:%M:%SZ', unknown_since / 1000000, 'unixepoch'), NULL)
           AS unknown_since,
         iif(lock_end, strftime('%Y-%m-%dT%H:%M:%SZ', lock_end / 1000000, 'unixepoch'), NULL) AS lock_end
    FROM control;
CREATE VIEW history AS
  SELECT strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000000, 'unixepoch') AS at,
         service, instance_id, control, what, detail, request_id
    FROM evidence ORDER BY id;

-- What a daemon of that version left behind.
INSERT INTO control VALUES ('taurusdb', '7033e7c3cf93438797d44ad7ae0a7d95in07', 'encryption', 'orders', 'compliant', 1767225600000000, 0, 0,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO control VALUES ('taurusdb', '7033e7c3cf93438797d44ad7ae0a7d95in07', 'lock', 'orders', 'violated', 1767225601000000,
  1767225602000000, 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 1767225603000000, 1769817603000000, 'from-start', 1767225604000000);
INSERT INTO control VALUES ('dbss', '2f6b1d3c4e5f60718293a4b5c6d7e8f9', 'schedule', 'audit', 'compliant', 1767225605000000, 0, 0,
  1767225606000000, 1, '2026-01-01 02:00:44', '2026-01-01 10:00:44', 28800, 12345, 1767225607000000, NULL, NULL, NULL, NULL, NULL);
INSERT INTO said VALUES ('taurusdb', '7033e7c3cf93438797d44ad7ae0a7d95in07', 'lock', 'lock-refused', 1767225608000000, 77);
INSERT INTO lock_intent VALUES ('taurusdb', '7033e7c3cf93438797d44ad7ae0a7d95in07', 'lock', 0, 'extend', 30, 'lost', 1767225609000000,
  1767225603000000, 1769817603000000, 1772409603000000, 1773705603000000, 'from-now,added');
INSERT INTO endpoint VALUES ('https://gaussdb.example.com', 'taurusdb', 'from-now', 1, 1767225610000000, 'past its cap', 1767225611000000, 78);
INSERT INTO grant_record VALUES ('gaussdb', '1de27464abdf48519f8574c97a8f0625in14', 'backup-1', 1767225612000000, 'cbh-ynf', 'a', 'request-1');
INSERT INTO evidence (at, service, instance_id, control, what, detail) VALUES (1767225613000000, 'taurusdb',
  '7033e7c3cf93438797d44ad7ae0a7d95in07', 'lock', 'verdict', 'violated');
