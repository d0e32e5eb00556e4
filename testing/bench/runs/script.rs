//! The same steps on the same kind of pair, as a plain script.

use std::{
    os::unix::fs::MetadataExt as _,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use muster_local::postgres::PostgresServer;

const SCRIPT: &str = include_str!("switchover.sh");
/// Those of the demo's pairs.
const SETTINGS: [(&str, &str); 9] = [
    ("fsync", "on"),
    ("wal_level", "replica"),
    ("wal_log_hints", "on"),
    ("hot_standby", "on"),
    ("wal_receiver_status_interval", "1s"),
    ("wal_receiver_timeout", "10s"),
    ("wal_sender_timeout", "10s"),
    ("wal_retrieve_retry_interval", "1s"),
    ("max_slot_wal_keep_size", "1GB"),
];

pub(super) struct Scripted {
    primary: Node,
    standby: Node,
}

struct Node {
    server: PostgresServer,
    slot: &'static str,
}

impl Scripted {
    pub(super) async fn start() -> Result<Self> {
        let primary = PostgresServer::temporary_with(&SETTINGS).await?;
        let standby = PostgresServer::temporary_standby(&primary, "slot_b").await?;
        Ok(Self {
            primary: Node { server: primary, slot: "slot_a" },
            standby: Node { server: standby, slot: "slot_b" },
        })
    }

    pub(super) fn urls(&self) -> [String; 2] {
        [&self.primary, &self.standby].map(|node| node.server.url("postgres", "postgres"))
    }

    /// How long the script took.
    pub(super) async fn switch_over(&mut self) -> Result<Duration> {
        let (old, new) = (&self.primary, &self.standby);
        let owner = std::fs::metadata(old.server.dir())?;
        let mut command = tokio::process::Command::new("bash");
        command.args(["-c", SCRIPT, "switchover.sh"]).arg(old.server.bin_dir());
        for node in [old, new] {
            command.arg(node.server.dir()).arg(node.server.port().to_string()).arg(node.slot);
        }
        // PostgreSQL's programs refuse root. What the servers keep open must not keep us waiting.
        command.uid(owner.uid()).gid(owner.gid()).current_dir("/").stdout(Stdio::null());
        let log = tempfile::tempfile()?;
        command.stderr(log.try_clone()?);
        let begun = Instant::now();
        let status = command.status().await?;
        let took = begun.elapsed();
        ensure!(status.success(), "the script failed ({status}): {}", said(log)?);
        std::mem::swap(&mut self.primary, &mut self.standby);
        Ok(took)
    }
}

fn said(mut log: std::fs::File) -> Result<String> {
    use std::io::{Read as _, Seek as _};
    let mut text = String::new();
    log.rewind()?;
    log.read_to_string(&mut text)?;
    Ok(text)
}
