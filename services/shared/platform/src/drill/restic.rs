//! A base backup in restic's newest snapshot: `pg_basebackup` in its plain format, with its log, in one directory.
//!
//! Files that were copied while a server wrote to them are no backup, however many times they are restored: without the
//! server's own `backup_label` the snapshot is refused. So is everything that would lead the copy out of its directory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{DrillError, DrillJob, base_backup, place::Place};
use crate::{
    AgentError,
    backup::{Backup, Repository, restic},
};

const LABEL: &str = "backup_label";
/// Where a server makes links to other directories at its start.
const TABLESPACES: &str = "tablespace_map";
/// A plain base backup of thousands of tables; more is no base backup.
const MAX_ENTRIES: usize = 5_000_000;

/// Before anything is asked of the repository.
pub(super) fn says_where(repository: &Repository) -> Result<(), DrillError> {
    if !repository.path.is_empty() {
        return Ok(());
    }
    let text = "restic: `path` of the repository names the directory of the base backup in its snapshots: add it to the \
                agent's backups";
    Err(DrillError::Refused(text.to_owned()))
}

/// What the snapshot holds, read from the few small files of it that say so.
pub(super) async fn described(job: &DrillJob, repository: &Repository, newest: Backup) -> Result<Backup, DrillError> {
    let directory = &job.host.drill_directory;
    let what = newest.describe();
    let missing = |name: &str, error: &dyn std::fmt::Display| {
        DrillError::Refused(format!(
            "{what} holds no base backup at {}: {name} is not in it ({error}); back up what pg_basebackup wrote in its \
             plain format, and not the files of a running server",
            repository.path
        ))
    };
    let read = async |name: &str| {
        restic::file(repository, &newest.label, name, directory).await.map_err(|error| missing(name, &error))
    };
    let label = read(LABEL).await?;
    let version = read("PG_VERSION").await?;
    let bytes = restic::size(repository, &newest.label, directory).await?;
    let started_at = begun(&label);
    Ok(Backup {
        // A snapshot made today of last month's base backup is a month old.
        as_of: started_at.unwrap_or(newest.as_of),
        started_at,
        bytes: Some(bytes),
        server_version: Some(version.trim().to_owned()),
        // The snapshot does not say whose it is. Production does, when any node of it answers.
        system_identifier: base_backup::system_identifier(job).await,
        ..newest
    })
}

/// When the base backup was begun, by the server's clock: everything committed before is in it. `None`: taken from a standby,
/// which may have been behind, or written in a time zone of which a name alone does not tell the offset.
fn begun(label: &str) -> Option<Timestamp> {
    let field = |name: &str| label.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if field("BACKUP FROM:") != Some("primary") {
        return None;
    }
    let (time, zone) = field("START TIME:")?.rsplit_once(' ')?;
    let time: DateTime = time.parse().ok().filter(|_| ["UTC", "GMT"].contains(&zone))?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

pub(super) async fn copy(
    job: &DrillJob,
    place: &Place,
    repository: &Repository,
    backup: &Backup,
) -> Result<(), DrillError> {
    let restored = place.file("restored");
    place.make(&restored)?;
    restic::restore(repository, &backup.label, &restored, &job.host.drill_directory, job.limits.copy).await?;
    // restic keeps the whole path.
    let inside = restored.join(repository.path.trim_start_matches('/'));
    stays_inside(&inside)?;
    let failed =
        |path: &Path, error: std::io::Error| AgentError::File { path: path.to_owned(), why: error.to_string() };
    fs::rename(&inside, place.data()).map_err(|error| failed(&inside, error))?;
    fs::remove_dir_all(&restored).map_err(|error| failed(&restored, error))?;
    place.restrict(&place.data())?;
    Ok(())
}

/// No link leads out of the copy, and none is made when it starts: what it points to may be production's.
fn stays_inside(data: &Path) -> Result<(), DrillError> {
    let outside = |path: &Path, why: &str| {
        let shown = path.strip_prefix(data).unwrap_or(path).display();
        Err(DrillError::Refused(format!(
            "the base backup is not in one directory: {shown} {why}; make it with pg_basebackup in its plain format, \
             without --waldir, of a system without tablespaces elsewhere"
        )))
    };
    let failed =
        |path: &Path, error: std::io::Error| AgentError::File { path: path.to_owned(), why: error.to_string() };
    let (mut open, mut seen) = (vec![data.to_owned()], 0_usize);
    while let Some(directory) = open.pop() {
        let entries = fs::read_dir(&directory).map_err(|error| failed(&directory, error))?;
        for entry in entries {
            let path: PathBuf = entry.map_err(|error| failed(&directory, error))?.path();
            let kind = fs::symlink_metadata(&path).map_err(|error| failed(&path, error))?.file_type();
            seen += 1;
            if seen > MAX_ENTRIES {
                return outside(&path, &format!("comes after more than {MAX_ENTRIES} files"));
            }
            if kind.is_symlink() {
                return outside(&path, "is a link");
            }
            if kind.is_dir() {
                open.push(path);
            }
        }
    }
    let map = data.join(TABLESPACES);
    if fs::symlink_metadata(&map).is_ok() {
        return outside(&map, "tells of tablespaces elsewhere");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    const LABEL_OF_A_PRIMARY: &str = "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n\
        CHECKPOINT LOCATION: 0/2000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n\
        START TIME: 2026-11-22 11:30:00 UTC\nLABEL: pg_basebackup base backup\nSTART TIMELINE: 1\n";

    #[test]
    fn only_what_is_certain_is_taken_for_the_time_of_the_data() {
        assert_eq!(begun(LABEL_OF_A_PRIMARY).unwrap().to_string(), "2026-11-22T11:30:00Z");
        for doubtful in [
            LABEL_OF_A_PRIMARY.replace("primary", "standby"),
            LABEL_OF_A_PRIMARY.replace("UTC", "CET"),
            LABEL_OF_A_PRIMARY.replace("START TIME", "STOP TIME"),
            LABEL_OF_A_PRIMARY.replace("2026-11-22", "yesterday"),
            String::new(),
        ] {
            assert_eq!(begun(&doubtful), None, "{doubtful}");
        }
    }
}
