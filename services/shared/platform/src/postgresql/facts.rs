//! One look at one node. What the server did not tell stays absent: unknown is never zero.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::observation::v1::{ErrorClass, PostgresqlFacts, ReplicationSlot, WalReceiver, WalSender},
    time::{self, PbTimestamp},
};
use sqlx::{Row, postgres::PgRow};

use super::{errors::SqlError, lsn::Lsn, session::Session};

/// More rows than a sensible estate has; a broken one must not make observations grow without end.
macro_rules! row_limit {
    () => {
        " LIMIT 64"
    };
}

// A setting that holds only for our own account says nothing about the node: NULL.
const BASICS: &str = "
SELECT pg_is_in_recovery() AS in_recovery,
       (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       (SELECT timeline_id FROM pg_control_checkpoint()) AS checkpoint_timeline,
       current_setting('server_version_num')::int AS version,
       current_setting('wal_log_hints') = 'on' AS wal_log_hints,
       current_setting('data_checksums') = 'on' AS data_checksums,
       current_setting('synchronous_standby_names') AS synchronous_standby_names,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size') AS segment_size,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'recovery_min_apply_delay') AS apply_delay_ms,
       (SELECT setting = 'on' FROM pg_settings WHERE name = 'default_transaction_read_only'
           AND source NOT IN ('user', 'database user', 'client', 'session')) AS read_only,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS full_view";

// The clock is read before the positions: whatever was committed by then lies before them. The insert
// position, because a transaction that only took an id is committed without waiting for the disk, so
// the written position can still lie before its commit record.
const PRIMARY: &str = "
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS server_time,
       pg_current_wal_insert_lsn()::text AS inserted,
       pg_current_wal_lsn()::text AS written,
       substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline";

const SENDERS: &str = concat!(
    "
SELECT application_name, state, sent_lsn::text, flush_lsn::text, replay_lsn::text, sync_state,
       (extract(epoch FROM reply_time) * 1000000)::bigint AS reply_time
  FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup' ORDER BY application_name, pid",
    row_limit!()
);

const SLOTS: &str = concat!(
    "
SELECT slot_name::text, slot_type, active, wal_status, restart_lsn::text FROM pg_replication_slots ORDER BY slot_name",
    row_limit!()
);

// Not conninfo: it may carry secrets.
const RECEIVER: &str = "
SELECT status, received_tli, flushed_lsn::text, latest_end_lsn::text, slot_name, sender_host, sender_port,
       (extract(epoch FROM last_msg_receipt_time) * 1000000)::bigint AS last_message,
       (extract(epoch FROM latest_end_time) * 1000000)::bigint AS latest_end_time
  FROM pg_stat_wal_receiver LIMIT 1";

const STANDBY: &str = "
SELECT pg_last_wal_receive_lsn()::text AS received,
       pg_last_wal_replay_lsn()::text AS replayed,
       (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint AS last_commit,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS server_time";

// A standby without a receiver: the newest timeline it has log of at its position. The control file
// would name the timeline of the last restart point, which can be one too old (trap T4).
const LOG_TIMELINE: &str = "
SELECT max(substr(name, 1, 8)) AS timeline FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' AND substr(name, 9) = $1";

const PAUSE_STATE: &str = "SELECT pg_get_wal_replay_pause_state() AS state";
/// Before version 14 a requested pause and a reached one look the same.
const PAUSE_STATE_13: &str = "SELECT CASE WHEN pg_is_wal_replay_paused() THEN 'paused' ELSE 'not paused' END AS state";
const PAUSE_STATE_SINCE: i32 = 140_000;

/// Everything that one node says about itself. With `heartbeat` a primary commits a transaction id
/// first, so that its position moves even when nobody writes (lie L1).
pub(super) async fn collect(session: &mut Session, heartbeat: bool) -> Result<PostgresqlFacts, SqlError> {
    let row = session.one(sqlx::query(BASICS)).await?;
    let in_recovery: bool = row.try_get("in_recovery")?;
    let version: i32 = row.try_get("version")?;
    let full_view: Option<bool> = row.try_get("full_view")?;
    let mut facts = PostgresqlFacts {
        system_identifier: row.try_get::<Option<String>, _>("system_identifier")?.unwrap_or_default(),
        server_version_num: u32::try_from(version).unwrap_or_default(),
        in_recovery: Some(in_recovery),
        wal_log_hints: row.try_get("wal_log_hints")?,
        data_checksums: row.try_get("data_checksums")?,
        recovery_min_apply_delay: row
            .try_get::<Option<i64>, _>("apply_delay_ms")?
            .map(|ms| time::duration_to_pb(SignedDuration::from_millis(ms))),
        synchronous_standby_names: row.try_get::<Option<String>, _>("synchronous_standby_names")?.unwrap_or_default(),
        default_transaction_read_only: row.try_get("read_only")?,
        limited_view: full_view != Some(true),
        ..Default::default()
    };
    if in_recovery {
        standby(session, &mut facts, version).await?;
        facts.timeline = match facts.wal_receiver.as_ref().map(|receiver| receiver.received_timeline) {
            Some(received) if received != 0 => Some(received),
            _ => log_timeline(session, &facts, &row).await?,
        };
    } else {
        primary(session, &mut facts, heartbeat).await?;
    }
    for row in session.all(sqlx::query(SLOTS)).await? {
        facts.slots.push(slot(&row)?);
    }
    Ok(facts)
}

async fn primary(session: &mut Session, facts: &mut PostgresqlFacts, heartbeat: bool) -> Result<(), SqlError> {
    let beat = heartbeat && beat(session).await?;
    let row = session.one(sqlx::query(PRIMARY)).await?;
    facts.server_time = at(&row, "server_time")?;
    facts.current_lsn = lsn(&row, "written")?.map(|lsn| lsn.0);
    let hex: Option<String> = row.try_get("timeline")?;
    facts.timeline = hex.and_then(|hex| u32::from_str_radix(&hex, 16).ok());
    if beat {
        facts.heartbeat_at = facts.server_time;
        facts.heartbeat_lsn = lsn(&row, "inserted")?.map(|lsn| lsn.end_of_record().0);
    }
    for row in session.all(sqlx::query(SENDERS)).await? {
        facts.wal_senders.push(sender(&row)?);
    }
    Ok(())
}

/// Commits one transaction id. `false`: the server does not do it; the rest of the look still counts.
async fn beat(session: &mut Session) -> Result<bool, SqlError> {
    match session.one(sqlx::query("SELECT pg_current_xact_id()::text")).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_lost_connection() => Err(error),
        Err(error) => {
            tracing::debug!(%error, "no heartbeat");
            Ok(false)
        }
    }
}

async fn standby(session: &mut Session, facts: &mut PostgresqlFacts, version: i32) -> Result<(), SqlError> {
    facts.wal_receiver = session.optional(sqlx::query(RECEIVER)).await?.map(|row| receiver(&row)).transpose()?;
    let pause = if version >= PAUSE_STATE_SINCE { PAUSE_STATE } else { PAUSE_STATE_13 };
    facts.replay_pause_state =
        session.one(sqlx::query(pause)).await?.try_get::<Option<String>, _>("state")?.unwrap_or_default();
    let row = session.one(sqlx::query(STANDBY)).await?;
    facts.receive_lsn = lsn(&row, "received")?.map(|lsn| lsn.0);
    facts.replay_lsn = lsn(&row, "replayed")?.map(|lsn| lsn.0);
    facts.last_replayed_commit_at = at(&row, "last_commit")?;
    facts.server_time = at(&row, "server_time")?;
    Ok(())
}

async fn log_timeline(session: &mut Session, facts: &PostgresqlFacts, basics: &PgRow) -> Result<Option<u32>, SqlError> {
    let segment_size: Option<i64> = basics.try_get("segment_size")?;
    let position = facts.receive_lsn.max(facts.replay_lsn).map(Lsn);
    let segment = position.zip(segment_size).and_then(|(lsn, size)| lsn.segment(u64::try_from(size).ok()?));
    let Some(segment) = segment else { return Ok(None) };
    match session.one(sqlx::query(LOG_TIMELINE).bind(segment)).await {
        Ok(row) => {
            let hex: Option<String> = row.try_get("timeline")?;
            // No such file: the log comes from an archive, and the control file is the best there is.
            Ok(match hex {
                Some(hex) => u32::from_str_radix(&hex, 16).ok(),
                None => timeline(basics.try_get("checkpoint_timeline")?),
            })
        }
        // Not allowed to list: unknown.
        Err(error) if error.class == ErrorClass::Permission => Ok(None),
        Err(error) => Err(error),
    }
}

/// Without permission only the process id is shown: every column is NULL.
fn receiver(row: &PgRow) -> Result<WalReceiver, SqlError> {
    Ok(WalReceiver {
        status: text(row, "status")?,
        received_timeline: timeline(row.try_get("received_tli")?).unwrap_or_default(),
        flushed_lsn: lsn(row, "flushed_lsn")?.map(|lsn| lsn.0),
        last_message_receipt_at: at(row, "last_message")?,
        latest_end_lsn: lsn(row, "latest_end_lsn")?.map(|lsn| lsn.0),
        latest_end_at: at(row, "latest_end_time")?,
        slot_name: text(row, "slot_name")?,
        sender_host: text(row, "sender_host")?,
        sender_port: row
            .try_get::<Option<i32>, _>("sender_port")?
            .and_then(|p| u32::try_from(p).ok())
            .unwrap_or_default(),
    })
}

fn sender(row: &PgRow) -> Result<WalSender, SqlError> {
    Ok(WalSender {
        application_name: text(row, "application_name")?,
        state: text(row, "state")?,
        sent_lsn: lsn(row, "sent_lsn")?.map(|lsn| lsn.0),
        flush_lsn: lsn(row, "flush_lsn")?.map(|lsn| lsn.0),
        replay_lsn: lsn(row, "replay_lsn")?.map(|lsn| lsn.0),
        sync_state: text(row, "sync_state")?,
        reply_at: at(row, "reply_time")?,
    })
}

fn slot(row: &PgRow) -> Result<ReplicationSlot, SqlError> {
    Ok(ReplicationSlot {
        name: text(row, "slot_name")?,
        slot_type: text(row, "slot_type")?,
        active: row.try_get::<Option<bool>, _>("active")?.unwrap_or_default(),
        wal_status: text(row, "wal_status")?,
        restart_lsn: lsn(row, "restart_lsn")?.map(|lsn| lsn.0),
    })
}

fn text(row: &PgRow, column: &str) -> Result<String, SqlError> {
    Ok(row.try_get::<Option<String>, _>(column)?.unwrap_or_default())
}

/// A position that cannot be read is an error: taken for absent it would hide a lag.
pub(super) fn lsn(row: &PgRow, column: &str) -> Result<Option<Lsn>, SqlError> {
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| text.parse())
        .transpose()
        .map_err(|error: super::lsn::InvalidLsn| sqlx::Error::Protocol(error.to_string()).into())
}

/// Microseconds since the epoch, as the queries give them.
fn at(row: &PgRow, column: &str) -> Result<Option<PbTimestamp>, SqlError> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()).map(time::to_pb))
}

fn timeline(value: Option<i32>) -> Option<u32> {
    value.and_then(|timeline| u32::try_from(timeline).ok()).filter(|timeline| *timeline != 0)
}
