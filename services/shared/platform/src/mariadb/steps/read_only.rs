//! Taking the old primary out of service for a switchover: it keeps running, and refuses writes of clients.

use std::time::{Duration, Instant};

use muster_domain::pb::observation::v1::MariadbFacts;

use crate::{
    Probe, StepDone, StepError,
    mariadb::{
        errors::{LOCK_TIMEOUT, NO_SUCH_SESSION, STATEMENT_TIMEOUT, SqlError},
        fact,
        session::{Session, quoted},
        work::{Work, at, follows, is_read_only, on_host, unreachable},
    },
    step::{done, probed},
};

/// How long one attempt waits for the writes that are under way. Meanwhile new ones wait behind it.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Between the two looks at the final position.
const APART: Duration = Duration::from_secs(1);
/// More sessions than a server of a sensible size has.
const MAX_SESSIONS: usize = 20_000;

pub(super) async fn probe(work: &Work<'_>) -> Probe {
    let fenced = match work.agent(&work.from) {
        Ok(agent) => agent.is_fenced().await.map_err(on_host),
        Err(error) => Err(error),
    };
    match (fenced, work.look(&work.from).await) {
        (Err(error), _) => Probe::Unknown(error.text),
        (_, Err(error)) => Probe::Unknown(unreachable(work.from.name, &error).text),
        (Ok(true), Ok(seen)) if is_read_only(&seen) => probed(done(format!("{} refuses writes", work.from.name), [])),
        (Ok(_), Ok(_)) => Probe::NotDone,
    }
}

pub(super) async fn run(work: &Work<'_>) -> Result<StepDone, StepError> {
    let from = work.from.name;
    refuse_wrong_server(work).await?;
    let began = work.time();
    // First what a restart reads: no moment exists in which one would make it accept writes again.
    let agent = work.agent(&work.from)?;
    agent
        .fence()
        .await
        .map_err(|error| StepError::failed(format!("{from} could not be fenced, it still accepts writes: {error}")))?;
    let deadline = Instant::now() + work.job.timeouts.stop;
    loop {
        let mut session = work.session(&work.from).await.map_err(|error| unreachable(from, &error))?;
        session.set_limit(ATTEMPT).await.map_err(|error| unreachable(from, &error))?;
        match session.execute("SET GLOBAL read_only = 1").await {
            Ok(()) => break,
            // Given up by the server itself, without effect: a write takes its time, or holds a lock.
            Err(error) if matches!(error.number, Some(STATEMENT_TIMEOUT | LOCK_TIMEOUT)) => {
                let ended = end_all(work, &mut session).await.map_err(|error| unreachable(from, &error))?;
                tracing::warn!(node = from, ended, %error, "writes under way kept it from becoming read-only");
                if Instant::now() >= deadline {
                    return Err(StepError::failed(format!(
                        "{from} did not become read-only within {:?}, writes under way keep it from that: {error}",
                        work.job.timeouts.stop
                    )));
                }
            }
            Err(error) => {
                return Err(StepError::unknown(format!("{from} was told to refuse writes, and may: {error}")));
            }
        }
    }
    let seen = work.look(&work.from).await.map_err(|error| unreachable(from, &error))?;
    if !is_read_only(&seen) {
        return Err(StepError::failed(format!("{from} accepts writes again: somebody else set read_only off")));
    }
    Ok(done(format!("{from} refuses writes, also after a restart"), [(fact::STOPPED_AT, began)]))
}

/// Sessions of clients, so that those find the new primary, and so that an account that may write in spite of read_only
/// stops for a moment.
pub(super) async fn end_sessions(work: &Work<'_>) -> Result<StepDone, StepError> {
    let from = work.from.name;
    let mut session = work.session(&work.from).await.map_err(|error| unreachable(from, &error))?;
    let all_visible = sees_sessions(&mut session).await.map_err(|error| unreachable(from, &error))?;
    let ended = end_all(work, &mut session).await.map_err(|error| unreachable(from, &error))?;
    let note = if all_visible {
        format!("{ended} sessions of clients on {from} were ended")
    } else {
        let user = &work.job.execute.user;
        format!("sessions of others are not visible to {user} (PROCESS is missing): they were left, and refuse writes")
    };
    Ok(done(note, []))
}

