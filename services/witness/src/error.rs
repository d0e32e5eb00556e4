//! Why a witness does not start.

use std::{io, path::PathBuf};

use muster_runtime::serve::ServeError;
use muster_tlog::key::KeyError;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "witness.name '{0}' cannot be the name of a witness. Next: use a host name that its operator owns, without blanks or '+'"
    )]
    Name(String),
    #[error("witness.logs: '{key}' is no public key of a log: {problem}. Next: copy it from `muster audit log`")]
    Log { key: String, problem: String },
    #[error("{path}: {problem}. Next: make the path readable and writable for this process alone")]
    File { path: PathBuf, problem: io::Error },
    #[error(
        "the state {state} is gone, and the key {key} is there: a witness that forgot what it cosigned would cosign another history. \
         Next: put the newest state back; if it is lost, retire this witness: move the key away too, and give its new public key to the logs"
    )]
    Forgot { state: PathBuf, key: PathBuf },
    #[error(
        "the key {key} is gone, and the state {state} knows {logs} logs. Next: put the key back, or move the state away too and \
         give the new public key to the logs"
    )]
    KeyGone { state: PathBuf, key: PathBuf, logs: usize },
    #[error(
        "line {line} of the state {state} is not as it was written. Next: put the newest copy back, or retire this witness: \
         move state and key away, and give its new public key to the logs"
    )]
    Damaged { state: PathBuf, line: usize },
    #[error("the key {path} cannot be used: {problem}. Next: put the right file back")]
    Key { path: PathBuf, problem: KeyError },
    #[error("the key {path} is of the witness '{found}', and witness.name is '{wanted}'. Next: correct witness.name")]
    OtherName { path: PathBuf, found: String, wanted: String },
    #[error(
        "the state {0} is in use by another process. Next: stop that witness first; two with one key would contradict each other"
    )]
    InUse(PathBuf),
    #[error("no random numbers: the operating system gave none")]
    Random,
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl StartError {
    pub(crate) fn file(path: &std::path::Path) -> impl Fn(io::Error) -> Self + '_ {
        move |problem| Self::File { path: path.to_owned(), problem }
    }
}
