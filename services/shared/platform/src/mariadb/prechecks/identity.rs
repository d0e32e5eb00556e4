//! Whether the things that are named are the things that are meant: the agent acts on the server that answers, two nodes
//! are two servers, and one is the other's replica.

use muster_domain::{inventory::platform::NodeRef, pb::execution::v1::Check, readiness::mariadb::history};

use super::Seen;
use crate::{
    checks::{self, failed, must, passed, unknown},
    mariadb::{errors::SqlError, work::Work},
};

/// So many stray transactions are named.
const NAMED: usize = 5;

/// The agent must answer, and its fence must be one that the server reads.
pub(super) async fn host_is_ready(work: &Work<'_>, node: &NodeRef<'_>, check: &str) -> Check {
    let limit = "a fence would hold";
    let agent = match work.agent(node) {
        Ok(agent) => agent,
        Err(error) => return unknown(check, limit, error.text),
    };
    match agent.check().await {
        Ok(()) => passed(check, "it would", limit, format!("{}: {}", node.name, agent.describe())),
        Err(error) => {
            failed(check, "not usable", limit, format!("the host of {} cannot be acted on: {error}", node.name))
        }
    }
}

pub(super) fn agents_differ(work: &Work<'_>) -> Check {
    let (check, limit) = ("agents_differ", "two servers");
    match (work.agent(&work.from), work.agent(&work.target)) {
        (Ok(a), Ok(b)) => must(
            check,
            Some(a.identity() != b.identity()),
            format!("{} and {}", a.describe(), b.describe()),
            limit,
            "each node has its own agent",
            "both nodes name the same server's agent",
        ),
        (Err(error), _) | (_, Err(error)) => unknown(check, limit, error.text),
    }
}

/// The server the agent would stop is the server that answers under the node's address.
pub(super) async fn agent_is_the_node(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit, name) = ("agent_is_the_node", "the same port", work.from.name);
    let at_host = match &seen.host {
        Ok(crate::agent::ServerProcess::Running(server)) => server.port,
        Ok(crate::agent::ServerProcess::Stopped) => {
            return failed(check, "stopped", limit, format!("the agent of {name} sees no running server"));
        }
        Err(why) => return unknown(check, limit, why.clone()),
    };
    let by_sql = match variable(work, &work.from, "port").await {
        Ok(port) => port.and_then(|port| port.parse::<u16>().ok()),
        Err(error) => return unknown(check, limit, format!("{name} could not be asked: {error}")),
    };
    let show = |port: Option<u16>| port.map_or_else(|| "unknown".to_owned(), |port| port.to_string());
    must(
        check,
        at_host.zip(by_sql).map(|(a, b)| a == b),
        format!("port {} at the host, {} by SQL", show(at_host), show(by_sql)),
        limit,
        format!("the agent of {name} stands on the server that answers"),
        format!("the agent of {name} would act on another server than the one that answers at its address"),
    )
}

/// Two addresses can lead to one server.
pub(super) fn distinct_servers(seen: &Seen) -> Check {
    let (check, limit) = ("distinct_servers", "two server ids");
    let Some((from, target)) = seen.both() else { return unknown(check, limit, "one side did not answer") };
    let ids = from.server_id.zip(target.server_id);
    must(
        check,
        ids.map(|(a, b)| a != b),
        format!("{} and {}", checks::said(from.server_id), checks::said(target.server_id)),
        limit,
        "the two addresses are two servers",
        "both have the same server_id: one server behind two addresses, or two that cannot replicate from each other",
    )
}

/// The target reads from this primary, and from no other.
pub(super) fn target_follows_from(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("target_follows_primary", "this primary's server_id");
    let Some((from, target)) = seen.both() else { return unknown(check, limit, "one side did not answer") };
    let source = target.replica.as_ref().and_then(|replica| replica.source_server_id).filter(|id| *id != 0);
    must(
        check,
        from.server_id.zip(source).map(|(own, source)| own == source),
        format!("server_id {}", checks::said(source)),
        limit,
        format!("{} follows {}", work.target.name, work.from.name),
        format!("{} follows another server, or has not connected yet", work.target.name),
    )
}

/// Transactions of the target that the primary does not have: after the move the old primary would lack them for ever.
pub(super) fn no_errant(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("no_errant_transactions", "none");
    let Some((from, target)) = seen.both() else { return unknown(check, limit, "one side did not answer") };
    let (Some(ours), Some(theirs), Some(primary)) = (history(from), history(target), from.server_id) else {
        return unknown(check, limit, "one side tells no history of transactions");
    };
    let mut stray = ours.lacks(&theirs);
    // The primary's own may have arrived since it was asked.
    stray.retain(|gtid| gtid.server != primary);
    let named: Vec<String> = stray.iter().take(NAMED).map(ToString::to_string).collect();
    must(
        check,
        Some(stray.is_empty()),
        if stray.is_empty() { "none".to_owned() } else { named.join(", ") },
        limit,
        format!("{} has nothing that {} has not", work.target.name, work.from.name),
        format!("{} has transactions that {} has not: export them, and rebuild it", work.target.name, work.from.name),
    )
}

pub(super) async fn variable(work: &Work<'_>, node: &NodeRef<'_>, name: &str) -> Result<Option<String>, SqlError> {
    let mut session = work.session(node).await?;
    let rows = session.rows(&format!("SHOW GLOBAL VARIABLES LIKE '{name}'")).await?;
    Ok(rows.first().and_then(|row| row.text("Value")).map(str::to_owned))
}

/// A silent host proves nothing by itself; the agent's word does.
pub(super) fn process_word(seen: &Seen) -> String {
    match &seen.host {
        Ok(process) if process.is_running() => "its process runs".to_owned(),
        Ok(_) => "no process of it runs".to_owned(),
        Err(why) => format!("its processes are not known ({why})"),
    }
}
