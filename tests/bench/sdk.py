# SPDX-License-Identifier: Apache-2.0
"""
sdk.py FOLDER ORIGIN CA-FILE INSTANCES: the loop that one would write with the vendor's Python SDK, over the same calls as holdfastd's. FOLDER
has huaweicloudsdkcore and huaweicloudsdkgaussdb, installed (pip install --target) or as the SDK's own source tree. Prints JSON: calls, CPU in
microseconds without what importing takes, peak RSS in KiB.
"""

import glob
import json
import re
import sys
import time

folder, origin, ca_file, n = sys.argv[1:]
sys.path[:0] = [folder, *glob.glob(f"{folder}/huaweicloud-sdk-core"), *glob.glob(f"{folder}/huaweicloud-sdk-gaussdb")]

from huaweicloudsdkcore.auth.credentials import BasicCredentials  # noqa: E402
from huaweicloudsdkcore.http.http_config import HttpConfig  # noqa: E402
from huaweicloudsdkgaussdb.v3 import (DescribeBackupEncryptStatusRequest, GaussDBClient, ShowBackupVaultLockRequest,  # noqa: E402
                                      ShowGaussMySqlBackupListRequest)

from fleet import PROJECT, taurus_id  # noqa: E402

config = HttpConfig.get_default_config()
config.ssl_ca_cert = ca_file
client = (GaussDBClient.new_builder().with_http_config(config).with_endpoints([origin])
          .with_credentials(BasicCredentials("BENCHACCESSKEY000001", "bench-secret-of-a-cloud-that-does-not-exist", PROJECT)).build())

began = time.process_time()
protected = 0
for i in range(int(n)):
    encryption = client.describe_backup_encrypt_status(DescribeBackupEncryptStatusRequest(instance_id=taurus_id(i)))
    lock = client.show_backup_vault_lock(ShowBackupVaultLockRequest(instance_id=taurus_id(i)))
    backups = client.show_gauss_my_sql_backup_list(ShowGaussMySqlBackupListRequest(
        instance_id=taurus_id(i), backup_type="manual", limit="100", offset="0"))
    protected += encryption.encryption_status == "on" and lock.backup_vaultlock_info is not None and len(backups.backups) > 0
cpu = time.process_time() - began

if protected != int(n):
    sys.exit(f"sdk.py: only {protected} of {n} instances were read as the server has them")
with open("/proc/self/status", encoding="ascii") as status:
    peak = int(re.search(r"^VmHWM:\s+(\d+)", status.read(), re.M)[1])
print(json.dumps({"calls": 3 * int(n), "cpu_usec": cpu * 1e6, "peak_kib": peak}))
