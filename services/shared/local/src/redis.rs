//! A Redis server: a directory with its configuration and its data, a port, and the process on it.
//!
//! ```text
//! <dir>/redis.conf         made once; the server itself rewrites it when its role changes
//! <dir>/muster-fence.conf  included first (the fence of a host agent)
//! <dir>/data/              the data directory, and the server's log
//! ```
//! The server outlives this process, except for [`RedisServer::temporary`]. When we are root it runs as an unprivileged
//! user who owns the files.

use std::path::{Path, PathBuf};

use crate::{LocalError, Result, account::Account, free_port, guardian::Guardian, process::log_tail, temporary, tools};

mod accounts;
mod files;
mod lifecycle;

pub use accounts::{RedisAccount, RedisAccounts};

const SERVER: &str = "Redis";

/// How to make or open one server's directory.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    pub dir: PathBuf,
    /// `None`: the port it had the last time, else a free one.
    pub port: Option<u16>,
    pub accounts: RedisAccounts,
    /// The port of the primary to follow, at the first start. Later the server's own configuration says so.
    pub follows: Option<u16>,
    /// Keeps its data over a restart. Without, a server that starts is empty.
    pub persistent: bool,
    /// Further lines of the configuration, at the first start.
    pub settings: Vec<(String, String)>,
}

impl RedisOptions {
    pub fn new(dir: impl Into<PathBuf>, accounts: RedisAccounts) -> Self {
        Self { dir: dir.into(), port: None, accounts, follows: None, persistent: true, settings: Vec::new() }
    }

    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    #[must_use]
    pub fn follows(self, primary: u16) -> Self {
        Self { follows: Some(primary), ..self }
    }

    /// Adds a line to the configuration.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

/// One server on this machine. Dropping it leaves the process running, unless it is temporary.
#[derive(Debug)]
pub struct RedisServer {
    options: RedisOptions,
    port: u16,
    program: PathBuf,
    account: Account,
    /// Ends the process and removes the directory when this value, or our process, is gone.
    #[expect(dead_code, reason = "held for what happens when it is dropped")]
    guardian: Option<Guardian>,
}

impl RedisServer {
    /// Makes the directory, or opens the one that is there. Starts nothing.
    pub fn init(options: RedisOptions) -> Result<Self> {
        let server = Self::at(options, None)?;
        server.make_files()?;
        Ok(server)
    }

    /// A started server without persistence, removed when this is dropped. `follows`: the primary's port.
    pub async fn temporary(accounts: &RedisAccounts, follows: Option<u16>) -> Result<Self> {
        Self::temporary_with(accounts, follows, &[]).await
    }

    /// As [`Self::temporary`], with further lines of the configuration.
    pub async fn temporary_with(
        accounts: &RedisAccounts,
        follows: Option<u16>,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let account = Account::for_redis()?;
        let dir = temporary::dir("rd-", &account)?;
        let mut options = RedisOptions::new(&dir, accounts.clone());
        (options.persistent, options.follows) = (false, follows);
        options.settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let guardian = temporary::guard(&dir, &dir.join(files::DATA), files::PID_FILE, &account)?;
        let mut server = Self::at(options, Some(guardian))?;
        server.make_files()?;
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

    /// The directory of the server's program.
    pub fn bin_dir(&self) -> &Path {
        self.program.parent().unwrap_or(Path::new("/"))
    }

    pub fn accounts(&self) -> &RedisAccounts {
        &self.options.accounts
    }

    fn at(mut options: RedisOptions, guardian: Option<Guardian>) -> Result<Self> {
        options.dir = std::path::absolute(&options.dir).map_err(LocalError::io("resolve", &options.dir))?;
        let account = Account::for_redis()?;
        let program = tools::redis_server()?;
        account.require_entry(program.parent().unwrap_or(Path::new("/")))?;
        let port = match options.port {
            Some(port) => port,
            None => files::port(&options.dir).map_or_else(free_port, Ok)?,
        };
        Ok(Self { options, port, program, account, guardian })
    }

    fn log_tail(&self) -> String {
        log_tail(&self.data_dir().join(files::LOG))
    }
}
