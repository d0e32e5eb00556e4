//! The agent for a MariaDB or Redis server on this machine.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde::Deserialize;

use super::{
    AgentError, CopySource, ServerProcess, Service, ServiceAgent,
    command::{self, Launch, Owner},
    files, process,
    service_settings::{self, Setting, Supposed},
};

/// How long killed processes may take to disappear: the kernel may still be writing for them.
const KILL_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// As the operator of the installation writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalServiceConfig {
    pub service: Service,
    pub data_directory: PathBuf,
    /// Where the server's program is.
    pub bin_directory: PathBuf,
    /// What the server is started with. It must include the fence file.
    pub config_file: PathBuf,
    /// Where the fence is written. Default: `muster-fence.conf` (MariaDB: `.cnf`) beside the configuration file.
    #[serde(default)]
    pub fence_file: Option<PathBuf>,
    /// What the server prints until its own logging starts. Default: `muster-server.log` in the data directory.
    #[serde(default)]
    pub log_file: Option<PathBuf>,
}

/// Acts as the owner of the data directory: as root through a change of user, else only when it is the owner itself.
#[derive(Debug, Clone)]
pub struct LocalService {
    pub(super) config: LocalServiceConfig,
}

impl LocalService {
    pub fn new(config: LocalServiceConfig) -> Self {
        Self { config }
    }

    pub(super) fn owner(&self) -> Result<Owner, AgentError> {
        files::owner_to_act_as(&self.config.data_directory)
    }

    pub(super) fn fence_file(&self) -> PathBuf {
        let default = || self.config.service.default_fence_file(&self.config.config_file);
        self.config.fence_file.clone().unwrap_or_else(default)
    }

    fn log_file(&self) -> PathBuf {
        self.config.log_file.clone().unwrap_or_else(|| self.config.data_directory.join("muster-server.log"))
    }

    pub(super) fn program(&self) -> Result<PathBuf, AgentError> {
        let names = self.config.service.programs();
        let found = names.iter().map(|name| self.config.bin_directory.join(name)).find(|path| path.is_file());
        found.ok_or_else(|| {
            let text = format!("there is no {} in {}", names.join(" or "), self.config.bin_directory.display());
            AgentError::Configuration(text)
        })
    }

    /// What the next start reads. An error when the agent looks after another directory than the server works in: its
    /// processes would not be found, and a running server would seem stopped.
    pub(super) fn settings(&self, supposed: Option<Supposed<'_>>) -> Result<Vec<Setting>, AgentError> {
        let (service, config_file) = (self.config.service, &self.config.config_file);
        let settings = service_settings::read(service, config_file, supposed)?;
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let configured = service.data_directory(&settings);
        if configured.as_deref().map(real) == Some(real(&self.config.data_directory)) {
            return Ok(settings);
        }
        let found = configured.map_or_else(|| "no data directory".to_owned(), |path| path.display().to_string());
        Err(AgentError::Configuration(format!(
            "{} says {found}, and the agent looks after {}: let both name the same absolute path",
            config_file.display(),
            self.config.data_directory.display()
        )))
    }

    /// An error when a start would accept writes although the fence is there.
    fn must_hold(&self, supposed: Option<Supposed<'_>>) -> Result<(), AgentError> {
        let service = self.config.service;
        let Some(why) = service.accepts_writes(&self.settings(supposed)?) else { return Ok(()) };
        Err(AgentError::Configuration(format!(
            "a fence in {} would not hold: {why}. Put the line `{}` into {}, and nothing that overrides it",
            self.fence_file().display(),
            service.include_line(&self.fence_file()),
            self.config.config_file.display()
        )))
    }

    pub(super) fn find(&self) -> Result<ServerProcess, AgentError> {
        // Not being allowed to look would make a running server seem stopped.
        self.owner()?;
        self.settings(None)?;
        let service = self.config.service;
        process::find_service(&self.config.data_directory, &self.config.config_file, |name| service.is_server(name))
    }

    async fn gone_within(&self, limit: Duration) -> Result<bool, AgentError> {
        let deadline = Instant::now() + limit;
        while self.find()?.is_running() {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(true)
    }

    fn pids(&self) -> Result<Vec<i32>, AgentError> {
        Ok(match self.find()? {
            ServerProcess::Running(server) => server.pids,
            ServerProcess::Stopped => Vec::new(),
        })
    }
}

#[async_trait]
impl ServiceAgent for LocalService {
    fn describe(&self) -> String {
        format!("local, data directory {}", self.config.data_directory.display())
    }

    fn identity(&self) -> String {
        let directory = &self.config.data_directory;
        let real = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.clone());
        format!("local:{}", real.display())
    }

    async fn check(&self) -> Result<(), AgentError> {
        self.owner()?;
        self.program()?;
        let fence_file = self.fence_file();
        self.must_hold(Some(Supposed { file: &fence_file, content: self.config.service.fence() }))
    }

    async fn process(&self) -> Result<ServerProcess, AgentError> {
        self.find()
    }

    async fn fence(&self) -> Result<(), AgentError> {
        // A fence that nothing reads would be worse than none: it would be believed.
        self.check().await?;
        files::write(&self.fence_file(), self.config.service.fence(), self.owner()?)?;
        self.must_hold(None)
    }

    async fn is_fenced(&self) -> Result<bool, AgentError> {
        let service = self.config.service;
        let written = files::read(&self.fence_file())?.as_deref() == Some(service.fence());
        Ok(written && service.accepts_writes(&self.settings(None)?).is_none())
    }

    async fn unfence(&self) -> Result<(), AgentError> {
        files::write(&self.fence_file(), self.config.service.no_fence(), self.owner()?)
    }

    async fn stop(&self, limit: Duration) -> Result<(), AgentError> {
        process::terminate(&self.pids()?);
        if self.gone_within(limit).await? {
            return Ok(());
        }
        Err(AgentError::TimedOut { program: "a clean stop of the server".into(), limit })
    }

    async fn kill(&self) -> Result<(), AgentError> {
        let deadline = Instant::now() + KILL_LIMIT;
        loop {
            process::kill(&self.pids()?);
            if self.gone_within(Duration::from_millis(200)).await? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(AgentError::StillRunning { pids: self.pids()? });
            }
        }
    }

    async fn start(&self, limit: Duration) -> Result<(), AgentError> {
        let deadline = Instant::now() + limit;
        let mut launched = None;
        if !self.find()?.is_running() {
            if files::read(&self.fence_file())?.is_none() {
                // Redis does not start when an included file is missing.
                self.unfence().await?;
            }
            launched = Some(command::launch(&Launch {
                program: &self.program()?,
                arguments: self.config.service.arguments(&self.config.config_file),
                directory: &self.config.data_directory,
                output: &self.log_file(),
                owner: self.owner()?,
            })?);
        }
        loop {
            // Before the look at the processes: one that makes itself a daemon ends well, and its child stays.
            let ended = launched.as_mut().map_or(Ok(None), |launched| launched.failed())?;
            if let ServerProcess::Running(server) = self.find()?
                && server.port.is_some()
            {
                return Ok(());
            }
            if let Some(error) = ended {
                return Err(error);
            }
            if Instant::now() >= deadline {
                return Err(AgentError::TimedOut { program: "the start of the server".into(), limit });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn can_rebuild(&self) -> Result<(), AgentError> {
        self.check_rebuild()
    }

    async fn rebuild(&self, source: &CopySource, limit: Duration) -> Result<String, AgentError> {
        self.rebuild_as_copy(source, limit).await
    }

    async fn finish_rebuild(&self) -> Result<(), AgentError> {
        self.finish_swap()
    }
}
