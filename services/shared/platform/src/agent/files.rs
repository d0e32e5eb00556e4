//! Small files in the data directory, written so that a crash leaves the old one or the new one.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{AgentError, StandbySource, command::Owner};
use crate::tls;

/// Makes the next start a standby's.
pub(crate) const STANDBY_SIGNAL: &str = "standby.signal";
/// Read last by the server, so what stands here holds.
pub(crate) const AUTO_CONF: &str = "postgresql.auto.conf";
/// The replication password, out of sight of `SHOW primary_conninfo` and of `pg_settings`.
pub(crate) const PASSFILE: &str = "muster_replication.pgpass";

/// Files beside the `*.conf` ones that belong to the node and not to the cluster.
const NODE_LOCAL: &[&str] = &[PASSFILE, "current_logfiles", "postmaster.opts"];

/// A configuration file larger than this is not one.
const MAX_FILE: u64 = 1 << 20;
/// How much of a log an error carries.
const SHOWN_BYTES: usize = 2_000;

fn owner(path: &Path) -> Result<Owner, AgentError> {
    let metadata = fs::metadata(path).map_err(|e| error(path, &e))?;
    Ok(Owner { uid: metadata.uid(), gid: metadata.gid() })
}

/// The owner of a data directory, as whom every program of its server runs. An error when this process could not: as
/// root it changes user, else it must be the owner itself.
pub(crate) fn owner_to_act_as(directory: &Path) -> Result<Owner, AgentError> {
    let owner = owner(directory)?;
    let me = nix::unistd::geteuid();
    if owner.uid == 0 {
        let text = format!("{} belongs to root, and a database server does not run as root", directory.display());
        return Err(AgentError::Configuration(text));
    }
    if !me.is_root() && me.as_raw() != owner.uid {
        let text = format!(
            "{} belongs to user {} and this process runs as user {me}: run it as that user or as root",
            directory.display(),
            owner.uid
        );
        return Err(AgentError::Configuration(text));
    }
    Ok(owner)
}

/// `None`: there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<String>, AgentError> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(error(path, &e)),
        // As root, following a link the database's user made would read anything for them.
        Ok(metadata) if !metadata.is_file() => return Err(said(path, "not a plain file")),
        Ok(metadata) if metadata.len() > MAX_FILE => return Err(said(path, "larger than a configuration file may be")),
        Ok(_) => {}
    }
    fs::read_to_string(path).map(Some).map_err(|e| error(path, &e))
}

/// Writes, flushes to disk and moves into place. Readable by the owner alone.
pub(crate) fn write(path: &Path, content: &str, owner: Owner) -> Result<(), AgentError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".muster-new");
    let fresh = path.with_file_name(name);
    let _ = fs::remove_file(&fresh);
    let written = (|| {
        // create_new: never through a link somebody placed there.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::fchown(&file, Some(owner.uid), Some(owner.gid))?;
        }
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    })();
    written.map_err(|e| error(path, &e))?;
    sync_directory(path)
}

/// For a server to print into. Never through a link somebody placed there.
pub(super) fn open_log(path: &Path, owner: Owner) -> Result<fs::File, AgentError> {
    let opened = (|| {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
            .open(path)?;
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::fchown(&file, Some(owner.uid), Some(owner.gid))?;
        }
        Ok(file)
    })();
    opened.map_err(|e: std::io::Error| error(path, &e))
}

/// The end of a log: enough for the reason of a failed start.
pub(crate) fn tail(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(SHOWN_BYTES)..]).trim().to_owned()
}

/// Gone afterwards, durably; not being there is fine.
pub(crate) fn remove(path: &Path) -> Result<(), AgentError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(error(path, &e)),
        _ => sync_directory(path),
    }
}

/// Flushes the directory that the path is in.
pub(super) fn sync_directory(path: &Path) -> Result<(), AgentError> {
    let directory = path.parent().unwrap_or(path);
    fs::File::open(directory).and_then(|d| d.sync_all()).map_err(|e| error(directory, &e))
}

