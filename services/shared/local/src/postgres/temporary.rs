//! The end of a temporary server, also when our process is killed before it could clean up.

use std::{
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use super::clean_environment;
use crate::{LocalError, Result, account::Account};

/// When its standard input ends, because we closed it or because we are gone: stop, remove.
/// Files are named by arguments, so no path is ever parsed by the shell.
const SCRIPT: &str = r#"read -r _; "$1/pg_ctl" stop -s -w -m immediate -D "$2"; rm -rf "$2""#;

/// A small shell that outlives us by a moment.
#[derive(Debug)]
pub(super) struct Guardian {
    process: Child,
}

impl Guardian {
    pub(super) fn watch(dir: &Path, bin_dir: &Path, account: &Account) -> Result<Self> {
        let mut command = account.command("sh");
        clean_environment(&mut command);
        command.args(["-c", SCRIPT, "sh"]).arg(bin_dir).arg(dir).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Its own process group: a Ctrl-C that ends us must not end it.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(Self { process: command.spawn().map_err(LocalError::io("run", "sh"))? })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        if let Err(error) = self.process.wait() {
            tracing::warn!(%error, "a temporary PostgreSQL may be left");
        }
    }
}

/// A new directory that the server's account owns. The guardian removes it.
pub(super) fn dir() -> Result<PathBuf> {
    let account = Account::for_postgres()?;
    let usual = std::env::temp_dir();
    let base = if account.can_enter(&usual) { usual } else { PathBuf::from("/var/tmp") };
    let dir = tempfile::Builder::new().prefix("pg-").tempdir_in(&base).map_err(LocalError::io("create", base))?;
    account.own(dir.path())?;
    Ok(dir.keep())
}
