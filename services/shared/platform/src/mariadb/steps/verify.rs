//! Proof that the target is what it should be now.

use muster_domain::readiness::mariadb::Position;

use crate::{
    StepDone, StepError,
    mariadb::{
        errors::SqlError,
        fact,
        facts::{collect, is_on},
        session::Session,
        work::{Work, is_primary, unreachable},
    },
    step::done,
};
use muster_domain::{pb::observation::v1::ErrorClass, readiness::mariadb::position};

pub(super) async fn run(work: &Work<'_>) -> Result<StepDone, StepError> {
    let name = work.target.name;
    let seen = work.look(&work.target).await.map_err(|error| unreachable(name, &error))?;
    if !is_primary(&seen) {
        return Err(StepError::failed(format!("{name} is not a primary that accepts writes")));
    }
    let mut session = work.session(&work.target).await.map_err(|error| unreachable(name, &error))?;
    let written =
        test_write(&mut session).await.map_err(|error| StepError::failed(format!("{name} did not commit: {error}")))?;
    Ok(done(
        format!("{name} commits, it is at {written}"),
        [(fact::WRITABLE_AT, work.time()), (fact::NEW_POSITION, written.to_string())],
    ))
}

/// Commits a statement that changes nothing and needs no right on data: it takes a transaction id of its own, goes into
/// the binary log, and so to every replica. Where the server is afterwards.
pub(in crate::mariadb) async fn test_write(session: &mut Session) -> Result<Position, SqlError> {
    let protocol = |text: &str| SqlError::new(ErrorClass::Protocol, text);
    let row = session.row("SELECT @@global.read_only AS read_only, @@global.innodb_read_only AS engine").await?;
    for (column, what) in [("read_only", "read_only is on"), ("engine", "innodb_read_only is on")] {
        if row.text(column).and_then(is_on) != Some(false) {
            return Err(protocol(what));
        }
    }
    let before = collect(session).await?;
    session.execute("FLUSH QUERY CACHE").await?;
    let after = collect(session).await?;
    let (before, after) = (position(&before).zip(before.server_id), position(&after));
    let (Some((before, own)), Some(after)) = (before, after) else {
        return Err(protocol("it tells no position that can be read"));
    };
    let by_itself = after.gtids().any(|gtid| gtid.server == own);
    if by_itself && after.transactions() > before.transactions() {
        return Ok(after);
    }
    Err(protocol("a commit left no trace in its binary log"))
}
