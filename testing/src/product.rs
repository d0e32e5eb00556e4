//! `muster up` as a process, with its own data directory, removed at the end.

use std::{
    os::unix::fs::PermissionsExt as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    api::{Person, http},
    poll::{self, Look},
};

/// Four database pairs are made on the first start; on two slow cores that have other work that takes a while.
const START_LIMIT: Duration = Duration::from_secs(240);
const STOP_LIMIT: Duration = Duration::from_secs(60);

pub struct Product {
    directory: TempDir,
    /// Its own through kills and starts: who has its address keeps it.
    port: u16,
    process: Option<Child>,
}

/// What a command of the CLI said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("no JSON: {self:?}"))
    }

    pub fn must_succeed(self) -> Result<Self> {
        if self.code == 0 { Ok(self) } else { bail!("the command failed: {self:?}") }
    }
}

impl Product {
    /// Starts on an empty directory and waits until everything is up.
    pub async fn start() -> Result<Self> {
        // PostgreSQL's user must be able to enter when we are root.
        let directory = tempfile::Builder::new()
            .prefix("muster-e2e-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()?;
        let mut product = Self { directory, port: muster_local::free_port()?, process: None };
        product.start_again().await?;
        Ok(product)
    }

    /// Starts on the data that is there.
    pub async fn start_again(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let child = Command::new(program()?)
            .args(["--data"])
            .arg(self.data())
            .args(["up", "--port", &self.port.to_string()])
            .env("MUSTER_TELEMETRY__LOG_FORMAT", "json")
            // Its servers are killed and come back at their ports: no other test takes them meanwhile.
            .env("MUSTER_LOCAL_PORTS", "28000-32700")
            // A case waits for it.
            .env("MUSTER_EXECUTOR__REPLAY_LIMIT", "20s")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.process = Some(child);
        poll::until("the product to be up", START_LIMIT, || async {
            let text = std::fs::read_to_string(self.log()).unwrap_or_default();
            if !self.is_running() {
                bail!("it ended: {}", tail(&text));
            }
            let url = self.url().unwrap_or_default();
            let ready = self.ready().await;
            let seeded = Person::login(&url, "ada").await.is_ok() && self.seeded(&url).await;
            Ok(if ready && seeded { Look::Found(()) } else { Look::NotYet(tail(&text)) })
        })
        .await
    }

    async fn seeded(&self, url: &str) -> bool {
        match Person::login(url, "vera").await {
            Ok(vera) => vera.fleet("acme").await.is_ok_and(|fleet| fleet.len() == self.pairs().len()),
            Err(_) => false,
        }
    }

    /// The protected pairs that the demo could build on this machine.
    pub fn pairs(&self) -> Vec<String> {
        let text = std::fs::read(self.data().join("estate/estate.json")).unwrap_or_default();
        let estate: Value = serde_json::from_slice(&text).unwrap_or_default();
        let pairs = estate["pairs"].as_array().into_iter().flatten();
        pairs.filter_map(|pair| pair["resource"].as_str()).map(str::to_owned).collect()
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.directory.path().join("up.log")
    }

    /// The end of what it logged, for a failure's report.
    pub fn tail_of_log(&self) -> String {
        tail(&std::fs::read_to_string(self.log()).unwrap_or_default())
    }

    pub fn url(&self) -> Result<String> {
        let port = std::fs::read_to_string(self.data().join("http.port")).context("not started")?;
        Ok(format!("http://127.0.0.1:{}", port.trim()))
    }

    pub async fn person(&self, name: &str) -> Result<Person> {
        Person::login(&self.url()?, name).await
    }

    fn is_running(&self) -> bool {
        let Some(process) = &self.process else { return false };
        let state = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    }

    /// SIGKILL to the whole product, its NATS and its PostgreSQL included: what a pulled plug does to it.
    /// The protected databases and the application are other people's machines: they go on.
    pub fn kill_9(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        kill(Pid::from_raw(process.id().cast_signed()), Signal::SIGKILL)?;
        process.wait()?;
        kill_what_works_in(&self.data().join("nats"));
        kill_what_works_in(&self.data().join("postgres"));
        Ok(())
    }

    /// SIGKILL to one of the product's own servers, "nats" or "postgres". How many processes that were.
    pub fn kill_own(&self, server: &str) -> usize {
        kill_what_works_in(&self.data().join(server))
    }

    pub async fn ready(&self) -> bool {
        let (Ok(url), Ok(http)) = (self.url(), http()) else { return false };
        http.get(format!("{url}/readyz")).send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// Ctrl-C, as a person would.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(process) = &self.process else { return Ok(()) };
        let pid = Pid::from_raw(process.id().cast_signed());
        kill(pid, Signal::SIGINT)?;
        let stopped = poll::until("the product to stop", STOP_LIMIT, || async {
            Ok(poll::look_for(self.is_running(), |running| !running))
        })
        .await;
        if let Some(mut process) = self.process.take() {
            process.wait()?;
        }
        stopped.map(drop)
    }

    /// `muster …` as a person with an own profile.
    pub fn cli(&self, person: &str, args: &[&str]) -> Result<Said> {
        self.muster(person, args, "")
    }

    /// The same with something to read on standard input.
    pub fn muster(&self, person: &str, args: &[&str], input: &str) -> Result<Said> {
        use std::io::Write as _;
        let mut child = Command::new(program()?)
            .arg("--data")
            .arg(self.data())
            .args(["--server", &self.url()?, "--profile", person])
            .args(args)
            .env("XDG_CONFIG_HOME", self.directory.path().join("config"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read is no fault of ours.
            let _ = stdin.write_all(input.as_bytes());
        }
        Ok(said(&child.wait_with_output()?))
    }

    /// `muster demo …`
    pub fn demo(&self, args: &[&str]) -> Result<Said> {
        let all: Vec<&str> = ["demo"].into_iter().chain(args.iter().copied()).collect();
        self.cli("demo", &all)?.must_succeed()
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        // Whatever a failed test left behind ends here: the product in order, then what it may have left.
        if let Some(process) = &mut self.process {
            let _ = kill(Pid::from_raw(process.id().cast_signed()), Signal::SIGTERM);
            let deadline = std::time::Instant::now() + STOP_LIMIT;
            while matches!(process.try_wait(), Ok(None)) && std::time::Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        kill_what_works_in(&self.data());
    }
}

/// Processes whose command line names the directory: servers and the demo's world after a kill -9.
fn kill_what_works_in(directory: &Path) -> usize {
    let name = directory.display().to_string();
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    let mut killed = 0;
    for entry in processes.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|pid| pid.parse::<i32>().ok()) else { continue };
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(&name) && kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok() {
            killed += 1;
        }
    }
    killed
}

/// What a finished command said.
pub fn said(output: &Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The binary beside the test's own: `scripts/check` builds it first.
pub fn program() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let target = test.ancestors().find(|dir| dir.join("deps").is_dir()).context("the test is not run by cargo")?;
    let program = target.join("muster");
    if !program.is_file() {
        bail!("{} is not built. Next: cargo build -p muster", program.display());
    }
    Ok(program)
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
