//! A streaming standby, made from a running primary.

use std::fs;

use super::{PostgresOptions, PostgresServer, files, temporary};
use crate::{LocalError, Result, process::run};

impl PostgresServer {
    /// Copies a running primary into a new data directory that will stream from it through the new
    /// replication slot `slot`, which is also the standby's `application_name`. Starts nothing.
    pub async fn base_backup_from(primary: &Self, options: impl Into<PostgresOptions>, slot: &str) -> Result<Self> {
        let standby = Self::at(options.into())?;
        standby.copy_from(primary, slot).await?;
        Ok(standby)
    }

    /// As [`Self::base_backup_from`], started, and removed when it is dropped.
    pub async fn temporary_standby(primary: &Self, slot: &str) -> Result<Self> {
        let dir = temporary::dir()?;
        let mut options = PostgresOptions::new(&dir);
        options.settings.clone_from(&primary.options.settings);
        let mut standby = Self::at(options)?;
        standby.guardian = Some(temporary::guard(&dir, &standby.bin_dir, &standby.account)?);
        standby.copy_from(primary, slot).await?;
        standby.start().await?;
        Ok(standby)
    }

    /// Puts a copy of a running primary in the place of what this stopped server has. Its address stays. Starts nothing.
    pub async fn replace_with_copy_of(&mut self, primary: &Self, slot: &str) -> Result<()> {
        let dir = self.dir();
        for entry in fs::read_dir(dir).map_err(LocalError::io("read", dir))?.flatten() {
            let path = entry.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(LocalError::io("remove", &path))?;
        }
        self.copy_from(primary, slot).await
    }

    async fn copy_from(&self, primary: &Self, slot: &str) -> Result<()> {
        self.claim_dir()?;
        let connection =
            format!("host=127.0.0.1 port={} user={} application_name={slot}", primary.port, primary.superuser());
        let mut command = self.server_program("pg_basebackup");
        command.args(["-d", &connection, "-R", "-X", "stream", "-C", "-S", slot, "-c", "fast", "-D"]).arg(self.dir());
        if self.guardian.is_some() {
            command.arg("--no-sync");
        }
        run(command).await?;
        let copied_log = self.dir().join(files::LOG);
        if copied_log.exists() {
            fs::remove_file(&copied_log).map_err(LocalError::io("remove", copied_log))?;
        }
        self.write_settings()
    }
}
