//! What can go wrong with a local server, said so that the reader can mend it.

use std::{io, path::PathBuf, time::Duration};

/// Why a local server could not be found, started, stopped or asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("{tool} was not found (looked at: {}). Next: {mend}", searched.join(", "))]
    ToolMissing { tool: &'static str, searched: Vec<String>, mend: &'static str },

    #[error(
        "the server refuses to run as root, and there is no unprivileged user ('postgres' or 'mysql', and 'nobody') to run it as. \
         Next: `useradd --system nobody`, or run as a plain user"
    )]
    NoAccount,

    #[error(
        "{path} cannot be reached by the user '{user}', who has to run the server when we are root. \
         Next: choose a directory below /var/tmp, open the parent directories with `chmod o+x`, or run as a plain user"
    )]
    Unreachable { path: PathBuf, user: String },

    #[error(
        "{path} is not safe to use: it belongs to another user or others can write to it. \
         Next: remove it, or choose another directory"
    )]
    Unsafe { path: PathBuf },

    #[error(
        "the data directory {path} was made by PostgreSQL {found}, but {bin_dir} is version {binaries}. Next: {mend}"
    )]
    DataVersion { path: PathBuf, found: String, bin_dir: PathBuf, binaries: String, mend: &'static str },

    #[error("{server} cannot listen on 127.0.0.1:{port}: {reason}. Next: stop what uses the port, or choose another")]
    PortTaken { server: &'static str, port: u16, reason: String },

    #[error("{server} did not answer within {} s. Its log ends with:\n{log_tail}", waited.as_secs())]
    NotReady { server: &'static str, waited: Duration, log_tail: String },

    #[error("{server} ended while starting. Its log ends with:\n{log_tail}")]
    EndedEarly { server: &'static str, log_tail: String },

    #[error("`{command}` failed ({status}): {output}")]
    Command { command: String, status: String, output: String },

    #[error("could not {doing} {path}: {source}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },

    #[error("could not find a free port on 127.0.0.1: {0}")]
    NoFreePort(#[source] io::Error),
}

impl LocalError {
    /// For `map_err`: an IO error with what was being done to which path.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
