//! A witness for the transparency logs of this machine: a process of its own, with its own state and key. On one machine it
//! is no independent party; it is there so that everything works as it does with one.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    path::PathBuf,
    process::Stdio,
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context as _, Result};
use muster_domain::pb::audit::v1::{AuditLogEvent, audit_log_event::Event};
use muster_eventlog::{Record, live_fold};
use muster_runtime::{
    Config, Context,
    config::{self, AuditWitness, LogFormat},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use crate::{place::Place, services};

const NAME: &str = "local-witness";
/// It has nothing to finish but one write.
const STOP_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

pub(crate) struct LocalWitness {
    directory: PathBuf,
    /// How the logs find it.
    pub(crate) entry: AuditWitness,
    process: Option<Child>,
}

impl LocalWitness {
    pub(crate) async fn start(place: &Place) -> Result<Self> {
        let directory = place.file("witness");
        fs::create_dir_all(&directory)?;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], place.port("witness", None)?));
        let mut config = Config::default();
        config.server.listen = address;
        config.server.public_url = format!("http://{address}");
        config.telemetry.log_format = LogFormat::Text;
        config.witness = config::Witness {
            name: NAME.to_owned(),
            state: directory.join("state"),
            key: directory.join("key"),
            logs_file: Some(directory.join("logs")),
            ..config::Witness::default()
        };
        let mut witness = Self { directory, entry: AuditWitness::default(), process: None };
        witness.stop_leftover().await?;
        let key = muster_witness::prepare(&config)?;
        witness.entry = AuditWitness {
            name: NAME.to_owned(),
            url: config.server.public_url.clone(),
            verifier_key: key.to_string(),
        };
        crate::demo::private_file(&witness.config_file(), &toml::to_string(&config)?)?;
        witness.launch()?;
        Ok(witness)
    }

    /// Whether the process is there. It can have ended by itself.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    pub(crate) fn launch(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.directory.join("log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["run", services::WITNESS, "--config"]).arg(self.config_file());
        // What is set for `muster up` is not for it: not its address, and no secret.
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.process_group(0).kill_on_drop(true);
        let process = command.spawn().context("the local witness cannot be started")?;
        fs::write(self.pid_file(), process.id().unwrap_or_default().to_string())?;
        self.process = Some(process);
        Ok(())
    }

    pub(crate) async fn stop(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        if let Some(pid) = process.id() {
            // Already gone is as good.
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
        }
        if tokio::time::timeout(STOP_LIMIT, process.wait()).await.is_err() {
            process.kill().await?;
        }
        Ok(())
    }

    /// One that a killed `muster up` left behind holds the state and the port.
    async fn stop_leftover(&self) -> Result<()> {
        let pid = fs::read_to_string(self.pid_file()).unwrap_or_default();
        let Ok(pid) = pid.trim().parse::<i32>() else { return Ok(()) };
        let config = self.config_file().display().to_string();
        let is_ours = || {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&config)
        };
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let deadline = tokio::time::Instant::now() + STOP_LIMIT;
            if is_ours() {
                let _ = kill(Pid::from_raw(pid), signal);
            }
            while is_ours() && tokio::time::Instant::now() < deadline {
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    fn config_file(&self) -> PathBuf {
        self.directory.join("witness.toml")
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.join("pid")
    }

    /// Tells the witness which logs there are, as their keys appear in the record. Elsewhere a person does this, with
    /// keys that came another way.
    pub(crate) fn introduce_logs(&self, context: &Context) {
        let (file, known) = (self.directory.join("logs"), Mutex::new(BTreeSet::new()));
        let introduce = move |record: &Record| {
            let Some(key) = record.decode::<AuditLogEvent>().ok().and_then(key_of) else { return };
            let mut known = known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if known.insert(key)
                && let Err(error) = write(&file, &known)
            {
                tracing::warn!(%error, "the local witness cannot be told about a log");
            }
        };
        let fold = live_fold(&context.log, &["audit-log"], introduce, context.shutdown.clone());
        tokio::spawn(async move { fold.stopped().await });
    }
}

fn key_of(event: AuditLogEvent) -> Option<String> {
    match event.event? {
        Event::EpochOpened(opened) => Some(opened.verifier_key),
        Event::KeyRotated(rotated) => Some(rotated.new_verifier_key),
        _ => None,
    }
}

/// Whole or not at all: it is read while it is written.
fn write(file: &std::path::Path, keys: &BTreeSet<String>) -> std::io::Result<()> {
    use std::io::Write as _;
    let scratch = file.with_extension("new");
    let mut out = File::create(&scratch)?;
    keys.iter().try_for_each(|key| writeln!(out, "{key}"))?;
    out.sync_all()?;
    fs::rename(&scratch, file)
}
