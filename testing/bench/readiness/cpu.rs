//! How much processor time this process and the servers use, from `/proc`.

use std::{fs, time::Duration};

use muster_local::postgres::PostgresServer;

/// Times in `/proc/<pid>/stat` are in these: USER_HZ, which Linux has fixed at 100 for programs.
const TICK: Duration = Duration::from_millis(10);

/// Used up to now.
#[derive(Clone, Copy, Default)]
pub(super) struct Cpu {
    pub(super) own: Duration,
    pub(super) nats: Duration,
    pub(super) postgres: Duration,
}

impl Cpu {
    pub(super) fn now(nats: Option<u32>, postgres: &PostgresServer) -> Self {
        Self {
            own: stat(std::process::id()).unwrap_or_default().used,
            nats: nats.and_then(stat).unwrap_or_default().used,
            postgres: postmaster(postgres).map(with_children).unwrap_or_default(),
        }
    }

    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            own: self.own.saturating_sub(earlier.own),
            nats: self.nats.saturating_sub(earlier.nats),
            postgres: self.postgres.saturating_sub(earlier.postgres),
        }
    }
}

#[derive(Default)]
struct Stat {
    parent: u32,
    used: Duration,
    /// By children that have ended.
    by_children: Duration,
}

/// See proc_pid_stat(5).
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, spaces and brackets too.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u32>().ok()).map(|ticks| TICK * ticks);
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        used: ticks(11)? + ticks(12)?,
        by_children: ticks(13)? + ticks(14)?,
    })
}

fn postmaster(server: &PostgresServer) -> Option<u32> {
    fs::read_to_string(server.dir().join("postmaster.pid")).ok()?.lines().next()?.parse().ok()
}

fn with_children(parent: u32) -> Duration {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children: Duration = pids.filter_map(stat).filter(|stat| stat.parent == parent).map(|stat| stat.used).sum();
    let own = stat(parent).unwrap_or_default();
    own.used + own.by_children + children
}
