//! The same switchover by Patroni, asked with its own command.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use muster_local::{
    patroni::{PatroniCluster, SCOPE},
    tools,
};

/// Tests do without the disk; the other pairs here do not.
const WAIT_FOR_THE_DISK: &str = "ALTER SYSTEM SET fsync = 'on'; SELECT pg_reload_conf();";

pub(super) struct Managed {
    cluster: PatroniCluster,
    leader: &'static str,
    other: &'static str,
}

pub(super) struct Took {
    pub(super) until_answer: Duration,
    pub(super) until_streaming: Duration,
}

impl Managed {
    /// The inner error: why this machine cannot have it.
    pub(super) async fn start() -> Result<Result<Self, String>> {
        for found in [tools::patroni(), tools::etcd()] {
            if let Err(missing) = found {
                return Ok(Err(missing.to_string()));
            }
        }
        let cluster = PatroniCluster::temporary(WAIT_FOR_THE_DISK).await?;
        let (leader, other) = ("a", "b");
        let fsync = cluster.member(other).sql("SHOW fsync").await?;
        ensure!(fsync.trim() == "on", "Patroni's servers do not wait for the disk: fsync is {fsync}");
        Ok(Ok(Self { cluster, leader, other }))
    }

    pub(super) fn urls(&self) -> [String; 2] {
        ["a", "b"].map(|name| format!("postgres://postgres@127.0.0.1:{}/postgres", self.cluster.member(name).port()))
    }

    pub(super) async fn switch_over(&mut self) -> Result<Took> {
        let patronictl = tools::patroni()?.parent().context("patroni has no directory")?.join("patronictl");
        let mut command = tokio::process::Command::new(patronictl);
        command.arg("-c").arg(self.cluster.member(self.leader).config_file());
        command.args(["switchover", SCOPE, "--leader", self.leader, "--candidate", self.other, "--force"]);
        let begun = Instant::now();
        let said = command.output().await?;
        let until_answer = begun.elapsed();
        ensure!(said.status.success(), "patronictl failed: {said:?}");
        self.cluster.wait_until_streaming(self.other).await?;
        let until_streaming = begun.elapsed();
        std::mem::swap(&mut self.leader, &mut self.other);
        let leads = self.cluster.member(self.leader).sql("SELECT NOT pg_is_in_recovery()").await?;
        ensure!(leads.trim() == "t", "{} does not lead after the switchover", self.leader);
        Ok(Took { until_answer, until_streaming })
    }
}
