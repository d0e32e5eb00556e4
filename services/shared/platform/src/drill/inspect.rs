//! What the copy holds, asked of the copy itself.

use std::{fs, path::Path};

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::execution::v1::{Check, DrillCopy, IntegrityResult},
    time::{duration_to_pb, to_pb},
};
use sqlx::Row;

use super::{
    DrillError, DrillJob,
    place::{PORT, Place},
    server,
};
use crate::{
    Facts, StepError, checks, fact,
    integrity::{self, Copy},
};

/// What was found. Reading it again gives the same, except the time of the questions.
#[derive(Debug, Clone)]
pub struct Inspected {
    pub source: String,
    /// The newest transaction in the copy, or what the source is known to have held when the copy was begun.
    pub newest_data_at: Option<Timestamp>,
    /// From the newest data to the beginning of the copy.
    pub loss_window: Option<SignedDuration>,
    /// From the beginning of the copy to its first answer.
    pub restore_time: Option<SignedDuration>,
    pub bytes: u64,
    pub answers: Vec<IntegrityResult>,
    /// That it is apart from production, and each question judged.
    pub checks: Vec<Check>,
}

const SOURCE: &str = "copy_source";
const NEWEST_DATA_AT: &str = "copy_newest_data_at";
const LOSS_WINDOW_MS: &str = "copy_loss_window_ms";
const RESTORE_TIME_MS: &str = "copy_restore_time_ms";
const BYTES: &str = "copy_bytes";

impl Inspected {
    /// For the log: [`copy_of`] reads them after the tear-down.
    pub fn outputs(&self) -> Facts {
        let mut facts = fact::outputs([(SOURCE, self.source.clone()), (BYTES, self.bytes.to_string())]);
        let known = [
            (NEWEST_DATA_AT, self.newest_data_at.map(|at| at.to_string())),
            (LOSS_WINDOW_MS, self.loss_window.map(|window| window.as_millis().to_string())),
            (RESTORE_TIME_MS, self.restore_time.map(|time| time.as_millis().to_string())),
        ];
        facts.extend(known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        facts
    }

    /// "newest data 1.2 s before the copy was begun, restored in 4.1 s, 41 MB"
    pub fn note(&self) -> String {
        let shown = |duration: Option<SignedDuration>| {
            duration.map_or_else(|| "not known".to_owned(), muster_domain::time::humane)
        };
        format!(
            "{}: loss window {}, restored in {}, {} MiB",
            self.source,
            shown(self.loss_window),
            shown(self.restore_time),
            self.bytes >> 20
        )
    }
}

/// The record of a drill, from its run's merged outputs and what the tear-down found.
pub fn copy_of(resource: &str, facts: &Facts, teardown: Vec<Check>) -> DrillCopy {
    let milliseconds = |name: &str| facts.get(name).and_then(|text| text.parse().ok()).map(SignedDuration::from_millis);
    let newest: Option<Timestamp> = facts.get(NEWEST_DATA_AT).and_then(|text| text.parse().ok());
    DrillCopy {
        resource: resource.to_owned(),
        source: facts.get(SOURCE).cloned().unwrap_or_default(),
        newest_data_at: newest.map(to_pb),
        loss_window: milliseconds(LOSS_WINDOW_MS).map(duration_to_pb),
        restore_time: milliseconds(RESTORE_TIME_MS).map(duration_to_pb),
        bytes: facts.get(BYTES).and_then(|text| text.parse().ok()),
        teardown,
    }
}

/// Asks the running copy. What one question lacks is in its answer; an error means that the copy cannot be asked at all.
pub async fn inspect(job: &DrillJob) -> Result<Inspected, StepError> {
    Ok(Box::pin(look(job)).await?)
}

async fn look(job: &DrillJob) -> Result<Inspected, DrillError> {
    let place = Place::of(job)?;
    let state = place.state(job)?.ok_or_else(|| DrillError::Refused("there is no copy".to_owned()))?;
    let mut session = server::session(job, &place).await?;
    let failed = |error: &dyn std::fmt::Display| DrillError::Copy(format!("the copy: {error}"));
    let row = session
        .one(sqlx::query(
            "SELECT (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint, \
             current_setting('archive_mode'), current_setting('listen_addresses'), \
             current_setting('max_logical_replication_workers'), \
             (SELECT count(*) FROM pg_replication_slots), (SELECT count(*) FROM pg_stat_wal_receiver), \
             pg_is_in_recovery()",
        ))
        .await
        .map_err(|error| failed(&error))?;
    let replayed: Option<i64> = row.try_get(0).map_err(|error| failed(&error))?;
    let replayed = replayed.and_then(|microseconds| Timestamp::from_microsecond(microseconds).ok());
    // Without a transaction in the replayed log, what the source held is the least that is there.
    let newest_data_at = replayed.into_iter().chain(state.holds_until).max();
    let mut found = vec![apart(&row).map_err(|error| failed(&error))?];
    let copy = Copy { socket_directory: place.root(), port: PORT, database: &job.spec.database, login: &job.execute };
    let answers = integrity::ask_copy(&copy, &job.resource, &job.integrity, &job.now).await;
    found.extend(
        job.integrity
            .iter()
            .map(|asked| integrity::judge_copy(asked, answers.iter().find(|answer| answer.name == asked.name))),
    );
    Ok(Inspected {
        newest_data_at,
        loss_window: newest_data_at.map(|at| state.begun_at.duration_since(at).max(SignedDuration::ZERO)),
        restore_time: state.answered_at.map(|at| at.duration_since(state.begun_at)),
        source: state.source,
        bytes: size(&place.data()) + size(&place.file("tablespaces")),
        answers,
        checks: found,
    })
}

/// By what the running server says of itself.
fn apart(row: &sqlx::postgres::PgRow) -> Result<Check, sqlx::Error> {
    let (archive, addresses, workers): (String, String, String) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let (slots, receivers, recovery): (i64, i64, bool) = (row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
    let holds = archive == "off" && addresses.is_empty() && workers == "0" && slots == 0 && receivers == 0 && !recovery;
    let value = format!(
        "archive {archive}, TCP addresses '{addresses}', subscription workers {workers}, slots {slots}, receivers {receivers}"
    );
    let (good, bad) = ("the copy is apart from production", "the copy is not apart from production: remove it");
    Ok(checks::must("copy_is_apart", Some(holds), value, "none of them", good, bad))
}

/// Bytes of the files below. What disappears meanwhile does not count.
fn size(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum()
}