/// Every file of the directory that belongs to the node: a rewind would bring the source's, with its
/// port and its name (trap T1).
pub(super) fn node_local(directory: &Path) -> Result<Vec<(PathBuf, String)>, AgentError> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(directory).map_err(|e| error(directory, &e))? {
        let path = entry.map_err(|e| error(directory, &e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_file()
            && (name.ends_with(".conf") || NODE_LOCAL.contains(&name.as_ref()))
            && let Some(content) = read(&path)?
        {
            kept.push((path, content));
        }
    }
    Ok(kept)
}

/// The settings that point a standby at its source. Two empty texts: at nothing.
pub(super) fn standby_settings(connection: &str, slot: &str) -> Vec<(&'static str, String)> {
    vec![("primary_conninfo", connection.to_owned()), ("primary_slot_name", slot.to_owned())]
}

/// libpq's "key=value" form, without the password: that is in the passfile or in the environment. Without `authorities` the
/// source's certificate must come from one that this machine trusts, as for every other connection of Muster.
pub(crate) fn connection_string(
    source: &StandbySource,
    passfile: Option<&Path>,
    authorities: Option<&PathBuf>,
) -> String {
    let mut parts = vec![
        ("host", source.host.clone()),
        ("port", source.port.to_string()),
        ("user", source.login.user.clone()),
        ("application_name", source.application_name.clone()),
        ("sslmode", if source.tls { "verify-full" } else { "disable" }.to_owned()),
    ];
    if let Some(passfile) = passfile {
        parts.push(("passfile", passfile.to_string_lossy().into_owned()));
    }
    if source.tls
        && let Some(file) = authorities.cloned().or_else(tls::authorities_file)
    {
        parts.push(("sslrootcert", file.to_string_lossy().into_owned()));
    }
    let quoted = |value: &str| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
    parts.iter().map(|(key, value)| format!("{key}={}", quoted(value))).collect::<Vec<_>>().join(" ")
}

/// One line of a passfile for the source, with the password in clear: it is written with mode 0600.
pub(super) fn passfile_line(source: &StandbySource, password: &str) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace(':', "\\:");
    format!("{}:{}:*:{}:{}\n", escaped(&source.host), source.port, escaped(&source.login.user), escaped(password))
}

/// The configuration file with these settings and no older line for them.
pub(super) fn with_settings(content: &str, settings: &[(&'static str, String)]) -> String {
    let mut lines: Vec<String> = content
        .lines()
        .filter(|line| setting_name(line).is_none_or(|name| settings.iter().all(|(key, _)| *key != name)))
        .map(str::to_owned)
        .collect();
    for (name, value) in settings {
        lines.push(format!("{name} = '{}'", value.replace('\\', "\\\\").replace('\'', "''")));
    }
    lines.join("\n") + "\n"
}

/// The value of a setting, the last one counts.
pub(super) fn setting(content: &str, name: &str) -> Option<String> {
    let line = content.lines().rev().find(|line| setting_name(line).is_some_and(|found| found == name))?;
    let value = line.trim_start()[name.len()..].trim_start().trim_start_matches('=').trim();
    Some(match value.strip_prefix('\'') {
        Some(quoted) => quoted[..quoted.rfind('\'').unwrap_or(quoted.len())].replace("''", "'").replace("\\\\", "\\"),
        None => value.split('#').next().unwrap_or_default().trim().to_owned(),
    })
}

fn setting_name(line: &str) -> Option<String> {
    let name: String = line.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

pub(super) fn error(path: &Path, error: &std::io::Error) -> AgentError {
    said(path, &error.to_string())
}

fn said(path: &Path, why: &str) -> AgentError {
    AgentError::File { path: path.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_replaced_and_the_others_stay() {
        let before = "# by hand\nport = 5433\nprimary_conninfo = 'host=old user=rewind'\nPrimary_Slot_Name='stale'\n";
        let after = with_settings(
            before,
            &[("primary_conninfo", "host='it''s'".into()), ("primary_slot_name", "muster_a".into())],
        );
        assert_eq!(
            after,
            "# by hand\nport = 5433\nprimary_conninfo = 'host=''it''''s'''\nprimary_slot_name = 'muster_a'\n"
        );
        assert_eq!(setting(&after, "port").as_deref(), Some("5433"));
        assert_eq!(setting(&after, "primary_conninfo").as_deref(), Some("host='it''s'"));
        assert_eq!(setting(&after, "cluster_name"), None);
    }
}
