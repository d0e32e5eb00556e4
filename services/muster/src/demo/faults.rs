//! `muster demo lag|cut|kill-primary|heal|rows`: real faults on the real servers of the demo.

use anyhow::{Context as _, Result, bail};
use muster_local::postgres::PostgresServer;

use super::{
    estate::{DATABASE, Estate, Node, Pair},
    writer::Acknowledged,
};

/// Nothing listens there: the standby's receiver is refused, as behind a cut link.
const CUT_CONNINFO: &str = "host=127.0.0.1 port=1 user=nobody connect_timeout=2";

/// The standby receives and does not apply any more.
pub(crate) async fn lag(estate: &Estate, resource: &str) -> Result<String> {
    let (_, standby) = sides(estate, estate.pair(resource)?).await?;
    server_of(estate, standby).await?.sql("SELECT pg_wal_replay_pause()").await?;
    Ok(format!("{}: replay is paused on {}; received data piles up unapplied", resource, standby.name))
}

/// The replication link is cut: the standby cannot reach the primary any more.
pub(crate) async fn cut(estate: &Estate, resource: &str) -> Result<String> {
    let (primary, standby) = sides(estate, estate.pair(resource)?).await?;
    let server = server_of(estate, standby).await?;
    remember_link(estate, standby, &server).await?;
    point_standby(&server, CUT_CONNINFO).await?;
    Ok(format!(
        "{resource}: the replication link from {} to {} is cut; the loss window grows",
        primary.name, standby.name
    ))
}

/// SIGKILL for the primary and all its processes; it stays down.
pub(crate) async fn kill_primary(estate: &mut Estate, resource: &str) -> Result<String> {
    let pair = estate.pair(resource)?.clone();
    let primary = estate.primary(&pair).await?.with_context(|| format!("{resource} has no running primary to kill"))?;
    let mut server = server_of(estate, primary).await?;
    mark(estate, &primary.name, true)?;
    server.kill().await?;
    Ok(format!("{resource}: the primary {} is killed and stays down", primary.name))
}

/// Repairs whatever the other commands did: link, replay, a dead or diverged node.
pub(crate) async fn heal(estate: &mut Estate, resource: &str) -> Result<String> {
    let pair = estate.pair(resource)?.clone();
    let mut done = Vec::new();
    if estate.primary(&pair).await?.is_none() {
        let dead = dead_primary(estate, &pair).await?;
        server_of(estate, dead).await?.start().await?;
        mark(estate, &dead.name, false)?;
        done.push(format!("started the primary {}", dead.name));
    }
    let (primary, standby) = sides(estate, &pair).await?;
    let mut server = server_of(estate, standby).await?;
    if !server.is_running() && estate.node_directory(standby).join("standby.signal").exists() && !standby.down {
        server.start().await?;
        done.push(format!("started the standby {}", standby.name));
    }
    if server.is_running() {
        if server.sql("SELECT pg_get_wal_replay_pause_state()").await?.trim() != "not paused" {
            server.sql("SELECT pg_wal_replay_resume()").await?;
            done.push(format!("resumed replay on {}", standby.name));
        }
        let is_cut = server.sql("SHOW primary_conninfo").await?.trim() == CUT_CONNINFO;
        if let Some(link) = remembered_link(estate, standby)?.filter(|_| is_cut) {
            point_standby(&server, &link).await?;
            done.push(format!("joined the link to {}", standby.name));
        }
        forget_link(estate, standby)?;
    }
    if !streams(estate, primary, standby).await? {
        estate.rebuild_standby(standby, primary).await?;
        done.push(format!("copied {} anew from {}", standby.name, primary.name));
    }
    mark(estate, &standby.name, false)?;
    if done.is_empty() {
        done.push("nothing was broken".into());
    }
    Ok(format!("{resource}: {}", done.join("; ")))
}

/// What the application was told, against what the database holds.
pub(crate) async fn rows(estate: &Estate, resource: &str) -> Result<RowCount> {
    let pair = estate.pair(resource)?;
    let primary =
        estate.primary(pair).await?.with_context(|| format!("{resource} has no running primary to count on"))?;
    // Acknowledgements first: a row acknowledged after that is not missed by the count.
    let acknowledged = Acknowledged::read(estate.directory(), resource)?;
    let held = server_of(estate, primary).await?.sql_in(DATABASE, "SELECT seq FROM orders").await?;
    let held: std::collections::HashSet<i64> = held.lines().filter_map(|line| line.trim().parse().ok()).collect();
    let lost: Vec<(i64, i64)> =
        acknowledged.rows().iter().filter(|(seq, _)| !held.contains(seq)).map(|(s, at)| (*s, *at)).collect();
    Ok(RowCount {
        resource: resource.into(),
        counted_on: primary.name.clone(),
        acknowledged: acknowledged.rows().len(),
        in_table: held.len(),
        lost: lost.len(),
        first_lost_at_ms: lost.first().map(|(_, at)| *at),
        last_lost_at_ms: lost.last().map(|(_, at)| *at),
    })
}

