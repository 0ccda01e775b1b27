# SPDX-License-Identifier: Apache-2.0
# true if the simulated cloud's state is what instances.d says.
def days_left($now): ((.end | fromdate) - $now) / 86400;

(.now | fromdate) as $now
| .instances.taurusdb["7033e7c3cf93438797d44ad7ae0a7d95in07"] as $orders
| .instances.taurusdb["c1f0a5b2d3e44f60918273645a5b6c7din07"] as $billing
| .instances.dbss["2f6b1d3c4e5f60718293a4b5c6d7e8f9"].schedule as $audit
| .instances.dbss["5b0e7d2a9c8f4e1db6a3f2e1d0c9b8a7"].schedule as $payroll
| .instances.gaussdb["1de27464abdf48519f8574c97a8f0625in14"].backups as $ledger
| "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11" as $key
| [
    ($orders.encryption | .status == "on" and .kms_key_id == $key),
    ($orders.lock | . != null and .runs and days_left($now) > 29 and days_left($now) <= 31),
    ($billing.encryption.status == "on"),
    ($billing.lock | . != null and .runs and days_left($now) > 29 and days_left($now) <= 45),
    ($audit | .status == "on" and .cycle == "PER_DAY" and .bucket_name == "audit-backups" and (.trigger_time | endswith(" 02:00:44"))),
    ($payroll | .status == "on" and .cycle == "PER_DAY" and .bucket_name == "payroll-backups" and (.trigger_time | endswith(" 03:30:00"))),
    ($ledger | map(.grants) | add >= 1)
  ]
| all
