//! `muster demo lag|cut|kill-primary|heal|rows`: real faults on the real servers of the demo.

use anyhow::{Context as _, Result, bail};

use super::{
    estate::{Estate, Node, Pair},
    writer::Acknowledged,
};

/// The standby receives and does not apply any more.
pub(crate) async fn lag(estate: &Estate, resource: &str) -> Result<String> {
    let pair = estate.pair(resource)?;
    let (_, standby) = sides(estate, pair).await?;
    Ok(format!("{resource}: {}", estate.servers(pair).lag(standby).await?))
}

/// The replication link is cut: the standby cannot reach the primary any more.
pub(crate) async fn cut(estate: &Estate, resource: &str) -> Result<String> {
    let pair = estate.pair(resource)?;
    let (primary, standby) = sides(estate, pair).await?;
    estate.servers(pair).cut(standby).await?;
    Ok(format!(
        "{resource}: the replication link from {} to {} is cut; the loss window grows",
        primary.name, standby.name
    ))
}

/// SIGKILL for the primary and all its processes; it stays down.
pub(crate) async fn kill_primary(estate: &mut Estate, resource: &str) -> Result<String> {
    let pair = estate.pair(resource)?.clone();
    let primary = estate.primary(&pair).await?.with_context(|| format!("{resource} has no running primary to kill"))?;
    estate.mark(&primary.name, true)?;
    estate.servers(&pair).kill(primary).await?;
    Ok(format!("{resource}: the primary {} is killed and stays down", primary.name))
}

/// Repairs whatever the other commands did: link, replay, a dead or diverged node.
pub(crate) async fn heal(estate: &mut Estate, resource: &str) -> Result<String> {
    let pair = estate.pair(resource)?.clone();
    let servers = estate.servers(&pair);
    let mut done = Vec::new();
    if estate.primary(&pair).await?.is_none() {
        let node = servers.revive(&pair).await?;
        estate.mark(&node.name, false)?;
        done.push(format!("started the primary {}", node.name));
    }
    let (primary, standby) = sides(estate, &pair).await?;
    done.extend(servers.mend(primary, standby).await?);
    estate.mark(&standby.name, false)?;
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
    let held = estate.servers(pair).rows(primary).await?;
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

/// The node that takes writes, and the other one.
async fn sides<'a>(estate: &Estate, pair: &'a Pair) -> Result<(&'a Node, &'a Node)> {
    let [a, b] = &pair.nodes;
    match estate.primary(pair).await? {
        Some(primary) if primary.name == a.name => Ok((a, b)),
        Some(_) => Ok((b, a)),
        None => bail!("{} has no running primary; try `muster demo heal {}`", pair.resource, pair.resource),
    }
}
