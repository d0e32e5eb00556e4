//! Where a temporary server that is one process lives, and how it ends.

use std::path::{Path, PathBuf};

use crate::{LocalError, Result, account::Account, guardian::Guardian};

/// End the server, remove its directory. The process must work in the data directory: the pid of one that has ended
/// can be another's.
const SCRIPT: &str = r#"read -r _
pid=$(cat "$2/$3" 2>/dev/null)
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$2" ]; then
  kill -9 "$pid"
  while [ "$(readlink "/proc/$pid/cwd")" = "$2" ]; do sleep 0.02; done
fi
rm -rf "$1""#;

/// `pid_file` is inside the data directory.
pub(crate) fn guard(dir: &Path, data_dir: &Path, pid_file: &str, account: &Account) -> Result<Guardian> {
    Guardian::watch(account, SCRIPT, &[dir.as_os_str(), data_dir.as_os_str(), pid_file.as_ref()])
}

/// A new directory that the server's account owns. The guardian removes it.
pub(crate) fn dir(prefix: &str, account: &Account) -> Result<PathBuf> {
    let usual = std::env::temp_dir();
    let base = if account.can_enter(&usual) { usual } else { PathBuf::from("/var/tmp") };
    let dir = tempfile::Builder::new().prefix(prefix).tempdir_in(&base).map_err(LocalError::io("create", base))?;
    account.own(dir.path())?;
    // Real, so that it compares equal with what /proc shows.
    std::fs::canonicalize(dir.keep()).map_err(LocalError::io("resolve", "the temporary directory"))
}
