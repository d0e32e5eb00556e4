//! Where a copy lives, and what is known about it: everything is in one directory that is named after the request.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{DrillError, DrillJob};
use crate::{
    AgentError,
    agent::{command::Owner, files},
};

/// What a Unix socket's path has room for.
const MAX_SOCKET_PATH: usize = 107;
/// Ids are UUIDs; more is not one of ours.
const MAX_REQUEST: usize = 36;
/// The port in the socket's name. Nothing listens on TCP.
pub(super) const PORT: u16 = 5432;
const STATE: &str = "muster-drill.json";
/// What a killed write of the state leaves.
const STATE_UNFINISHED: &str = "muster-drill.json.muster-new";

#[derive(Debug, Clone)]
pub(super) struct Place {
    root: PathBuf,
    pub owner: Owner,
    /// Names the drill's sessions on the standby.
    pub mark: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    Copying,
    Copied,
}

/// Written before the first effect and after each stage: what a successor goes on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub request: String,
    pub resource: String,
    /// "base backup of pg-b"
    pub source: String,
    pub stage: Stage,
    pub begun_at: Timestamp,
    /// Everything committed before is in the copy, whatever is found in it.
    pub holds_until: Option<Timestamp>,
    /// When it answered its first query.
    pub answered_at: Option<Timestamp>,
}

impl Place {
    /// Checks that nothing of production is there, and that what is written there can be read into a command line.
    pub(super) fn of(job: &DrillJob) -> Result<Self, DrillError> {
        let unsafe_place = |why: String| DrillError::Place(why);
        let directory = &job.host.drill_directory;
        let shown = directory.display();
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
        if !directory.is_absolute() || !directory.to_str().is_some_and(plain) {
            return Err(unsafe_place(format!("{shown}: an absolute path of letters, digits and / . _ - is needed")));
        }
        let request = &job.request;
        let is_id = (1..=MAX_REQUEST).contains(&request.len())
            && request.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_id {
            return Err(unsafe_place(format!("'{request}' is not the id of a request")));
        }
        let metadata = fs::symlink_metadata(directory).map_err(|error| {
            unsafe_place(format!("{shown}: {error}; create it, owned by the user the copy runs as"))
        })?;
        if !metadata.is_dir() {
            return Err(unsafe_place(format!("{shown} is not a directory")));
        }
        keep_away(directory, &job.host.data_directories)?;
        let resource: String = Sha256::digest(format!("{request}/{}", job.resource).as_bytes())
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let place = Self {
            root: directory.join(format!("drill-{request}-{resource}")),
            owner: files::owner_to_act_as(directory)?,
            mark: format!("muster_drill_{resource}"),
        };
        let socket = place.root.join(format!(".s.PGSQL.{PORT}"));
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            let text = format!("{} is longer than {MAX_SOCKET_PATH} bytes: shorten drill_directory", socket.display());
            return Err(unsafe_place(text));
        }
        Ok(place)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// `None`: nothing of this drill is here.
    pub(super) fn state(&self, job: &DrillJob) -> Result<Option<State>, DrillError> {
        let Some(text) = files::read(&self.file(STATE))? else { return Ok(None) };
        let state: State = serde_json::from_str(&text)
            .map_err(|error| DrillError::Place(format!("{}: {error}", self.file(STATE).display())))?;
        if state.request != job.request || state.resource != job.resource {
            return Err(DrillError::Place(format!("{} belongs to another drill", self.root.display())));
        }
        Ok(Some(state))
    }

    pub(super) fn write(&self, state: &State) -> Result<(), DrillError> {
        let text = serde_json::to_string_pretty(state).map_err(|error| DrillError::Copy(error.to_string()))?;
        Ok(files::write(&self.file(STATE), &text, self.owner)?)
    }

    /// A new directory with the state in it. An older one was cleared before.
    pub(super) fn create(&self, state: &State) -> Result<(), DrillError> {
        self.make(&self.root)?;
        self.write(state)
    }

