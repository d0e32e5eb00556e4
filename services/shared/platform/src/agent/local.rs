//! The agent for a server on this machine: runs the binaries of one directory on one data directory.

use std::{
    ffi::OsString,
    path::PathBuf,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{
    AgentError, ClusterState, ControlData, ForkPoint, HostAgent, ServerProcess, StandbySource,
    command::{self, Invocation, Owner},
    files, process,
};
use crate::Login;

/// Programs that only read answer in milliseconds.
const READ_LIMIT: Duration = Duration::from_secs(10);
/// How long killed processes may take to disappear: the kernel may still be writing for them.
const KILL_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// As the operator of the installation writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalAgentConfig {
    pub data_directory: PathBuf,
    /// Where `pg_ctl`, `pg_controldata` and `pg_rewind` are.
    pub bin_directory: PathBuf,
    /// When `postgresql.conf` is not in the data directory.
    #[serde(default)]
    pub config_file: Option<PathBuf>,
    /// What the server prints until its own logging starts. Default: `server.log` beside the data directory's files.
    #[serde(default)]
    pub log_file: Option<PathBuf>,
    /// The authority that signed the servers' certificates, for a standby that streams over TLS. Default: those that this
    /// machine trusts.
    #[serde(default)]
    pub root_certificate: Option<PathBuf>,
}

/// Acts as the owner of the data directory: as root through a change of user, else only when it is the
/// owner itself.
#[derive(Debug, Clone)]
pub struct LocalAgent {
    config: LocalAgentConfig,
}

impl LocalAgent {
    pub fn new(config: LocalAgentConfig) -> Self {
        Self { config }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.config.data_directory.join(name)
    }

    fn owner(&self) -> Result<Owner, AgentError> {
        files::owner_to_act_as(&self.config.data_directory)
    }

    async fn run(&self, program: &str, arguments: Vec<OsString>, limit: Duration) -> Result<String, AgentError> {
        self.run_with(program, arguments, None, limit).await
    }

    async fn run_with(
        &self,
        program: &str,
        arguments: Vec<OsString>,
        login: Option<&Login>,
        limit: Duration,
    ) -> Result<String, AgentError> {
        command::run(Invocation {
            program: &self.config.bin_directory.join(program),
            arguments,
            // Only the same user and root can read a process's environment; arguments are seen by all.
            environment: login.map(|l| ("PGPASSWORD", l.password.expose_secret().into())).into_iter().collect(),
            directory: &self.config.data_directory,
            owner: self.owner()?,
            limit,
            secrets: login.map(|l| &l.password).into_iter().collect(),
        })
        .await
    }

    /// `pg_ctl ACTION -D <directory> …`, waiting for the effect.
    async fn pg_ctl(&self, action: &str, more: &[OsString], limit: Duration) -> Result<(), AgentError> {
        let mut arguments: Vec<OsString> =
            vec![action.into(), "-D".into(), self.config.data_directory.clone().into(), "-w".into(), "-t".into()];
        arguments.push(limit.as_secs().max(1).to_string().into());
        arguments.extend_from_slice(more);
        // pg_ctl ends itself at its own limit; ours is for the case that it does not.
        self.run("pg_ctl", arguments, limit + Duration::from_secs(5)).await.map(drop)
    }

