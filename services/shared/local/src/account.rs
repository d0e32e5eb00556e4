//! The unprivileged user that runs a database server when we are root, because PostgreSQL and MariaDB refuse to be root.

use std::{os::unix::fs::chown, path::Path, process::Command};

use nix::unistd::{Uid, User};

use crate::{LocalError, Result};

/// Tried in this order: the package's own user first, then the one every system has.
const FOR_POSTGRES: [&str; 2] = ["postgres", "nobody"];
const FOR_MARIADB: [&str; 2] = ["mysql", "nobody"];
const FOR_REDIS: [&str; 2] = ["redis", "nobody"];

/// Who runs a server's programs and owns its files.
#[derive(Debug, Clone)]
pub(crate) enum Account {
    /// We are a plain user: everything runs as us.
    Ourselves,
    /// We are root: everything runs as this user.
    Other { name: String, uid: u32, gid: u32 },
}

impl Account {
    pub(crate) fn for_postgres() -> Result<Self> {
        Self::first_of(&FOR_POSTGRES)
    }

    pub(crate) fn for_mariadb() -> Result<Self> {
        Self::first_of(&FOR_MARIADB)
    }

    /// Redis would run as root; nothing says that it should.
    pub(crate) fn for_redis() -> Result<Self> {
        Self::first_of(&FOR_REDIS)
    }

    fn first_of(candidates: &[&str]) -> Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self::Ourselves);
        }
        candidates
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self::Other { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() })
            .ok_or(LocalError::NoAccount)
    }

    /// A command that will run as this account.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Self::Other { uid, gid, .. } = self {
            use std::os::unix::process::CommandExt;
            // Setting the uid as root also drops root's supplementary groups.
            command.uid(*uid).gid(*gid);
        }
        command
    }

    /// Gives a file or directory to this account.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid, .. } => {
                chown(path, Some(*uid), Some(*gid)).map_err(LocalError::io("change the owner of", path))
            }
        }
    }

    /// Whether this account can enter the directory (every parent included).
    pub(crate) fn can_enter(&self, dir: &Path) -> bool {
        match self {
            Self::Ourselves => true,
            Self::Other { .. } => {
                self.command("test").arg("-x").arg(dir).current_dir("/").status().is_ok_and(|status| status.success())
            }
        }
    }

    pub(crate) fn require_entry(&self, dir: &Path) -> Result<()> {
        match self {
            Self::Other { name, .. } if !self.can_enter(dir) => {
                Err(LocalError::Unreachable { path: dir.to_owned(), user: name.clone() })
            }
            _ => Ok(()),
        }
    }
}
