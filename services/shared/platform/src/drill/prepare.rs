//! The first step: room is checked, whatever an earlier attempt left is removed, the copy is made and disarmed.

use std::path::Path;

use jiff::Timestamp;

use super::{
    CopySource, DrillError, DrillJob, base_backup,
    base_backup::Standby,
    place::{Place, Stage, State},
    processes, restore, server, settings,
};
use crate::{
    AgentError, ControlData, StepDone, StepError,
    agent::{
        command::{self, Invocation},
        files,
    },
    backup::{self, Backup, Repository},
    step::done,
};

/// A copy grows while it is made: log is written beside it, and replayed.
const ROOM_PERCENT: u64 = 120;
/// Log of an idle system, and the server's own files.
const LEAST_ROOM: u64 = 64 << 20;

/// What the copy is made of, looked at now.
pub(super) enum Found<'a> {
    Standby(Standby),
    Backup(&'a Repository, Backup),
}

impl Found<'_> {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Standby(standby) => format!("base backup of {}", standby.node),
            Self::Backup(_, backup) => backup.describe(),
        }
    }

    pub(super) fn bytes(&self) -> Option<u64> {
        match self {
            Self::Standby(standby) => Some(standby.bytes),
            Self::Backup(_, backup) => backup.bytes,
        }
    }

    /// The major version of the server it came from.
    pub(super) fn major(&self) -> Option<&str> {
        match self {
            Self::Standby(standby) => Some(&standby.major),
            Self::Backup(_, backup) => backup.server_version.as_deref(),
        }
    }

    fn system_identifier(&self) -> Option<&str> {
        match self {
            Self::Standby(standby) => Some(&standby.system_identifier),
            Self::Backup(_, backup) => backup.system_identifier.as_deref(),
        }
    }

    fn holds_until(&self) -> Option<Timestamp> {
        match self {
            Self::Standby(standby) => standby.replayed_at,
            Self::Backup(_, backup) => backup.started_at,
        }
    }
}

pub(super) async fn find(job: &DrillJob) -> Result<Found<'_>, DrillError> {
    match &job.source {
        CopySource::Standby => base_backup::find(job).await.map(Found::Standby),
        CopySource::Backup { repository, .. } => {
            restore::find(job, repository).await.map(|backup| Found::Backup(repository, backup))
        }
    }
}

/// Makes the copy. Done already: nothing is made again.
pub async fn prepare(job: &DrillJob) -> Result<StepDone, StepError> {
    Ok(Box::pin(make(job)).await?)
}

async fn make(job: &DrillJob) -> Result<StepDone, DrillError> {
    let place = Place::of(job)?;
    place.must_be_ours(job)?;
    if let Some(state) = place.state(job)?.filter(|state| state.stage == Stage::Copied) {
        return Ok(done(format!("{} is there", state.source), []));
    }
    processes::end(place.root()).await?;
    place.clear(job)?;
    let begun_at = (job.now)();
    let found = find(job).await?;
    young_enough(job, &found)?;
    let (free, needed) = (free(&job.host.drill_directory)?, needed(&found)?);
    if free < needed {
        return Err(DrillError::NoRoom { directory: job.host.drill_directory.display().to_string(), free, needed });
    }
    let mut state = State {
        request: job.request.clone(),
        resource: job.resource.clone(),
        source: found.describe(),
        stage: Stage::Copying,
        begun_at,
        holds_until: found.holds_until(),
        answered_at: None,
    };
    place.create(&state)?;
    match &found {
        Found::Standby(standby) => base_backup::copy(job, &place, standby).await?,
        Found::Backup(repository, backup) => restore::copy(job, &place, repository, backup).await?,
    }
    same_system(job, &place, &found).await?;
    disarm(job, &place).await?;
    state.stage = Stage::Copied;
    place.write(&state)?;
    Ok(done(format!("{}, below {}", state.source, place.root().display()), []))
}

fn young_enough(job: &DrillJob, found: &Found<'_>) -> Result<(), DrillError> {
    let (CopySource::Backup { max_age, .. }, Found::Backup(_, backup)) = (&job.source, found) else { return Ok(()) };
    let check = backup::check_age(&Ok(backup.clone()), *max_age, (job.now)());
    if check.outcome() == muster_domain::pb::execution::v1::CheckOutcome::Passed {
        return Ok(());
    }
    Err(DrillError::Refused(format!("{} ({}, {})", check.text, check.value, check.limit)))
}

pub(super) fn needed(found: &Found<'_>) -> Result<u64, DrillError> {
    let bytes = found.bytes().ok_or_else(|| DrillError::Refused("the size of the source is not known".to_owned()))?;
    Ok((bytes / 100).saturating_mul(ROOM_PERCENT).saturating_add(LEAST_ROOM))
}

/// Bytes an unprivileged process can still write there.
pub(super) fn free(directory: &Path) -> Result<u64, DrillError> {
    let stat = nix::sys::statvfs::statvfs(directory)
        .map_err(|error| AgentError::File { path: directory.to_owned(), why: error.to_string() })?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

/// A copy of something else would prove nothing.
async fn same_system(job: &DrillJob, place: &Place, found: &Found<'_>) -> Result<(), DrillError> {
    let copied = ControlData::parse(&control_data(job, place).await?)?.system_identifier;
    match found.system_identifier() {
        Some(wanted) if wanted != copied => {
            Err(DrillError::Copy(format!("the copy is of system {copied}, and the source is {wanted}")))
        }
        _ => Ok(()),
    }
}

async fn control_data(job: &DrillJob, place: &Place) -> Result<String, DrillError> {
    let program = job.host.bin_directory.join("pg_controldata");
    let said = command::run(Invocation {
        program: &program,
        arguments: vec!["-D".into(), place.data().into()],
        environment: Vec::new(),
        directory: place.root(),
        owner: place.owner,
        limit: server::READ_LIMIT,
        secrets: Vec::new(),
    });
    Ok(said.await?)
}

/// Takes away whatever would lead the copy back to production, before it is started for the first time.
async fn disarm(job: &DrillJob, place: &Place) -> Result<(), DrillError> {
    let data = place.data();
    for name in [files::STANDBY_SIGNAL, files::PASSFILE, "postmaster.pid"] {
        files::remove(&data.join(name))?;
    }
    let write = |path: &Path, content: &str| files::write(path, content, place.owner);
    // Read last by the server: production's would come before ours.
    write(&data.join(files::AUTO_CONF), "")?;
    write(&place.file("pg_hba.conf"), settings::HBA)?;
    write(&place.file("pg_ident.conf"), "")?;
    let minimums = settings::minimums(&control_data(job, place).await?);
    let more_log = restore::restore_command(place, &job.source)?;
    let root = place.root().to_string_lossy();
    write(&place.file(server::CONFIGURATION), &settings::configuration(&root, minimums, &more_log))?;
    // Replays all log there is, and then ends recovery on a timeline of its own.
    write(&data.join("recovery.signal"), "")?;
    Ok(())
}
