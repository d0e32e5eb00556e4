//! Where a temporary server lives, and how it ends.

use std::path::{Path, PathBuf};

use crate::{LocalError, Result, account::Account, guardian::Guardian};

/// Stop, remove.
const SCRIPT: &str = r#"read -r _; "$1/pg_ctl" stop -s -w -m immediate -D "$2"; rm -rf "$2""#;

pub(super) fn guard(dir: &Path, bin_dir: &Path, account: &Account) -> Result<Guardian> {
    Guardian::watch(account, SCRIPT, &[bin_dir.as_os_str(), dir.as_os_str()])
}

/// A new directory that the server's account owns. The guardian removes it.
pub(crate) fn dir() -> Result<PathBuf> {
    let account = Account::for_postgres()?;
    let usual = std::env::temp_dir();
    let base = if account.can_enter(&usual) { usual } else { PathBuf::from("/var/tmp") };
    let dir = tempfile::Builder::new().prefix("pg-").tempdir_in(&base).map_err(LocalError::io("create", base))?;
    account.own(dir.path())?;
    Ok(dir.keep())
}
