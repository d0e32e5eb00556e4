//! The copy's server: started below its own directory, asked over its own socket.

use std::{
    ffi::OsString,
    time::{Duration, Instant},
};

use super::{
    DrillError, DrillJob,
    place::{PORT, Place, Stage, State},
    processes,
};
use crate::{
    AgentError, StepDone, StepError,
    agent::{
        command::{self, Invocation},
        files,
    },
    postgresql::session::{Address, Session},
    step::done,
};

pub(super) const CONFIGURATION: &str = "drill.conf";
const LOG: &str = "server.log";
/// Programs that only read answer in milliseconds.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(10);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(200);

/// Starts the copy and waits until it has replayed its log and left recovery.
pub async fn start(job: &DrillJob) -> Result<StepDone, StepError> {
    Ok(Box::pin(bring_up(job)).await?)
}

async fn bring_up(job: &DrillJob) -> Result<StepDone, DrillError> {
    let place = Place::of(job)?;
    place.must_be_ours(job)?;
    let state = place.state(job)?.filter(|state| state.stage == Stage::Copied);
    let state = state.ok_or_else(|| DrillError::Refused("there is no whole copy to start".to_owned()))?;
    let deadline = Instant::now() + job.limits.start;
    let mut begun = false;
    while !is_up(job, &place).await {
        // What a killed executor began goes on, and is waited for.
        if processes::ours(place.root())?.is_empty() {
            if begun {
                return Err(failed_start(&place, "it ended"));
            }
            begin(job, &place).await?;
            begun = true;
        }
        if Instant::now() >= deadline {
            return Err(failed_start(&place, "it did not leave recovery in time"));
        }
        tokio::time::sleep(POLL).await;
    }
    let answered_at = state.answered_at.unwrap_or_else(|| (job.now)());
    place.write(&State { answered_at: Some(answered_at), ..state.clone() })?;
    Ok(done(format!("it answers at the socket in {}", place.root().display()), []))
}

async fn begin(job: &DrillJob, place: &Place) -> Result<(), DrillError> {
    let mut arguments: Vec<OsString> = vec!["start".into(), "-D".into(), place.data().into(), "-s".into(), "-w".into()];
    arguments.extend(["-t".into(), job.limits.start.as_secs().max(1).to_string().into()]);
    arguments.extend(["-l".into(), OsString::from(place.file(LOG))]);
    // pg_ctl hands it to a shell; the place has no character that means something there.
    let configuration = format!("-c config_file={}", place.file(CONFIGURATION).display());
    arguments.extend(["-o".into(), OsString::from(configuration)]);
    let begun = pg_ctl(job, place, arguments, job.limits.start + READ_LIMIT).await;
    begun.map(drop).map_err(|error| failed_start(place, &error.to_string()))
}

/// Its own words are the reason.
fn failed_start(place: &Place, why: &str) -> DrillError {
    DrillError::Copy(format!("the copy did not start: {why}; its log ends with: {}", files::tail(&place.file(LOG))))
}

/// It answers, and is no standby.
pub(super) async fn is_up(job: &DrillJob, place: &Place) -> bool {
    let Ok(mut session) = session(job, place).await else { return false };
    let row = session.one(sqlx::query("SELECT NOT pg_is_in_recovery()")).await;
    row.is_ok_and(|row| sqlx::Row::try_get(&row, 0).unwrap_or(false))
}

pub(super) async fn session(job: &DrillJob, place: &Place) -> Result<Session, DrillError> {
    let address = Address::socket(place.root(), PORT, &job.spec.database);
    let opened = Session::open(&address, &job.execute, CONNECT_LIMIT, READ_LIMIT).await;
    opened.map_err(|error| DrillError::Copy(format!("the copy: {error}")))
}

/// Asks the server to end at once. What that leaves is ended by its processes.
pub(super) async fn stop(job: &DrillJob, place: &Place) {
    let arguments = ["stop", "-m", "immediate", "-s", "-w", "-t", "10", "-D"].map(OsString::from);
    let arguments = arguments.into_iter().chain([place.data().into()]).collect();
    if let Err(error) = pg_ctl(job, place, arguments, READ_LIMIT * 2).await {
        tracing::debug!(%error, "the copy was not stopped by its own program");
    }
}

async fn pg_ctl(
    job: &DrillJob,
    place: &Place,
    arguments: Vec<OsString>,
    limit: Duration,
) -> Result<String, AgentError> {
    command::run(Invocation {
        program: &job.host.bin_directory.join("pg_ctl"),
        arguments,
        environment: Vec::new(),
        directory: place.root(),
        owner: place.owner,
        limit,
        secrets: Vec::new(),
    })
    .await
}
