//! A MariaDB server: a directory with its configuration and its data, a port, and the daemon on it.
//!
//! ```text
//! <dir>/my.cnf            ours, written at every opening
//! <dir>/muster-fence.cnf  included last: what stands here holds (the fence of a host agent)
//! <dir>/data/             the data directory, and the server's log
//! ```
//! The daemon outlives this process, except for [`MariadbServer::temporary`]. MariaDB refuses to run as root: when we
//! are root, the server runs as an unprivileged user who owns the data.

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
    tools::{self, MariadbPrograms},
};

mod accounts;
mod files;
mod lifecycle;
mod options;
mod replica;
mod temporary;

pub use accounts::{MariadbAccount, MariadbAccounts};
pub use options::MariadbOptions;

const SERVER: &str = "MariaDB";

/// One server on this machine. Dropping it leaves the daemon running, unless it is temporary.
#[derive(Debug)]
pub struct MariadbServer {
    options: MariadbOptions,
    port: u16,
    programs: MariadbPrograms,
    account: Account,
    /// Stops the daemon and removes the directory when this value, or our process, is gone.
    guardian: Option<Guardian>,
}

impl MariadbServer {
    /// Makes the directory with its data, or opens the one that is there. Starts nothing.
    pub async fn init(options: impl Into<MariadbOptions>) -> Result<Self> {
        let server = Self::at(options.into())?;
        if !server.data_dir().join("mysql").is_dir() {
            server.make_data_dir().await?;
        }
        server.write_config()?;
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
        let mut options =
            MariadbOptions::new(&dir).setting("innodb_flush_log_at_trx_commit", "2").setting("sync_binlog", "0");
        options.settings.extend(settings.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let mut server = Self::at(options)?;
        server.guardian = Some(temporary::guard(&dir, &server.data_dir(), &server.account)?);
        server.make_data_dir().await?;
        server.write_config()?;
        server.start().await?;
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Holds the configuration, and the data in a directory of its own.
    pub fn dir(&self) -> &Path {
        &self.options.dir
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir().join(files::DATA)
    }

    pub fn config_file(&self) -> PathBuf {
        self.dir().join(files::CONFIG)
    }

    pub fn fence_file(&self) -> PathBuf {
        self.dir().join(files::FENCE)
    }

    pub fn log_file(&self) -> PathBuf {
        self.data_dir().join(files::LOG)
    }

    /// The directory of the server's program.
    pub fn bin_dir(&self) -> &Path {
        self.programs.mariadbd.parent().unwrap_or(Path::new("/"))
    }

    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!("mysql://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as the superuser over the server's own socket. Rows come back as lines, columns separated by tabs.
    pub async fn sql(&self, sql: &str) -> Result<String> {
        let mut command = Command::new(&self.programs.client);
        clean_environment(&mut command);
        command.args(["--no-defaults", "--batch", "--skip-column-names", "--protocol=socket"]);
        // Relative, because a socket's whole path has only 107 bytes.
        command.args(["--socket", files::SOCKET]).current_dir(self.data_dir());
        // Not as an argument: it can hold a password, and arguments are seen by everybody.
        run_with_input(command, sql).await
    }

    fn at(mut options: MariadbOptions) -> Result<Self> {
        options.dir = std::path::absolute(&options.dir).map_err(LocalError::io("resolve", &options.dir))?;
        let account = Account::for_mariadb()?;
        let programs = tools::mariadb()?;
        if let Some(bin_dir) = programs.mariadbd.parent() {
            account.require_entry(bin_dir)?;
        }
        let port = match options.port {
            Some(port) => port,
            None => files::port(&options.dir).map_or_else(free_port, Ok)?,
        };
        Ok(Self { options, port, programs, account, guardian: None })
    }

    /// The server's program, as the owner of the data.
    fn server_program(&self) -> Command {
        let mut command = self.account.command(&self.programs.mariadbd);
        clean_environment(&mut command);
        command.current_dir(if self.data_dir().is_dir() { self.data_dir() } else { PathBuf::from("/") });
        command
    }

    fn log_tail(&self) -> String {
        log_tail(&self.log_file())
    }
}

/// The caller's MYSQL_HOST, MYSQL_PWD and the like must not reach another server.
#[expect(clippy::disallowed_methods, reason = "no setting of ours: it only keeps settings of others away")]
fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name_bytes = name.as_encoded_bytes();
        if name_bytes.starts_with(b"MYSQL_") || name_bytes.starts_with(b"MARIADB_") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C");
}