#[derive(Debug, serde::Serialize)]
pub(crate) struct RowCount {
    pub(crate) resource: String,
    pub(crate) counted_on: String,
    pub(crate) acknowledged: usize,
    pub(crate) in_table: usize,
    pub(crate) lost: usize,
    pub(crate) first_lost_at_ms: Option<i64>,
    pub(crate) last_lost_at_ms: Option<i64>,
}

async fn server_of(estate: &Estate, node: &Node) -> Result<PostgresServer> {
    estate.server(node).await
}

/// The node that takes writes, and the other one.
async fn sides<'a>(estate: &Estate, pair: &'a Pair) -> Result<(&'a Node, &'a Node)> {
    let [a, b] = &pair.nodes;
    match estate.primary(pair).await? {
        Some(primary) if primary.name == a.name => Ok((a, b)),
        Some(_) => Ok((b, a)),
        None => bail!("{} has no running primary; try `muster demo heal {}`", pair.resource, pair.resource),
    }
}

/// A dead node that was a primary when it died, or one that a move stopped cleanly and could not take back. The
/// fence of the latter is removed only while the other node says that it is still a standby: as the guidance of a
/// failed run tells people to.
async fn dead_primary<'a>(estate: &Estate, pair: &'a Pair) -> Result<&'a Node> {
    let fence = |node: &Node| estate.node_directory(node).join("standby.signal");
    if let Some(node) = pair.nodes.iter().find(|node| !fence(node).exists()) {
        return Ok(node);
    }
    let [a, b] = &pair.nodes;
    for (node, other) in [(a, b), (b, a)] {
        let asked = server_of(estate, other).await?.sql("SELECT pg_is_in_recovery()").await;
        if asked.is_ok_and(|answer| answer.trim() == "t") && stopped_as_primary(estate, node).await? {
            std::fs::remove_file(fence(node))?;
            return Ok(node);
        }
    }
    bail!(
        "no node of {} may take writes: a move was stopped half-way; `muster request show` says what to do",
        pair.resource
    )
}

/// "shut down": a standby would say "shut down in recovery".
async fn stopped_as_primary(estate: &Estate, node: &Node) -> Result<bool> {
    let server = server_of(estate, node).await?;
    if server.is_running() {
        return Ok(false);
    }
    let program = server.bin_dir().join("pg_controldata");
    let said =
        tokio::process::Command::new(program).env("LC_ALL", "C").arg(estate.node_directory(node)).output().await?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let state = text.lines().find_map(|line| line.strip_prefix("Database cluster state:"));
    Ok(state.is_some_and(|state| state.trim() == "shut down"))
}

/// Whether the standby receives from this primary, asked of it a few times: a receiver needs a moment to connect.
async fn streams(estate: &Estate, primary: &Node, standby: &Node) -> Result<bool> {
    let server = server_of(estate, standby).await?;
    if !server.is_running() {
        return Ok(false);
    }
    let question = format!(
        "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming' AND sender_port = {}",
        primary.port
    );
    for _ in 0..12 {
        if server.sql(&question).await?.trim() != "0" {
            return Ok(true);
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    Ok(false)
}

async fn point_standby(server: &PostgresServer, conninfo: &str) -> Result<()> {
    let quoted = conninfo.replace('\'', "''");
    server.sql(&format!("ALTER SYSTEM SET primary_conninfo = '{quoted}'")).await?;
    server.sql("SELECT pg_reload_conf()").await?;
    Ok(())
}

fn link_file(estate: &Estate, node: &Node) -> std::path::PathBuf {
    estate.directory().join(format!("{}.link", node.name))
}

async fn remember_link(estate: &Estate, node: &Node, server: &PostgresServer) -> Result<()> {
    let now = server.sql("SHOW primary_conninfo").await?;
    if now.trim() != CUT_CONNINFO {
        super::private_file(&link_file(estate, node), now.trim())?;
    }
    Ok(())
}

fn remembered_link(estate: &Estate, node: &Node) -> Result<Option<String>> {
    match std::fs::read_to_string(link_file(estate, node)) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn forget_link(estate: &Estate, node: &Node) -> Result<()> {
    match std::fs::remove_file(link_file(estate, node)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
        _ => Ok(()),
    }
}

fn mark(estate: &mut Estate, name: &str, down: bool) -> Result<()> {
    for node in estate.pairs.iter_mut().flat_map(|pair| &mut pair.nodes).filter(|node| node.name == name) {
        node.down = down;
    }
    estate.save()
}
