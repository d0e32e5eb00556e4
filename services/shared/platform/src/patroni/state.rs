//! What both members are now, in words, for a run that did not end well. Nothing is guessed.

use muster_domain::pb::inventory::v1::PatroniNode;

use super::work::Work;
use crate::{Facts, postgresql::databases};

pub(super) async fn describe(work: &Work<'_>, facts: &Facts) -> String {
    let (databases, cluster, from, target) = tokio::join!(
        databases::describe(&work.databases, facts),
        work.cluster(),
        member(work, work.from),
        member(work, work.target)
    );
    let agreed = match cluster {
        Ok(cluster) => {
            let leader = cluster.leader().map_or("nobody".to_owned(), str::to_owned);
            let paused = if cluster.pause { ", and is paused" } else { "" };
            format!("By Patroni's store {leader} leads{paused} ({})", cluster.shown())
        }
        Err(error) => format!("Patroni's store is unknown ({error})"),
    };
    format!("{databases} {agreed}. {from} {target}")
}

async fn member(work: &Work<'_>, node: &PatroniNode) -> String {
    let status = async { work.api(node)?.member().await };
    match status.await {
        Ok(status) => format!("Patroni on {} says it is {}, {}.", node.name, status.role(), status.state),
        Err(error) => format!("Patroni on {} does not answer ({error}).", node.name),
    }
}