/// Without PROCESS the list of sessions is silently short.
pub(in crate::mariadb) async fn sees_sessions(session: &mut Session) -> Result<bool, SqlError> {
    let grants = crate::mariadb::prechecks::global_grants(session).await?;
    Ok(grants.iter().any(|grant| grant == "PROCESS" || grant == "ALL PRIVILEGES"))
}

/// Ends what is visible, except Muster's own sessions and replication. How many that were.
async fn end_all(work: &Work<'_>, session: &mut Session) -> Result<usize, SqlError> {
    let own = [
        Some(work.job.execute.user.as_str()),
        work.job.replication.as_ref().map(|login| login.user.as_str()),
        work.spec.monitor.as_ref().map(|credential| credential.user.as_str()),
        Some("system user"),
        Some("event_scheduler"),
    ];
    let list: Vec<String> = own.into_iter().flatten().map(quoted).collect();
    let statement = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER NOT IN ({}) \
         AND COMMAND NOT IN ('Binlog Dump', 'Daemon', 'Slave_IO', 'Slave_SQL', 'Slave_worker') LIMIT {MAX_SESSIONS}",
        list.join(", ")
    );
    let mut ended = 0;
    for row in session.rows(&statement).await? {
        let Some(id) = row.number::<u64>("ID") else { continue };
        match session.execute(&format!("KILL CONNECTION {id}")).await {
            Ok(()) => ended += 1,
            Err(error) if error.number == Some(NO_SUCH_SESSION) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}

/// Twice, because an account with READ_ONLY ADMIN can still write.
pub(super) async fn read_final_position(work: &Work<'_>) -> Result<StepDone, StepError> {
    let from = work.from.name;
    work.prove_fence().await?;
    let first = at(from, &read_only(work).await?)?;
    tokio::time::sleep(APART).await;
    let second = at(from, &read_only(work).await?)?;
    if first != second {
        return Err(StepError::failed(format!(
            "{from} still writes: it went from {first} to {second} while it refuses writes of clients. An account with READ_ONLY ADMIN does that"
        )));
    }
    Ok(done(
        format!("{from} ended at {second}"),
        [(fact::FINAL_POSITION, second.to_string()), (fact::SYSTEM_IDENTIFIER, second.system_identifier())],
    ))
}

async fn read_only(work: &Work<'_>) -> Result<MariadbFacts, StepError> {
    let seen = work.look(&work.from).await.map_err(|error| unreachable(work.from.name, &error))?;
    if is_read_only(&seen) {
        return Ok(seen);
    }
    Err(StepError::failed(format!("{} accepts writes again: somebody else set read_only off", work.from.name)))
}

/// The last look before anything is changed: is the target this primary's replica, and are they two servers?
async fn refuse_wrong_server(work: &Work<'_>) -> Result<(), StepError> {
    let (from, target) = (work.from.name, work.target.name);
    let primary = work.look(&work.from).await.map_err(|error| unreachable(from, &error))?;
    let standby = work.look(&work.target).await.map_err(|error| {
        StepError::refused(format!("{target} could not be asked, so {from} is left as it is: {error}"))
    })?;
    let address = work.source(&work.from)?.address;
    if primary.replica.is_some() || primary.limited_view {
        return Err(StepError::refused(format!("{from} is no primary: replication is set up there")));
    }
    let Some(replica) = standby.replica.as_ref().filter(|_| is_read_only(&standby)) else {
        return Err(StepError::refused(format!("{target} is no read-only replica, so there is nothing to promote")));
    };
    let ids = (primary.server_id, replica.source_server_id.filter(|id| *id != 0));
    if ids.0.is_none() || ids.0 != ids.1 || standby.server_id == primary.server_id {
        return Err(StepError::refused(format!(
            "{target} follows {}:{} (server_id {}), and {from} at {}:{} has {}",
            replica.source_host,
            replica.source_port,
            crate::checks::said(ids.1),
            address.host,
            address.port,
            crate::checks::said(ids.0)
        )));
    }
    if !follows(replica, &address) {
        tracing::info!(node = target, source = %replica.source_host, "it knows its primary by another address");
    }
    let (a, b) = (work.agent(&work.from)?.identity(), work.agent(&work.target)?.identity());
    if a == b {
        return Err(StepError::refused(format!("the agents of {from} and {target} are the same server")));
    }
    Ok(())
}
