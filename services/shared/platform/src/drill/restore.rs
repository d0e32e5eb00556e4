//! The newest backup of a repository as the source. Of pgBackRest: its files, and later the log up to the newest archived
//! segment. Of restic: the base backup that its snapshot holds (see [`restic`]), with the log that is in it.

use std::ffi::OsString;

use super::{CopySource, DrillError, DrillJob, place::Place, restic};
use crate::backup::{self, Backup, BackupTool, Repository, base_arguments};

/// The newest backup, or why a copy cannot be made of it.
pub(super) async fn find(job: &DrillJob, repository: &Repository) -> Result<Backup, DrillError> {
    match repository.tool {
        BackupTool::Pgbackrest => Ok(backup::newest(repository, &job.host.drill_directory).await?),
        BackupTool::Restic => {
            restic::says_where(repository)?;
            let newest = backup::newest(repository, &job.host.drill_directory).await?;
            restic::described(job, repository, newest).await
        }
    }
}

/// Restores exactly the backup that was judged.
pub(super) async fn copy(
    job: &DrillJob,
    place: &Place,
    repository: &Repository,
    backup: &Backup,
) -> Result<(), DrillError> {
    if repository.tool == BackupTool::Restic {
        return restic::copy(job, place, repository, backup).await;
    }
    place.make(&place.data())?;
    let mut arguments = base_arguments(repository);
    arguments.extend(apart(place));
    if let Some(key) = backup.repository_key {
        arguments.push(format!("--repo={key}").into());
    }
    arguments.push(format!("--set={}", backup.label).into());
    arguments.push(format!("--tablespace-map-all={}", place.file("tablespaces").display()).into());
    arguments.push("restore".into());
    backup::run(repository, arguments, Vec::new(), &job.host.drill_directory, job.limits.copy).await?;
    Ok(())
}

/// Where the server fetches more log from: the whole archive, so that the copy holds the newest there is.
pub(super) fn restore_command(place: &Place, source: &CopySource) -> Result<String, DrillError> {
    let repository = match source {
        CopySource::Backup { repository, .. } if repository.tool == BackupTool::Pgbackrest => repository,
        // A base backup brings its log along. A command is needed, and this one has nothing more.
        CopySource::Backup { .. } | CopySource::Standby => return Ok("false".to_owned()),
    };
    let mut words: Vec<OsString> = vec![repository.program.clone().into()];
    words.extend(base_arguments(repository));
    words.extend(apart(place));
    words.push("--no-archive-async".into());
    words.push("archive-get".into());
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    // The server hands it to a shell.
    let plain = |word: &&String| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._=-".contains(&b));
    if let Some(word) = words.iter().find(|word| !plain(word)) {
        return Err(DrillError::Refused(format!("'{word}': use letters, digits and / . _ - = only")));
    }
    Ok(format!("{} %f \"%p\"", words.join(" ")))
}

/// What keeps the tool away from the regular backups of the same machine.
fn apart(place: &Place) -> [OsString; 2] {
    [
        format!("--pg1-path={}", place.data().display()).into(),
        format!("--lock-path={}", place.file("lock").display()).into(),
    ]
}
