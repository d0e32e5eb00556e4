//! A PostgreSQL server: a data directory, a port, and the daemon that `pg_ctl` starts on it.
//!
//! The daemon outlives this process, except for [`PostgresServer::temporary`]. When we are root,
//! every program runs as an unprivileged user who owns the files.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    LocalError, Result,
    account::Account,
    free_port,
    guardian::Guardian,
    process::{log_tail, run_with_input},
    tools,
};

mod database;
mod files;
mod lifecycle;
mod options;
mod standby;
pub(crate) mod temporary;

pub use database::TemporaryDatabase;
pub use lifecycle::StopMode;
pub use options::PostgresOptions;

pub(crate) const SERVER: &str = "PostgreSQL";
/// One server on this machine. Dropping it leaves the daemon running, unless it is temporary.
#[derive(Debug)]
pub struct PostgresServer {
    options: PostgresOptions,
    port: u16,
    bin_dir: PathBuf,
    account: Account,
    /// Stops the daemon and removes the data when this value, or our process, is gone.
    guardian: Option<Guardian>,
}

impl PostgresServer {
    /// Makes the data directory, or opens the one that is there. Starts nothing.
    pub async fn init(options: impl Into<PostgresOptions>) -> Result<Self> {
        let server = Self::at(options.into())?;
        if !server.dir().join("PG_VERSION").is_file() {
            server.make_data_dir().await?;
        }
        server.check_version().await?;
        server.write_settings()?;
        Ok(server)
    }

    /// A started server with its own data, removed when this is dropped.
    pub async fn temporary() -> Result<Self> {
        Self::temporary_with(&[]).await
    }

    /// As [`Self::temporary`], with server settings.
    pub async fn temporary_with(settings: &[(&str, &str)]) -> Result<Self> {
        let dir = temporary::dir()?;
        // Nothing here survives the machine, so nothing waits for the disk; SIGKILL loses nothing either way.
        let mut options = PostgresOptions::new(&dir).setting("fsync", "off").setting("max_connections", "200");
        options.settings.extend(settings.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let mut server = Self::at(options)?;
        server.guardian = Some(temporary::guard(&dir, &server.bin_dir, &server.account)?);
        server.make_data_dir().await?;
        server.write_settings()?;
        server.start().await?;
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn dir(&self) -> &Path {
        &self.options.dir
    }

    pub fn superuser(&self) -> &str {
        &self.options.superuser
    }

    /// The directory of the programs that fit this server.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as the superuser in the database `postgres`, through psql. Rows come back as lines,
    /// columns separated by `|`.
    pub async fn sql(&self, sql: &str) -> Result<String> {
        self.sql_in("postgres", sql).await
    }

    /// As [`Self::sql`], in another database.
    pub async fn sql_in(&self, database: &str, sql: &str) -> Result<String> {
        let mut command = self.client_program("psql");
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]);
        // Not as an argument: it can hold a password, and arguments are seen by everybody.
        run_with_input(command, sql).await
    }

    fn at(mut options: PostgresOptions) -> Result<Self> {
        options.dir = std::path::absolute(&options.dir).map_err(LocalError::io("resolve", &options.dir))?;
        let account = Account::for_postgres()?;
        let bin_dir = tools::postgres_bin_dir()?;
        account.require_entry(&bin_dir)?;
        let port = match options.port {
            Some(port) => port,
            None => files::port(&options.dir).map_or_else(free_port, Ok)?,
        };
        Ok(Self { options, port, bin_dir, account, guardian: None })
    }

    /// A program that works on the data directory: as the owner of the data.
    fn server_program(&self, name: &str) -> Command {
        let mut command = self.account.command(self.bin_dir.join(name));
        clean_environment(&mut command);
        command.current_dir(if self.dir().is_dir() { self.dir() } else { Path::new("/") });
        command
    }

    /// A program that connects as the superuser.
    fn client_program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin_dir.join(name));
        clean_environment(&mut command);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", self.superuser()]);
        command
    }

    fn log_file(&self) -> PathBuf {
        self.dir().join(files::LOG)
    }

    fn log_tail(&self) -> String {
        log_tail(&self.log_file())
    }
}

/// The caller's PGHOST, PGOPTIONS and the like must not reach another server, and messages stay English.
#[expect(clippy::disallowed_methods, reason = "no setting of ours: it only keeps settings of others away")]
pub(crate) fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C");
}
