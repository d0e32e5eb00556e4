//! The two databases of a pair that somebody else stops, starts and promotes: what a cluster manager's platform reuses. No host
//! agent is asked for anything here.

use muster_domain::pb::{
    common::v1::Marker,
    execution::v1::Check,
    observation::v1::{ErrorClass, PostgresqlFacts},
};
use sqlx::Row;

pub(crate) use super::{
    errors::SqlError,
    observe::PostgresqlObserver,
    work::{is_primary, is_standby, received, replayed},
};
use super::{
    fact, facts::lsn, lsn::Lsn, markers as marks, postchecks as post, prechecks as pre, state, steps, work::Work,
};
use crate::{Facts, MoveJob, StepDone, StepError, checks::unknown};

/// What the primary and the standby must be before a planned move.
pub(crate) async fn switchover_prechecks(job: &MoveJob) -> Vec<Check> {
    match Work::of(job) {
        Ok(work) => pre::databases_before_switchover(&work).await,
        Err(error) => vec![unknown("databases", "a pair", error.text)],
    }
}

/// What can be seen of a lost primary, and of the standby.
pub(crate) async fn failover_prechecks(job: &MoveJob) -> Vec<Check> {
    match Work::of(job) {
        Ok(work) => pre::databases_before_failover(&work).await,
        Err(error) => vec![unknown("databases", "a pair", error.text)],
    }
}

/// The target is the one primary on the next timeline, accepts writes, and the old primary follows where it must.
pub(crate) async fn postchecks(job: &MoveJob, facts: &Facts) -> Vec<Check> {
    match Work::of(job) {
        Ok(work) => post::databases(&work, facts).await,
        Err(error) => vec![unknown("databases", "a pair", error.text)],
    }
}

pub(crate) async fn markers(job: &MoveJob) -> (Vec<Marker>, Vec<String>) {
    match Work::of(job) {
        Ok(work) => marks::read(&work).await,
        Err(error) => (Vec::new(), vec![error.text]),
    }
}

/// What one database says about itself now.
pub(crate) async fn look(job: &MoveJob, node: &str) -> Result<PostgresqlFacts, SqlError> {
    let work = Work::of(job).map_err(|error| SqlError::new(ErrorClass::Configuration, error.text))?;
    work.look(if work.from.name == node { work.from } else { work.target }).await
}

/// Commits a message on the target that needs no table. The position of it.
pub(crate) async fn test_write(job: &MoveJob) -> Result<Lsn, SqlError> {
    let work = Work::of(job).map_err(|error| SqlError::new(ErrorClass::Configuration, error.text))?;
    let mut session = work.session(work.target).await?;
    steps::test_write(&mut session).await
}

/// Until the old primary streams from the target on the new timeline and has applied what there was.
pub(crate) async fn wait_until_protected(job: &MoveJob, facts: &Facts) -> Result<StepDone, StepError> {
    steps::wait_until_protected(&Work::of(job)?, facts).await
}

pub(crate) async fn describe(job: &MoveJob, facts: &Facts) -> String {
    match Work::of(job) {
        Ok(work) => state::describe(&work, facts).await,
        Err(error) => error.text,
    }
}

/// The newest checkpoint that the old primary's control file names.
pub(crate) struct Checkpoint {
    pub timeline: u32,
    pub lsn: Lsn,
    /// Where recovery from it would begin. A shutdown writes nothing beside its checkpoint: then the two are the same.
    pub redo: Lsn,
}

impl Checkpoint {
    pub(crate) fn is_of_shutdown(&self) -> bool {
        self.lsn == self.redo
    }
}

pub(crate) async fn old_primary_checkpoint(job: &MoveJob) -> Result<Option<Checkpoint>, SqlError> {
    const CHECKPOINT: &str =
        "SELECT timeline_id, checkpoint_lsn::text AS at, redo_lsn::text AS redo FROM pg_control_checkpoint()";
    let work = Work::of(job).map_err(|error| SqlError::new(ErrorClass::Configuration, error.text))?;
    let mut session = work.session(work.from).await?;
    let row = session.one(sqlx::query(CHECKPOINT)).await?;
    let timeline: Option<i32> = row.try_get("timeline_id")?;
    let timeline = timeline.and_then(|timeline| u32::try_from(timeline).ok());
    Ok(match (timeline, lsn(&row, "at")?, lsn(&row, "redo")?) {
        (Some(timeline), Some(lsn), Some(redo)) => Some(Checkpoint { timeline, lsn, redo }),
        _ => None,
    })
}

/// The positions of a move that nobody can find out any more afterwards.
pub(crate) fn before(facts: &PostgresqlFacts) -> Facts {
    let mut outputs = crate::fact::outputs([(fact::SYSTEM_IDENTIFIER, facts.system_identifier.clone())]);
    let mut add = |name: &str, value: Option<String>| outputs.extend(value.map(|value| (name.to_owned(), value)));
    add(fact::OLD_TIMELINE, facts.timeline.map(|timeline| timeline.to_string()));
    add(fact::TARGET_RECEIVE_LSN, received(facts).map(|lsn| lsn.to_string()));
    add(fact::TARGET_REPLAY_LSN, replayed(facts).map(|lsn| lsn.to_string()));
    let commit = muster_domain::time::from_pb(facts.last_replayed_commit_at.as_ref());
    add(fact::TARGET_LAST_COMMIT_AT, commit.map(fact::time));
    outputs
}
