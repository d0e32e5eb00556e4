//! restic: what `snapshots --json` says, and one snapshot's files. A snapshot's time is when it was begun, and says nothing
//! about what a database in it holds. Runs of 0.14; github restic/restic doc/075_scripting.rst.

use std::{ffi::OsString, path::Path, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;

use super::{Backup, BackupError, BackupTool, LIST_LIMIT, Repository, run};

const TOOL: &str = "restic";

pub(super) type Call = (Vec<OsString>, Vec<(&'static str, OsString)>);

/// No lock is taken, and nothing is kept on this machine: the account may be one that can only read. The password goes by
/// the environment, which nobody else can read, and never by the command line.
fn call(repository: &Repository, arguments: &[&str]) -> Call {
    let arguments = arguments.iter().chain(&["--no-lock", "--no-cache"]).map(OsString::from).collect();
    (arguments, vec![("RESTIC_REPOSITORY", repository.repository.clone().into())])
}

pub(super) fn snapshots(repository: &Repository) -> Call {
    let (mut arguments, environment) = call(repository, &["snapshots", "--json"]);
    if !repository.host.is_empty() {
        arguments.extend(["--host".into(), OsString::from(&repository.host)]);
    }
    if !repository.path.is_empty() {
        arguments.extend(["--path".into(), OsString::from(&repository.path)]);
    }
    (arguments, environment)
}

/// What the snapshot's files come to when they are restored.
pub(crate) async fn size(repository: &Repository, label: &str, directory: &Path) -> Result<u64, BackupError> {
    let (arguments, environment) = call(repository, &["stats", "--json", "--mode", "restore-size", label]);
    let said = run(repository, arguments, environment, directory, LIST_LIMIT).await?;
    let stats: Stats = serde_json::from_str(&said)
        .map_err(|error| BackupError::Unreadable { tool: TOOL, why: format!("stats: {error}") })?;
    Ok(stats.total_size)
}

/// One file of the snapshot, below the path that is backed up. An error: it is not in it.
pub(crate) async fn file(
    repository: &Repository,
    label: &str,
    name: &str,
    directory: &Path,
) -> Result<String, BackupError> {
    let path = format!("{}/{name}", repository.path.trim_end_matches('/'));
    let (arguments, environment) = call(repository, &["dump", label, &path]);
    Ok(run(repository, arguments, environment, directory, LIST_LIMIT).await?)
}

/// Restores what is below the path that is backed up, with its whole path below `target`, and reads it again.
pub(crate) async fn restore(
    repository: &Repository,
    label: &str,
    target: &Path,
    directory: &Path,
    limit: Duration,
) -> Result<(), BackupError> {
    let (mut arguments, environment) = call(repository, &["restore", label, "--verify", "--include", &repository.path]);
    arguments.extend(["--target".into(), target.into()]);
    run(repository, arguments, environment, directory, limit).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Stats {
    total_size: u64,
}

#[derive(Deserialize)]
struct Snapshot {
    time: String,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    hostname: String,
    short_id: String,
    #[serde(default)]
    summary: Option<Summary>,
}

/// From 0.17 on.
#[derive(Deserialize)]
struct Summary {
    #[serde(default)]
    total_bytes_processed: Option<u64>,
    #[serde(default)]
    total_files_processed: Option<u64>,
}

pub(super) fn newest(said: &str, repository: &Repository) -> Result<Backup, BackupError> {
    let unreadable = |why: String| BackupError::Unreadable { tool: TOOL, why };
    // Older versions print `null` for an empty repository.
    let listed: Option<Vec<Snapshot>> = serde_json::from_str(said).map_err(|error| unreadable(error.to_string()))?;
    let mut counted = Vec::new();
    for snapshot in listed.unwrap_or_default() {
        // The filters were given; a version that ignores one must not make another host's backup ours.
        let of_host = repository.host.is_empty() || snapshot.hostname == repository.host;
        let of_path = repository.path.is_empty() || snapshot.paths.contains(&repository.path);
        let empty = snapshot.summary.as_ref().and_then(|summary| summary.total_files_processed) == Some(0);
        if of_host && of_path && !empty {
            let time: Timestamp = snapshot.time.parse().map_err(|error| unreadable(format!("{error}")))?;
            counted.push((time, snapshot));
        }
    }
    let newest = counted.into_iter().max_by_key(|(time, _)| *time);
    let (time, snapshot) =
        newest.ok_or_else(|| BackupError::None { what: repository.repository.clone(), why: String::new() })?;
    Ok(Backup {
        tool: BackupTool::Restic,
        label: snapshot.short_id,
        started_at: None,
        as_of: time,
        bytes: snapshot.summary.and_then(|summary| summary.total_bytes_processed),
        repository_key: None,
        system_identifier: None,
        server_version: None,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn repository(host: &str, path: &str) -> Repository {
        Repository {
            tool: BackupTool::Restic,
            program: "/usr/bin/restic".into(),
            config_file: None,
            stanza: String::new(),
            repository: "/srv/restic".into(),
            password: None,
            host: host.into(),
            path: path.into(),
        }
    }

    const LISTED: &str = r#"[
        {"time":"2026-11-21T17:00:00.123456789Z","paths":["/srv/dump"],"hostname":"db1","short_id":"aaaa"},
        {"time":"2026-11-21T19:30:00+01:00","paths":["/srv/dump"],"hostname":"db1","short_id":"bbbb"},
        {"time":"2026-11-21T20:00:00Z","paths":["/etc"],"hostname":"db1","short_id":"cccc"},
        {"time":"2026-11-21T21:00:00Z","paths":["/srv/dump"],"hostname":"other","short_id":"dddd"},
        {"time":"2026-11-21T22:00:00Z","paths":["/srv/dump"],"hostname":"db1","short_id":"eeee","summary":{"total_files_processed":0}}
    ]"#;

    #[test]
    fn another_hosts_another_paths_and_empty_snapshots_do_not_count() {
        assert_eq!(newest(LISTED, &repository("db1", "/srv/dump")).unwrap().label, "bbbb");
        assert_eq!(newest(LISTED, &repository("", "")).unwrap().label, "dddd");
        for empty in ["[]", "null"] {
            assert!(matches!(newest(empty, &repository("", "")), Err(BackupError::None { .. })));
        }
        assert!(matches!(newest(LISTED, &repository("db9", "")), Err(BackupError::None { .. })));
        assert!(matches!(newest("Fatal: wrong password", &repository("", "")), Err(BackupError::Unreadable { .. })));
    }
}