    /// For the owner alone.
    pub(super) fn make(&self, directory: &Path) -> Result<(), DrillError> {
        let failed = |error: std::io::Error| AgentError::File { path: directory.to_owned(), why: error.to_string() };
        DirBuilder::new().mode(0o700).create(directory).map_err(failed)?;
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::lchown(directory, Some(self.owner.uid), Some(self.owner.gid)).map_err(failed)?;
        }
        Ok(())
    }

    /// For the owner alone: a server starts on no other directory.
    pub(super) fn restrict(&self, directory: &Path) -> Result<(), DrillError> {
        let failed = |error: std::io::Error| AgentError::File { path: directory.to_owned(), why: error.to_string() };
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        Ok(())
    }

    /// Refuses what is there and does not say that it is this drill's, before anything in it is touched.
    pub(super) fn must_be_ours(&self, job: &DrillJob) -> Result<(), DrillError> {
        let not_ours = |why: &str| {
            let text = format!("{} {why}: look at it and remove it by hand", self.root.display());
            Err(DrillError::Place(text))
        };
        let Ok(metadata) = fs::symlink_metadata(&self.root) else { return Ok(()) };
        // Made by us and not handed over yet: what made it was killed in between, and nothing is in it.
        if metadata.is_dir() && metadata.uid() == nix::unistd::geteuid().as_raw() && self.entries()?.is_empty() {
            return Ok(());
        }
        // A link would lead what is removed to somewhere else.
        if !metadata.is_dir() || metadata.uid() != self.owner.uid {
            return not_ours("is not a directory of the copies' user");
        }
        if self.state(job)?.is_none() && !self.entries()?.iter().all(|path| is_state(path)) {
            return not_ours("does not say that it is a drill's");
        }
        Ok(())
    }

    /// Removes every file of the drill, the state last: a removal that is killed midway is found and finished.
    pub(super) fn clear(&self, job: &DrillJob) -> Result<(), DrillError> {
        self.must_be_ours(job)?;
        if !self.exists() {
            return Ok(());
        }
        let failed =
            |path: &Path, error: std::io::Error| AgentError::File { path: path.to_owned(), why: error.to_string() };
        for path in self.entries()?.iter().filter(|path| !is_state(path)) {
            let is_directory = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
            // Neither follows a link: a link to elsewhere is removed itself.
            let removed = if is_directory { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            removed.map_err(|error| failed(path, error))?;
        }
        files::remove(&self.file(STATE_UNFINISHED))?;
        files::remove(&self.file(STATE))?;
        fs::remove_dir(&self.root).map_err(|error| failed(&self.root, error))?;
        Ok(())
    }

    fn entries(&self) -> Result<Vec<PathBuf>, DrillError> {
        let failed = |error: std::io::Error| AgentError::File { path: self.root.clone(), why: error.to_string() };
        let entries = fs::read_dir(&self.root).map_err(failed)?;
        entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect()
    }

    /// What other drills left in the same directory, killed and never finished.
    pub(super) fn others(&self) -> Vec<String> {
        let directory = self.root.parent().unwrap_or(&self.root);
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let names = entries.filter(|entry| entry.path() != self.root);
        names
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("drill-"))
            .collect()
    }

    pub(super) fn exists(&self) -> bool {
        fs::symlink_metadata(&self.root).is_ok()
    }
}

fn is_state(path: &Path) -> bool {
    path.ends_with(STATE) || path.ends_with(STATE_UNFINISHED)
}

/// No copy in a data directory, and no data directory among the copies.
fn keep_away(directory: &Path, data_directories: &[PathBuf]) -> Result<(), DrillError> {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let here = real(directory);
    for data in data_directories {
        let data = real(data);
        if here.starts_with(&data) || data.starts_with(&here) {
            let text = format!("{} and the data directory {} overlap", here.display(), data.display());
            return Err(DrillError::Place(text));
        }
    }
    Ok(())
}
