//! What both nodes are now, in words, for a run that did not end well. Nothing is guessed: what could not be found out is
//! said to be unknown.

use muster_domain::{
    inventory::platform::NodeRef,
    readiness::mariadb::{position, received},
};

use super::{
    fact,
    work::{Work, is_primary, is_read_only, shown, threads},
};
use crate::{Facts, agent::ServerProcess};

pub(super) async fn describe(work: &Work<'_>, facts: &Facts) -> String {
    let (from, target) = tokio::join!(node(work, &work.from), node(work, &work.target));
    let mut text = format!("{from} {target}");
    if let Some(end) = facts.get(fact::FINAL_POSITION) {
        text.push_str(&format!(" {} ended at {end} in this run.", work.from.name));
    }
    text
}

async fn node(work: &Work<'_>, node: &NodeRef<'_>) -> String {
    let (by_sql, by_host) = tokio::join!(by_sql(work, node), by_host(work, node));
    format!("{} {by_sql}{by_host}.", node.name)
}

async fn by_sql(work: &Work<'_>, node: &NodeRef<'_>) -> String {
    let facts = match work.look(node).await {
        Ok(facts) => facts,
        Err(error) => return format!("does not answer ({error})"),
    };
    let at = position(&facts);
    if is_primary(&facts) {
        return format!("is a primary at {} and accepts writes", shown(at.as_ref()));
    }
    let writes = if is_read_only(&facts) { "refuses writes" } else { "accepts writes although it should not" };
    format!(
        "{writes}: received {}, has {}, {}",
        shown(received(&facts).as_ref()),
        shown(at.as_ref()),
        if facts.limited_view { "replication is not visible".to_owned() } else { threads(&facts) }
    )
}

async fn by_host(work: &Work<'_>, node: &NodeRef<'_>) -> String {
    let Ok(agent) = work.agent(node) else { return String::new() };
    let process = match agent.process().await {
        Ok(ServerProcess::Running(_)) => "its process runs".to_owned(),
        Ok(ServerProcess::Stopped) => "no process of it runs".to_owned(),
        Err(error) => format!("its processes are unknown ({error})"),
    };
    let fence = match agent.is_fenced().await {
        Ok(true) => "a start makes it read-only",
        Ok(false) => "it carries no fence of ours",
        Err(_) => "its fence is unknown",
    };
    format!("; on its host {process}, {fence}")
}
