# SPDX-License-Identifier: Apache-2.0
# One line a control: control, instance, before, after. Controls that were broken twice show both.
def encryption: .encryption.status;
def schedule: .schedule | "\(.status), \(.cycle), \(.trigger_time[11:]), \(.bucket_name)";
def lock($now): .lock | if . == null then "none" else "\(((.end | fromdate) - $now) / 86400 | . * 10 | round / 10) days left" end;
def download: if ([.backups[].grants] | add) == 0 then "not authorized" else "authorized" end;

def cell($state; $service; $id; $control):
  ($state.now | fromdate) as $now
  | $state.instances[$service][$id]
  | if $control == "encryption" then encryption
    elif $control == "schedule" then schedule
    elif $control == "lock" then lock($now)
    else download end;

$before[0] as $b | $broken[0] as $x | $after[0] as $a
| $a.instances | to_entries[] | .key as $service
| {taurusdb: ["encryption", "lock"], dbss: ["schedule"], gaussdb: ["download"]}[$service][]? as $control
| .value | to_entries[] | .key as $id
| cell($b; $service; $id; $control) as $was
| cell($x; $service; $id; $control) as $again
| cell($a; $service; $id; $control) as $is
| [$control, .value.name,
   (if $control != "lock" and $again != $is and $again != $was then "\($was), then \($again)"
    elif $control != "lock" and $again != $is then "\($was), twice"
    elif $was == $is then "\($was) (left alone)"
    else $was end),
   $is]
| @tsv
