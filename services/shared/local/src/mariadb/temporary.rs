//! Where a temporary server lives, and how it ends.

use std::path::{Path, PathBuf};

use super::files;
use crate::{Result, account::Account, guardian::Guardian, temporary};

pub(super) fn guard(dir: &Path, data_dir: &Path, account: &Account) -> Result<Guardian> {
    temporary::guard(dir, data_dir, files::PID_FILE, account)
}

/// A new directory that the server's account owns. The guardian removes it.
pub(super) fn dir() -> Result<PathBuf> {
    temporary::dir("my-", &Account::for_mariadb()?)
}
