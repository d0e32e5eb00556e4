//! The files of a server's directory.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::RedisServer;
use crate::{LocalError, Result};

pub(super) const DATA: &str = "data";
pub(super) const CONFIG: &str = "redis.conf";
pub(super) const FENCE: &str = "muster-fence.conf";
/// These two are inside the data directory.
pub(super) const LOG: &str = "muster-server.log";
pub(super) const PID_FILE: &str = "redis.pid";

/// Redis does not start when an included file is missing.
const NO_FENCE: &str = "# A fence is written here when this server must not accept writes.\n";

impl RedisServer {
    /// Makes what is not there yet. A configuration that is there knows the server's role, and stays.
    pub(super) fn make_files(&self) -> Result<()> {
        let (dir, data) = (self.dir().to_owned(), self.data_dir());
        fs::create_dir_all(&data).map_err(LocalError::io("create", &data))?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).map_err(LocalError::io("open", &dir))?;
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).map_err(LocalError::io("restrict", &data))?;
        self.account.own(&dir)?;
        self.account.own(&data)?;
        self.account.require_entry(&data)?;
        if !self.fence_file().is_file() {
            self.write(&self.fence_file(), NO_FENCE)?;
        }
        if port(self.dir()) == Some(self.port) {
            return Ok(());
        }
        self.write_config()
    }

    pub(super) fn write_config(&self) -> Result<()> {
        let data = self.data_dir();
        let mut text = format!(
            "include {}\nport {}\nbind 127.0.0.1\ndir {}\npidfile {}\nlogfile {}\n",
            self.fence_file().display(),
            self.port,
            data.display(),
            data.join(PID_FILE).display(),
            data.join(LOG).display(),
        );
        // What a server needs to be one of a pair whose roles change often.
        text.push_str("repl-diskless-sync yes\nrepl-diskless-sync-delay 0\nrepl-backlog-size 16mb\n");
        text.push_str(if self.options.persistent { "appendonly yes\n" } else { "save \"\"\n" });
        text.push_str(&self.options.accounts.lines());
        if let Some(primary) = self.options.follows {
            text.push_str(&format!("replicaof 127.0.0.1 {primary}\n"));
        }
        for (name, value) in &self.options.settings {
            text.push_str(&format!("{name} {value}\n"));
        }
        self.write(&self.config_file(), &text)
    }

    /// It holds passwords.
    fn write(&self, path: &Path, text: &str) -> Result<()> {
        fs::write(path, text).map_err(LocalError::io("write", path))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(LocalError::io("restrict", path))?;
        self.account.own(path)
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.data_dir().join(PID_FILE)
    }
}

/// The port the server had the last time.
pub(super) fn port(dir: &Path) -> Option<u16> {
    let settings = fs::read_to_string(dir.join(CONFIG)).ok()?;
    settings.lines().find_map(|line| line.strip_prefix("port "))?.trim().parse().ok()
}
