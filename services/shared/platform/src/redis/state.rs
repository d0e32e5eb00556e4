//! What both nodes are now, in words, for a run that did not end well. Nothing is guessed: what could not be found out
//! is said to be unknown.

use muster_domain::inventory::platform::NodeRef;

use super::{
    fact,
    work::{Work, is_primary, is_settled, shown},
};
use crate::{Facts, agent::ServerProcess};

pub(super) async fn describe(work: &Work<'_>, facts: &Facts) -> String {
    let (from, target) = tokio::join!(node(work, &work.from), node(work, &work.target));
    let mut text = format!("{from} {target}");
    if let Some(last) = facts.get(fact::FINAL_OFFSET) {
        text.push_str(&format!(" {} handed over at {last} in this run.", work.from.name));
    }
    text
}

async fn node(work: &Work<'_>, node: &NodeRef<'_>) -> String {
    let (itself, host) = tokio::join!(itself(work, node), by_host(work, node));
    format!("{} {itself}{host}.", node.name)
}

async fn itself(work: &Work<'_>, node: &NodeRef<'_>) -> String {
    let facts = match work.look(node).await {
        Ok(look) => look.facts,
        Err(error) => return format!("does not answer ({error})"),
    };
    let at = shown(facts.offset);
    if is_primary(&facts) && is_settled(&facts) {
        return format!("is a primary in history {} at {at} and accepts writes", facts.replid);
    }
    if is_primary(&facts) {
        return format!("is a primary that is handing over ({}) at {at}: writes are paused", facts.failover_state);
    }
    let link = match facts.link_up {
        Some(true) => "its link is up",
        Some(false) => "its link is down",
        None => "its link is unknown",
    };
    let source = format!("{}:{}", facts.source_host, facts.source_port);
    format!("is a replica of {source} in history {} at {at}, {link}", facts.replid)
}

async fn by_host(work: &Work<'_>, node: &NodeRef<'_>) -> String {
    let Ok(agent) = work.agent(node) else { return String::new() };
    let process = match agent.process().await {
        Ok(ServerProcess::Running(_)) => "its process runs".to_owned(),
        Ok(ServerProcess::Stopped) => "no process of it runs".to_owned(),
        Err(error) => format!("its processes are unknown ({error})"),
    };
    let fence = match agent.is_fenced().await {
        Ok(true) => "a start makes it a replica",
        Ok(false) => "it is not fenced: its own configuration decides what a start makes it",
        Err(_) => "its fence is unknown",
    };
    format!("; on its host {process}, {fence}")
}