    fn start_options(&self) -> Result<Vec<OsString>, AgentError> {
        let log = self.config.log_file.clone().unwrap_or_else(|| self.path("server.log"));
        let mut options: Vec<OsString> = vec!["-s".into(), "-l".into(), log.into()];
        if let Some(file) = &self.config.config_file {
            let text = file.to_string_lossy();
            // pg_ctl hands its -o to a shell.
            if text.contains(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c))) {
                let text = format!("config_file '{text}': use letters, digits and / . _ - only");
                return Err(AgentError::Configuration(text));
            }
            options.push("-o".into());
            options.push(format!("-c config_file={text}").into());
        }
        Ok(options)
    }

    /// The connection string for a program that gets the password in its environment.
    fn connection(&self, source: &StandbySource) -> String {
        files::connection_string(source, None, self.config.root_certificate.as_ref())
    }

    /// Sets where a standby streams from, in the file the server reads last.
    fn write_source(&self, connection: &str, slot: &str) -> Result<(), AgentError> {
        let path = self.path(files::AUTO_CONF);
        let before = files::read(&path)?.unwrap_or_default();
        let after = files::with_settings(&before, &files::standby_settings(connection, slot));
        files::write(&path, &after, self.owner()?)
    }

    /// A crashed server repairs itself only by running. It does so as a fenced standby without a
    /// source: `pg_rewind` would do it in single-user mode, which refuses to start behind the fence.
    async fn stop_cleanly_once(&self, limit: Duration) -> Result<(), AgentError> {
        let state = self.control_data().await?.state;
        if matches!(state, ClusterState::ShutDown | ClusterState::ShutDownInRecovery) {
            return Ok(());
        }
        self.write_source("", "")?;
        self.start(limit).await?;
        self.stop(limit).await
    }

    /// Beside the data directory: a rewind removes what it does not know inside.
    fn rewind_marker(&self) -> Result<PathBuf, AgentError> {
        let directory = &self.config.data_directory;
        let real = std::fs::canonicalize(directory).map_err(|e| files::error(directory, &e))?;
        let name = real.file_name().map(|name| format!(".{}.muster-rewind", name.to_string_lossy()));
        name.map(|name| real.with_file_name(name))
            .ok_or_else(|| AgentError::Configuration(format!("{} has no directory above it", directory.display())))
    }

    async fn must_be_stopped(&self, what: &str) -> Result<(), AgentError> {
        if self.process().await?.is_running() {
            return Err(AgentError::Configuration(format!("{what} needs a stopped server, and it is running")));
        }
        Ok(())
    }

    async fn gone_within(&self, limit: Duration) -> Result<bool, AgentError> {
        let deadline = Instant::now() + limit;
        loop {
            if !self.process().await?.is_running() {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

#[async_trait]
impl HostAgent for LocalAgent {
    fn describe(&self) -> String {
        format!("local, data directory {}", self.config.data_directory.display())
    }

    fn identity(&self) -> String {
        let directory = &self.config.data_directory;
        let real = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.clone());
        format!("local:{}", real.display())
    }

    async fn process(&self) -> Result<ServerProcess, AgentError> {
        // Not being allowed to look would make a running server seem stopped.
        self.owner()?;
        process::find(&self.config.data_directory)
    }

    async fn control_data(&self) -> Result<ControlData, AgentError> {
        let arguments = vec!["-D".into(), self.config.data_directory.clone().into()];
        ControlData::parse(&self.run("pg_controldata", arguments, READ_LIMIT).await?)
    }

    async fn fence(&self) -> Result<(), AgentError> {
        files::write(&self.path(files::STANDBY_SIGNAL), "", self.owner()?)
    }

    async fn is_fenced(&self) -> Result<bool, AgentError> {
        Ok(files::read(&self.path(files::STANDBY_SIGNAL))?.is_some())
    }

    async fn unfence(&self) -> Result<(), AgentError> {
        files::remove(&self.path(files::STANDBY_SIGNAL))
    }

    async fn stop(&self, limit: Duration) -> Result<(), AgentError> {
        if !self.process().await?.is_running() {
            return Ok(());
        }
        self.pg_ctl("stop", &["-s".into(), "-m".into(), "fast".into()], limit).await?;
        if self.gone_within(KILL_LIMIT).await? { Ok(()) } else { Err(self.still_running().await) }
    }

    async fn kill(&self) -> Result<(), AgentError> {
        self.owner()?;
        let deadline = Instant::now() + KILL_LIMIT;
        loop {
            process::kill_all(&self.config.data_directory)?;
            if self.gone_within(Duration::from_millis(200)).await? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.still_running().await);
            }
        }
    }

    async fn start(&self, limit: Duration) -> Result<(), AgentError> {
        self.half_rewound().await?;
        let options = self.start_options()?;
        process::remove_dead_pid_file(&self.config.data_directory)?;
        self.pg_ctl("start", &options, limit).await
    }

    async fn configure_standby(&self, source: &StandbySource) -> Result<(), AgentError> {
        self.must_be_stopped("pointing a standby at its source").await?;
        // First, so that no moment exists in which a start would make a primary (trap T5).
        self.fence().await?;
        let password = source.login.password.expose_secret();
        if password.contains(['\n', '\r']) {
            return Err(AgentError::Configuration("the replication password contains a line break".into()));
        }
        let passfile = self.path(files::PASSFILE);
        files::write(&passfile, &files::passfile_line(source, password), self.owner()?)?;
        let root = self.config.root_certificate.as_ref();
        self.write_source(&files::connection_string(source, Some(&passfile), root), &source.slot)
    }

    async fn try_source(&self, source: &StandbySource) -> Result<String, AgentError> {
        let database = format!("{} replication=true connect_timeout=5", self.connection(source));
        let arguments: Vec<OsString> =
            ["-X", "-A", "-t", "-w", "-d", &database, "-c", "IDENTIFY_SYSTEM"].iter().map(OsString::from).collect();
        let answer = self.run_with("psql", arguments, Some(&source.login), READ_LIMIT).await?;
        let identifier = answer.split('|').next().unwrap_or_default().trim();
        if identifier.is_empty() || !identifier.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AgentError::Unreadable { what: "IDENTIFY_SYSTEM".into(), why: "no system identifier".into() });
        }
        Ok(identifier.to_owned())
    }

    async fn rewind(&self, source: &StandbySource, rewind: &Login, limit: Duration) -> Result<String, AgentError> {
        self.must_be_stopped("a rewind").await?;
        self.half_rewound().await?;
        let owner = self.owner()?;
        self.fence().await?;
        let rewind_source = StandbySource { login: rewind.clone(), ..source.clone() };
        self.stop_cleanly_once(limit).await?;
        let kept = files::node_local(&self.config.data_directory)?;
        let arguments = vec![
            OsString::from("--target-pgdata"),
            self.config.data_directory.clone().into(),
            OsString::from("--source-server"),
            format!("{} dbname=postgres", self.connection(&rewind_source)).into(),
        ];
        // What it lacks (a right, the log up to the fork) shows before it has touched anything.
        let rehearsed = [arguments.clone(), vec!["--dry-run".into()]].concat();
        self.run_with("pg_rewind", rehearsed, Some(rewind), limit).await?;
        let marker = self.rewind_marker()?;
        files::write(&marker, "pg_rewind was begun here and has not finished\n", owner)?;
        let said = self.run_with("pg_rewind", arguments, Some(rewind), limit).await;
        // Whatever came of it: the source's port, name and signal files are not this node's (T1, T2).
        for (path, content) in kept {
            files::write(&path, &content, owner)?;
        }
        self.fence().await?;
        said?;
        self.configure_standby(source).await?;
        files::remove(&marker)?;
        Ok(format!("rewound to the history of {}:{}", source.host, source.port))
    }

    async fn half_rewound(&self) -> Result<(), AgentError> {
        let marker = self.rewind_marker()?;
        match files::read(&marker)? {
            None => Ok(()),
            Some(_) => Err(AgentError::HalfRewound { directory: self.config.data_directory.clone(), marker }),
        }
    }

    async fn fork_point(&self, timeline: u32) -> Result<Option<ForkPoint>, AgentError> {
        let path = self.path("pg_wal").join(format!("{timeline:08X}.history"));
        let Some(text) = files::read(&path)? else { return Ok(None) };
        // The last line is the youngest fork: "1<tab>0/3010508<tab>no recovery target specified".
        let line = text.lines().rfind(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let mut words = line.unwrap_or_default().split_whitespace();
        let (parent, lsn) = (words.next().and_then(|w| w.parse().ok()), words.next().and_then(|w| w.parse().ok()));
        match (parent, lsn) {
            (Some(parent_timeline), Some(lsn)) => Ok(Some(ForkPoint { parent_timeline, lsn })),
            _ => {
                Err(AgentError::Unreadable { what: path.display().to_string(), why: "no fork in its last line".into() })
            }
        }
    }

    async fn local_setting(&self, name: &str) -> Result<Option<String>, AgentError> {
        let main = self.config.config_file.clone().unwrap_or_else(|| self.path("postgresql.conf"));
        for path in [self.path(files::AUTO_CONF), main] {
            if let Some(value) = files::read(&path)?.and_then(|content| files::setting(&content, name)) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    async fn free_disk(&self) -> Result<u64, AgentError> {
        let directory = &self.config.data_directory;
        let stat = nix::sys::statvfs::statvfs(directory)
            .map_err(|e| AgentError::File { path: directory.clone(), why: e.to_string() })?;
        Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
    }
}

impl LocalAgent {
    async fn still_running(&self) -> AgentError {
        let pids = match self.process().await {
            Ok(ServerProcess::Running(server)) => server.pids,
            _ => Vec::new(),
        };
        AgentError::StillRunning { pids }
    }
}
