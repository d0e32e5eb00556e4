//! How old the newest backup of a repository is, as the repository's own tool says it.
//!
//! Exit codes are not believed: pgBackRest ends with 0 when the stanza is missing, and lists backups with damaged pages. A
//! backup that its tool reports as bad does not count.

mod pgbackrest;
pub(crate) mod restic;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use muster_domain::{pb::execution::v1::Check, time::humane};
use secrecy::{ExposeSecret, SecretString};

pub(crate) use pgbackrest::base_arguments;

use crate::{
    AgentError,
    agent::{
        command::{self, Invocation},
        files,
    },
    checks,
};

/// Listing a repository of a thousand backups over a slow link.
const LIST_LIMIT: Duration = Duration::from_secs(60);
/// A clock that is ahead of ours by more than this makes every age a guess.
const MAX_FROM_FUTURE: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupTool {
    Pgbackrest,
    Restic,
}

impl BackupTool {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pgbackrest => "pgbackrest",
            Self::Restic => "restic",
        }
    }
}

/// One repository, from the executor's own configuration.
#[derive(Debug, Clone)]
pub struct Repository {
    pub tool: BackupTool,
    pub program: PathBuf,
    /// pgbackrest.
    pub config_file: Option<PathBuf>,
    pub stanza: String,
    /// restic.
    pub repository: String,
    pub password: Option<SecretString>,
    /// restic: empty means all.
    pub host: String,
    pub path: String,
}

/// One backup that can be restored, as far as its tool knows. Only a restore proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub tool: BackupTool,
    /// "20261121-172143F", the snapshot's short id
    pub label: String,
    /// Everything committed before is in it. Absent: the tool does not know what a database in it holds.
    pub started_at: Option<Timestamp>,
    /// What its age counts from: the end where the tool keeps the log until then, otherwise the beginning.
    pub as_of: Timestamp,
    /// Of the restored files. Absent: the tool does not say.
    pub bytes: Option<u64>,
    /// pgbackrest: which of the configured repositories, and which system.
    pub repository_key: Option<u32>,
    pub system_identifier: Option<String>,
    /// "15"
    pub server_version: Option<String>,
}

impl Backup {
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.as_of)
    }

    /// "pgbackrest 20261121-172143F"
    pub fn describe(&self) -> String {
        format!("{} {}", self.tool.name(), self.label)
    }
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Tool(#[from] AgentError),
    #[error("{tool} gave an answer that cannot be read: {why}")]
    Unreadable { tool: &'static str, why: String },
    #[error("{tool} says about '{what}': {said}")]
    Repository { tool: &'static str, what: String, said: String },
    #[error("'{what}' holds no backup that counts{why}")]
    None { what: String, why: String },
}

/// The newest backup that counts. Changes nothing: no lock is taken in the repository.
///
/// `directory` is where the tool runs, and its owner is the user it runs as.
pub async fn newest(repository: &Repository, directory: &Path) -> Result<Backup, BackupError> {
    let (arguments, environment) = match repository.tool {
        BackupTool::Pgbackrest => (pgbackrest::info_arguments(repository), Vec::new()),
        BackupTool::Restic => restic::snapshots(repository),
    };
    let said = run(repository, arguments, environment, directory, LIST_LIMIT).await?;
    match repository.tool {
        BackupTool::Pgbackrest => pgbackrest::newest(&said, &repository.stanza),
        BackupTool::Restic => restic::newest(&said, repository),
    }
}

/// Whether the newest backup is young enough. `None`: any age is.
pub fn check_age(found: &Result<Backup, BackupError>, max_age: Option<SignedDuration>, now: Timestamp) -> Check {
    const NAME: &str = "newest_backup_age";
    let limit = max_age.map_or_else(|| "any age".to_owned(), |max| format!("at most {}", humane(max)));
    let backup = match found {
        Ok(backup) => backup,
        Err(error @ BackupError::None { .. }) => return checks::failed(NAME, "none", &limit, error.to_string()),
        Err(error) => return checks::unknown(NAME, &limit, error.to_string()),
    };
    let age = backup.age(now);
    if age < -MAX_FROM_FUTURE {
        let text = format!("{} is from the future: a clock is wrong, so no age can be told", backup.describe());
        return checks::unknown(NAME, &limit, text);
    }
    let value = humane(age.max(SignedDuration::ZERO));
    match max_age {
        Some(max) if age > max => {
            let text = format!("the newest backup is {}, and that is too old", backup.describe());
            checks::failed(NAME, value, &limit, text)
        }
        _ => checks::passed(NAME, value, &limit, format!("the newest backup is {}", backup.describe())),
    }
}

pub(crate) async fn run(
    repository: &Repository,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    directory: &Path,
    limit: Duration,
) -> Result<String, AgentError> {
    let mut environment = environment;
    if let Some(password) = &repository.password {
        environment.push(("RESTIC_PASSWORD", password.expose_secret().into()));
    }
    command::run(Invocation {
        program: &repository.program,
        arguments,
        environment,
        directory,
        owner: files::owner_to_act_as(directory)?,
        limit,
        secrets: repository.password.iter().collect(),
    })
    .await
}
