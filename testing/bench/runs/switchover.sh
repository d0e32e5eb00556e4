#!/usr/bin/env bash
# The steps of a planned switchover, as an experienced administrator would write them down: no approvals, no record, no
# claims, no proof. usage: switchover.sh BIN OLD_DATA OLD_PORT OLD_SLOT NEW_DATA NEW_PORT NEW_SLOT
# A node streams through the slot of its own name.
set -euo pipefail
bin=$1 old_data=$2 old_port=$3 old_slot=$4 new_data=$5 new_port=$6 new_slot=$7
old() { "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$old_port" -U postgres -d postgres -c "$1"; }
new() { "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$new_port" -U postgres -d postgres -c "$1"; }
until_true() { # HOW QUESTION
  for _ in $(seq 1200); do
    [ "$("$1" "$2")" = t ] && return
    sleep 0.05
  done
  echo "not in time: $2" >&2
  return 1
}

old CHECKPOINT
new "SELECT pg_create_physical_replication_slot('$old_slot', true)" >/dev/null
"$bin/pg_ctl" stop -s -w -m fast -D "$old_data"
position=$("$bin/pg_controldata" "$old_data" | sed -n 's/^Latest checkpoint location: *//p')
until_true new "SELECT pg_last_wal_replay_lsn() > '$position'"
"$bin/pg_ctl" promote -s -w -D "$new_data"
new "INSERT INTO bench_writes VALUES (2)"
new CHECKPOINT
cat >>"$old_data/postgresql.auto.conf" <<CONF
primary_conninfo = 'host=127.0.0.1 port=$new_port user=postgres application_name=$old_slot'
primary_slot_name = '$old_slot'
CONF
touch "$old_data/standby.signal"
"$bin/pg_ctl" start -s -w -D "$old_data" -l "$old_data/script.log"
until_true new "SELECT count(*) > 0 FROM pg_stat_replication WHERE application_name = '$old_slot' AND state = 'streaming'"
old "SELECT pg_drop_replication_slot('$new_slot')" >/dev/null
