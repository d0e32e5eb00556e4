//! A PostgreSQL server: a data directory, a port, and the daemon that `pg_ctl` starts on it.
//!
//! The daemon outlives this process, except for [`PostgresServer::temporary`]. When we are root,
//! every program runs as an unprivileged user who owns the files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    LocalError, Result,
    account::Account,
    free_port,
    port::{PORT_ATTEMPTS, check_free},
    process::{children, is_alive, is_alive_as, is_zombie, log_tail, run, signal, wait_until},
    tools,
};

mod files;
mod standby;
mod temporary;

use temporary::Guardian;

const SERVER: &str = "PostgreSQL";
/// Crash recovery of a large cluster takes a while; longer means that it is stuck.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// A killed process is gone at once, unless the disk holds it.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How to make or open one data directory.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    pub dir: PathBuf,
    /// `None`: the port it had the last time, if that is free, else a free one.
    pub port: Option<u16>,
    /// The name of the bootstrap superuser.
    pub superuser: String,
    /// Server settings; they win over the defaults here.
    pub settings: Vec<(String, String)>,
    /// Lines of `pg_hba.conf`. The default lets everybody on this machine in without a password.
    pub hba: Vec<String>,
}

impl PostgresOptions {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            port: None,
            superuser: "postgres".into(),
            settings: Vec::new(),
            hba: vec!["host all all 127.0.0.1/32 trust".into(), "host replication all 127.0.0.1/32 trust".into()],
        }
    }

    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Adds a server setting, as in `postgresql.conf` but without quotes.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

impl<P: Into<PathBuf>> From<P> for PostgresOptions {
    fn from(dir: P) -> Self {
        Self::new(dir)
    }
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends sessions and writes a checkpoint.
    Fast,
    /// Ends at once; the next start recovers as after a crash.
    Immediate,
}

/// One server on this machine. Dropping it leaves the daemon running, unless it is temporary.
#[derive(Debug)]
pub struct PostgresServer {
    options: PostgresOptions,
    port: u16,
    bin_dir: PathBuf,
    account: Account,
    /// Stops the daemon and removes the data when this value, or our process, is gone.
    _guardian: Option<Guardian>,
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
        server._guardian = Some(Guardian::watch(&dir, &server.bin_dir, &server.account)?);
        server.make_data_dir().await?;
        server.write_settings()?;
        server.start().await?;
        Ok(server)
    }

    /// Starts the daemon and waits until it answers. Does nothing when it runs.
    pub async fn start(&mut self) -> Result<()> {
        if self.is_running() {
            return self.wait_ready().await;
        }
        self.remove_stale_pid_file()?;
        let mut outcome = Ok(());
        for _ in 0..PORT_ATTEMPTS {
            outcome = self.launch().await;
            let another_port_may_do = self.options.port.is_none();
            if !(another_port_may_do && matches!(outcome, Err(LocalError::PortTaken { .. }))) {
                break;
            }
            self.port = free_port()?;
            self.write_settings()?;
        }
        outcome
    }

    /// Stops the daemon and waits for its end. Stopping twice is no error.
    pub async fn stop(&mut self, mode: StopMode) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        let mode = match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        };
        let limit = STOP_LIMIT.as_secs().to_string();
        let mut command = self.server_program("pg_ctl");
        command.args(["stop", "-s", "-w", "-t", &limit, "-m", mode, "-D"]).arg(self.dir());
        run(command).await.map(drop)
    }

    /// SIGKILL to the postmaster and all its children, as a crash would. Returns when they are gone.
    pub async fn kill(&mut self) -> Result<()> {
        let Some(postmaster) = self.running_pid() else { return Ok(()) };
        signal(postmaster, Signal::SIGSTOP); // so that it starts no further child
        let mut processes = children(postmaster);
        processes.push(postmaster);
        for &pid in &processes {
            signal(pid, Signal::SIGKILL);
        }
        if wait_until(KILL_LIMIT, || !processes.iter().any(|&pid| is_alive(pid))).await {
            return Ok(());
        }
        Err(LocalError::NotReady { server: SERVER, waited: KILL_LIMIT, log_tail: self.log_tail() })
    }

    /// Whether the postmaster is there. It may be recovering and not answer yet.
    pub fn is_running(&self) -> bool {
        self.running_pid().is_some()
    }

    /// Process id of the postmaster, when it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running_pid().map(i32::cast_unsigned)
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
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
        run(command).await
    }

    fn at(options: PostgresOptions) -> Result<Self> {
        let account = Account::for_postgres()?;
        let bin_dir = tools::postgres_bin_dir()?;
        account.require_entry(&bin_dir)?;
        let port = match options.port {
            Some(port) => port,
            None => files::port(&options.dir).map_or_else(free_port, Ok)?,
        };
        Ok(Self { options, port, bin_dir, account, _guardian: None })
    }

    async fn launch(&mut self) -> Result<()> {
        check_free(SERVER, self.port)?;
        let limit = START_LIMIT.as_secs().to_string();
        let mut command = self.server_program("pg_ctl");
        command.args(["start", "-s", "-w", "-t", &limit, "-D"]).arg(self.dir()).arg("-l").arg(self.log_file());
        match run(command).await {
            Ok(_) => self.wait_ready().await,
            Err(_) if self.log_tail().contains("could not create any TCP/IP sockets") => {
                Err(LocalError::PortTaken { server: SERVER, port: self.port, reason: "another program took it".into() })
            }
            Err(_) => Err(LocalError::EndedEarly { server: SERVER, log_tail: self.log_tail() }),
        }
    }

    async fn wait_ready(&self) -> Result<()> {
        let ask = async {
            loop {
                let mut command = self.client_program("pg_isready");
                command.arg("-q");
                if run(command).await.is_ok() {
                    return;
                }
                tokio::time::sleep(crate::process::POLL).await;
            }
        };
        let waited = START_LIMIT;
        tokio::time::timeout(waited, ask).await.map_err(|_| LocalError::NotReady {
            server: SERVER,
            waited,
            log_tail: self.log_tail(),
        })
    }

    /// The pid in `postmaster.pid`, when that process is a live PostgreSQL.
    fn running_pid(&self) -> Option<i32> {
        files::postmaster_pid(self.dir()).filter(|&pid| is_alive_as(pid, "postgres"))
    }

    /// In a container whose first process reaps nobody a killed postmaster stays a zombie, and
    /// PostgreSQL takes its old pid file for a running server.
    fn remove_stale_pid_file(&self) -> Result<()> {
        match files::postmaster_pid(self.dir()) {
            Some(pid) if is_zombie(pid) => {
                let file = self.dir().join("postmaster.pid");
                fs::remove_file(&file).map_err(LocalError::io("remove", file))
            }
            _ => Ok(()),
        }
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
fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C");
}
