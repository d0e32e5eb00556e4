//! What both nodes are now, in words, for a run that did not end well. Nothing is guessed: what could
//! not be found out is said to be unknown.

use muster_domain::pb::inventory::v1::PostgresqlNode;

use super::{
    fact,
    lsn::Lsn,
    work::{Work, is_primary, received, replayed, shown},
};
use crate::{Facts, agent::ServerProcess};

pub(super) async fn describe(work: &Work<'_>, facts: &Facts) -> String {
    let (from, target) = tokio::join!(node(work, work.from), node(work, work.target));
    let mut text = format!("{from} {target}");
    if let Some(shutdown) = facts.get(fact::SHUTDOWN_LSN) {
        text.push_str(&format!(" {} was stopped cleanly at {shutdown} in this run.", work.from.name));
    }
    text
}

async fn node(work: &Work<'_>, node: &PostgresqlNode) -> String {
    let (by_sql, by_host) = tokio::join!(by_sql(work, node), by_host(work, node));
    format!("{} {by_sql}{by_host}.", node.name)
}

async fn by_sql(work: &Work<'_>, node: &PostgresqlNode) -> String {
    let facts = match work.look(node).await {
        Ok(facts) => facts,
        Err(error) => return format!("does not answer ({error})"),
    };
    let timeline = facts.timeline.map_or_else(|| "an unknown timeline".to_owned(), |t| format!("timeline {t}"));
    if is_primary(&facts) {
        return format!("is a primary on {timeline} at {} and accepts writes", shown(facts.current_lsn.map(Lsn)));
    }
    let receiver = facts.wal_receiver.as_ref().map_or("none", |receiver| &receiver.status);
    format!(
        "is a standby on {timeline}: received {}, applied {}, receiver {}",
        shown(received(&facts)),
        shown(replayed(&facts)),
        if receiver.is_empty() { "not visible" } else { receiver }
    )
}

async fn by_host(work: &Work<'_>, node: &PostgresqlNode) -> String {
    let Ok(agent) = work.agent(node) else { return String::new() };
    let process = match agent.process().await {
        Ok(ServerProcess::Running(_)) => "its processes run".to_owned(),
        Ok(ServerProcess::Stopped) => "no process of it runs".to_owned(),
        Err(error) => format!("its processes are unknown ({error})"),
    };
    let fence = match agent.is_fenced().await {
        Ok(true) => "a start makes it a standby",
        Ok(false) => "a start makes it a primary",
        Err(_) => "its fence is unknown",
    };
    let control = match agent.control_data().await {
        Ok(data) => format!("its control file says '{}', checkpoint {}", data.state, data.checkpoint),
        Err(error) => format!("its control file is unknown ({error})"),
    };
    format!("; on its host {process}, {fence}, {control}")
}
