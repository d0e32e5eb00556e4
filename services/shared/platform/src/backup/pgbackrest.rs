//! pgBackRest: what `info --output=json` says. Source: github pgbackrest/pgbackrest src/command/info; runs of 2.45.

use std::ffi::OsString;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Backup, BackupError, BackupTool, Repository};

const TOOL: &str = "pgbackrest";

/// Which repository and stanza, for every command. Nothing is logged to files: those belong to the regular backups.
pub(crate) fn base_arguments(repository: &Repository) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    if let Some(file) = &repository.config_file {
        arguments.push(format!("--config={}", file.display()).into());
    }
    arguments.push(format!("--stanza={}", repository.stanza).into());
    arguments.push("--log-level-file=off".into());
    arguments.push("--log-level-console=error".into());
    arguments
}

pub(super) fn info_arguments(repository: &Repository) -> Vec<OsString> {
    let mut arguments = base_arguments(repository);
    arguments.extend(["--output=json", "info"].map(OsString::from));
    arguments
}

#[derive(Deserialize)]
struct Stanza {
    name: String,
    status: Status,
    #[serde(default)]
    db: Vec<Database>,
    #[serde(default)]
    backup: Vec<Listed>,
}

#[derive(Deserialize)]
struct Status {
    code: i64,
    message: String,
}

#[derive(Deserialize)]
struct Database {
    id: u64,
    #[serde(rename = "repo-key")]
    repo_key: Option<u32>,
    #[serde(rename = "system-id")]
    system_id: serde_json::Number,
    version: String,
}

#[derive(Deserialize)]
struct Listed {
    label: String,
    #[serde(default)]
    error: Option<bool>,
    timestamp: Times,
    database: Of,
    #[serde(default)]
    info: Option<Info>,
}

#[derive(Deserialize)]
struct Times {
    start: i64,
    stop: i64,
}

#[derive(Deserialize)]
struct Of {
    id: u64,
    #[serde(rename = "repo-key")]
    repo_key: Option<u32>,
}

#[derive(Deserialize)]
struct Info {
    size: Option<u64>,
}

pub(super) fn newest(said: &str, stanza: &str) -> Result<Backup, BackupError> {
    let unreadable = |why: String| BackupError::Unreadable { tool: TOOL, why };
    let stanzas: Vec<Stanza> = serde_json::from_str(said).map_err(|error| unreadable(error.to_string()))?;
    let none = |why: &str| BackupError::None { what: stanza.to_owned(), why: why.to_owned() };
    let found = stanzas.into_iter().find(|found| found.name == stanza).ok_or_else(|| none(": no such stanza"))?;
    match found.status.code {
        0 => {}
        // 2: no valid backups.
        2 => return Err(none("")),
        // 4: different across repositories. Those that are good are listed; 99 and the rest say that something is not known.
        4 => {}
        code => {
            let said = format!("{} (status {code})", found.status.message);
            return Err(BackupError::Repository { tool: TOOL, what: stanza.to_owned(), said });
        }
    }
    // `error` is present only in newer versions: absent means that nothing was found wrong.
    let counted = found.backup.iter().filter(|backup| backup.error != Some(true));
    let newest = counted.max_by_key(|backup| backup.timestamp.stop).ok_or_else(|| {
        let why = if found.backup.is_empty() { "" } else { ": each one has damaged pages" };
        none(why)
    })?;
    let database = found.db.iter().find(|db| db.id == newest.database.id && db.repo_key == newest.database.repo_key);
    let time = |seconds: i64| Timestamp::from_second(seconds).map_err(|error| unreadable(error.to_string()));
    Ok(Backup {
        tool: BackupTool::Pgbackrest,
        label: newest.label.clone(),
        started_at: Some(time(newest.timestamp.start)?),
        as_of: time(newest.timestamp.stop)?,
        bytes: newest.info.as_ref().and_then(|info| info.size),
        repository_key: newest.database.repo_key,
        system_identifier: database.map(|db| db.system_id.to_string()),
        server_version: database.map(|db| db.version.clone()),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn info(status: &str, backups: &str) -> String {
        format!(
            r#"[{{"name":"orders","status":{status},"db":[{{"id":1,"repo-key":1,"system-id":7482910383728192911,"version":"15"}}],"backup":[{backups}]}}]"#
        )
    }

    fn backup(label: &str, stop: i64, error: &str) -> String {
        let start = stop - 10;
        format!(
            r#"{{"label":"{label}","error":{error},"timestamp":{{"start":{start},"stop":{stop}}},"database":{{"id":1,"repo-key":1}},"info":{{"size":123}}}}"#
        )
    }

    const GOOD: &str = r#"{"code":0,"message":"ok","lock":{"backup":{"held":false}}}"#;

    #[test]
    fn the_newest_backup_without_damaged_pages_counts() {
        let listed = [backup("A", 100, "false"), backup("B", 300, "false"), backup("C", 400, "true")].join(",");
        let found = newest(&info(GOOD, &listed), "orders").unwrap();
        assert_eq!((found.label.as_str(), found.as_of.as_second(), found.bytes), ("B", 300, Some(123)));
        assert_eq!(found.system_identifier.as_deref(), Some("7482910383728192911"));
        assert_eq!(found.server_version.as_deref(), Some("15"));
    }

    #[test]
    fn an_exit_code_of_zero_is_not_believed() {
        let missing = r#"{"code":1,"message":"missing stanza path"}"#;
        assert!(matches!(newest(&info(missing, ""), "orders"), Err(BackupError::Repository { .. })));
        let other = r#"{"code":99,"message":"other"}"#;
        assert!(matches!(
            newest(&info(other, &backup("A", 100, "false")), "orders"),
            Err(BackupError::Repository { .. })
        ));
        for (status, backups, stanza) in [
            (r#"{"code":2,"message":"no valid backups"}"#, String::new(), "orders"),
            (GOOD, backup("A", 100, "true"), "orders"),
            (GOOD, backup("A", 100, "false"), "billing"),
        ] {
            assert!(
                matches!(newest(&info(status, &backups), stanza), Err(BackupError::None { .. })),
                "{status} {stanza}"
            );
        }
        assert!(matches!(newest("[", "orders"), Err(BackupError::Unreadable { .. })));
    }
}
