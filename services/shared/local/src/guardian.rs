//! The end of temporary servers, also when our process is killed before it could clean up.

use std::{
    ffi::OsStr,
    process::{Child, Stdio},
};

use crate::{LocalError, Result, account::Account, postgres::clean_environment};

/// A small shell that outlives us by a moment.
#[derive(Debug)]
pub(crate) struct Guardian {
    process: Child,
}

impl Guardian {
    /// Runs the script when its standard input ends, because we closed it or because we are gone: it begins with
    /// `read -r _;`. Files are named by arguments, so no path is ever parsed by the shell.
    pub(crate) fn watch(account: &Account, script: &str, arguments: &[&OsStr]) -> Result<Self> {
        let mut command = account.command("sh");
        clean_environment(&mut command);
        command.args(["-c", script, "sh"]).args(arguments).current_dir("/");
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
            tracing::warn!(%error, "a temporary server may be left");
        }
    }
}
