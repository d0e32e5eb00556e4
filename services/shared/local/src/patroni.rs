//! A Patroni cluster of two members on this machine: etcd, and two PostgreSQL servers that Patroni starts, stops and promotes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    LocalError, Result,
    account::Account,
    daemon::Daemon,
    etcd::{EtcdServer, own_dir},
    free_port,
    guardian::Guardian,
    postgres::{clean_environment, temporary},
    process::{POLL, children, is_alive, run, run_with_input, signal, wait_until},
    tools,
};

mod config;

pub use config::{REST_PASSWORD, REST_USER, SCOPE};

const SERVER: &str = "Patroni";
/// initdb, a base backup and a few rounds of Patroni's loop of 1 s: some 10 s on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(90);
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// Everything whose process id is noted, then the databases, then the files.
const SCRIPT: &str = r#"read -r _
for pid in "$2"/*/pid; do [ -e "$pid" ] && kill -KILL "$(cat "$pid")"; done
for data in "$2"/?/data; do "$1/pg_ctl" stop -s -w -m immediate -D "$data"; done
rm -rf "$2""#;

/// Two members, "a" the leader at first and "b" its replica. Everything ends and is removed when this is dropped.
#[derive(Debug)]
pub struct PatroniCluster {
    a: PatroniMember,
    b: PatroniMember,
    etcd: EtcdServer,
    dir: PathBuf,
    /// After the members: it removes what they left.
    _guardian: Guardian,
}

/// One member: Patroni and the PostgreSQL server it keeps.
#[derive(Debug)]
pub struct PatroniMember {
    name: &'static str,
    dir: PathBuf,
    rest_port: u16,
    port: u16,
    bin_dir: PathBuf,
    account: Account,
    daemon: Option<Daemon>,
}

impl PatroniCluster {
    /// Starts both and waits until "b" streams. `sql` is run on "a" in between, as the superuser: accounts, tables.
    pub async fn temporary(sql: &str) -> Result<Self> {
        let (account, bin_dir) = (Account::for_postgres()?, tools::postgres_bin_dir()?);
        account.require_entry(&bin_dir)?;
        let dir = temporary::dir()?;
        let guardian = Guardian::watch(&account, SCRIPT, &[bin_dir.as_os_str(), dir.as_os_str()])?;
        let etcd = EtcdServer::start(&own_dir(&dir, "etcd", &account)?, &account).await?;
        let member = |name| PatroniMember::prepare(name, &dir, &bin_dir, &account, etcd.port());
        let mut cluster = Self { a: member("a")?, b: member("b")?, etcd, dir, _guardian: guardian };
        cluster.a.start().await?;
        cluster.a.wait_for("a leads", "SELECT NOT pg_is_in_recovery()").await?;
        cluster.a.sql(sql).await?;
        cluster.b.start().await?;
        cluster.wait_until_streaming("a").await?;
        Ok(cluster)
    }

    pub fn member(&self, name: &str) -> &PatroniMember {
        if name == "a" { &self.a } else { &self.b }
    }

    pub fn member_mut(&mut self, name: &str) -> &mut PatroniMember {
        if name == "a" { &mut self.a } else { &mut self.b }
    }

    /// What Patroni agrees in. Without it no member leads for longer than its lease.
    pub fn etcd_mut(&mut self) -> &mut EtcdServer {
        &mut self.etcd
    }

    /// Waits until a standby streams from this member.
    pub async fn wait_until_streaming(&mut self, leader: &str) -> Result<()> {
        let streams =
            "SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming' AND application_name IN ('a', 'b')";
        self.member_mut(leader).wait_for("a replica streams", streams).await
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl PatroniMember {
    fn prepare(name: &'static str, dir: &Path, bin_dir: &Path, account: &Account, etcd_port: u16) -> Result<Self> {
        let (rest_port, port) = (free_port()?, free_port()?);
        let dir = own_dir(dir, name, account)?;
        let path = dir.join("patroni.yml");
        let settings = config::Settings { name, dir: &dir, bin_dir, rest_port, port, etcd_port };
        fs::write(&path, settings.yaml()).map_err(LocalError::io("write", &path))?;
        account.own(&path)?;
        Ok(Self { name, dir, rest_port, port, bin_dir: bin_dir.to_owned(), account: account.clone(), daemon: None })
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.rest_port)
    }

    /// PostgreSQL's.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// PostgreSQL's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Its configuration, as `patronictl -c` takes it.
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("patroni.yml")
    }

    /// Patroni's process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().and_then(Daemon::pid)
    }

    /// Starts Patroni, which starts PostgreSQL. Does nothing when it runs.
    pub async fn start(&mut self) -> Result<()> {
        if self.daemon.as_mut().is_some_and(Daemon::is_running) {
            return Ok(());
        }
        let program = tools::patroni()?;
        let mut command = self.account.command(program);
        clean_environment(&mut command);
        command.arg(self.config_file()).current_dir(&self.dir);
        self.daemon = Some(Daemon::start(SERVER, &self.dir, command)?);
        Ok(())
    }

    /// Stops Patroni cleanly, which stops PostgreSQL.
    pub async fn stop(&mut self) -> Result<()> {
        match self.daemon.take() {
            Some(mut daemon) => daemon.stop().await,
            None => Ok(()),
        }
    }

    /// SIGKILL to Patroni and to every process of its PostgreSQL: the machine is lost.
    pub async fn kill(&mut self) -> Result<()> {
        self.kill_patroni().await?;
        let processes = self.database_processes();
        for &pid in &processes {
            signal(pid, Signal::SIGKILL);
        }
        if wait_until(KILL_LIMIT, || !processes.iter().any(|&pid| is_alive(pid))).await {
            return Ok(());
        }
        Err(LocalError::NotReady { server: SERVER, waited: KILL_LIMIT, log_tail: String::new() })
    }

    /// Lets everything of it stand still, as a host that hangs, or go on.
    pub fn freeze(&self, frozen: bool) {
        let what = if frozen { Signal::SIGSTOP } else { Signal::SIGCONT };
        let patroni = self.pid().map(u32::cast_signed);
        for pid in patroni.into_iter().chain(self.database_processes()) {
            signal(pid, what);
        }
    }

    /// SIGKILL to Patroni alone: PostgreSQL goes on without its manager.
    pub async fn kill_patroni(&mut self) -> Result<()> {
        match self.daemon.take() {
            Some(mut daemon) => daemon.kill().await,
            None => Ok(()),
        }
    }

    /// Stops PostgreSQL behind Patroni's back, at once. Unless the cluster is paused, Patroni starts it again.
    pub async fn stop_database(&self) -> Result<()> {
        let mut command = self.account.command(self.bin_dir.join("pg_ctl"));
        clean_environment(&mut command);
        command.args(["stop", "-s", "-w", "-m", "immediate", "-D"]).arg(self.data_dir()).current_dir("/");
        run(command).await.map(drop)
    }

    /// Runs SQL as the superuser in the database `postgres`, through psql. Rows come back as lines, columns separated by `|`.
    pub async fn sql(&self, sql: &str) -> Result<String> {
        let mut command = Command::new(self.bin_dir.join("psql"));
        clean_environment(&mut command);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", "postgres"]);
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        run_with_input(command, sql).await
    }

    /// The end of Patroni's and PostgreSQL's output.
    pub fn log_tail(&self) -> String {
        self.daemon.as_ref().map(Daemon::log_tail).unwrap_or_default()
    }

    async fn wait_for(&mut self, what: &'static str, question: &str) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while self.sql(question).await.unwrap_or_default().trim() != "t" {
            let Some(daemon) = self.daemon.as_mut() else {
                return Err(LocalError::EndedEarly { server: SERVER, log_tail: String::new() });
            };
            if !daemon.is_running() || Instant::now() >= deadline {
                tracing::warn!(member = self.name, what, "not in time");
                return Err(daemon.not_ready(START_LIMIT));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// PostgreSQL's processes. The first one is stopped, so that it starts no further one meanwhile.
    fn database_processes(&self) -> Vec<i32> {
        let Some(postmaster) = self.postmaster() else { return Vec::new() };
        signal(postmaster, Signal::SIGSTOP);
        let mut processes = children(postmaster);
        processes.push(postmaster);
        processes
    }

    fn postmaster(&self) -> Option<i32> {
        let pid = fs::read_to_string(self.data_dir().join("postmaster.pid")).ok()?.lines().next()?.parse().ok()?;
        is_alive(pid).then_some(pid)
    }
}
