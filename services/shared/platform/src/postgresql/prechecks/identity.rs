//! Whether the things that are named are the things that are meant: the agent stops the server that
//! answers, two nodes are two servers, and both are one cluster.

use muster_domain::pb::{execution::v1::Check, inventory::v1::PostgresqlNode, observation::v1::ErrorClass};
use sqlx::Row;

use super::{Host, Seen};
use crate::{
    agent::{ClusterState, ServerProcess},
    postgresql::{
        checks::{failed, must, passed, unknown},
        errors::SqlError,
        work::Work,
    },
};

/// The agent must answer, be another server than the target, and stand on a primary.
pub(super) async fn host_is_ready(work: &Work<'_>, seen: &Seen) -> Check {
    let (name, limit) = (&work.from.name, "answers, and is not the target");
    let host = match &seen.host {
        Ok(host) => host,
        Err(why) => {
            return unknown(
                "old_primary_can_be_fenced",
                limit,
                format!("the host of {name} cannot be acted on: {why}"),
            );
        }
    };
    let own = work.agent(work.from).map(|agent| (agent.identity(), agent.describe()));
    let other = work.agent(work.target).map(|agent| agent.identity());
    let Ok((identity, describe)) = own else { return unknown("old_primary_can_be_fenced", limit, "no agent") };
    if other.is_ok_and(|other| other == identity) {
        return failed("old_primary_can_be_fenced", describe, limit, "both nodes name the same server's agent");
    }
    let state = host.control.state;
    if host.process.is_running() && state.is_standby() {
        let text = format!("the agent of {name} stands on a running standby ({state}): it is not the primary's");
        return failed("old_primary_can_be_fenced", describe, limit, text);
    }
    passed("old_primary_can_be_fenced", state.to_string(), limit, format!("{name}: {describe}"))
}

/// The server the agent would stop is the server that answers under the node's address.
pub(super) async fn agent_is_the_node(work: &Work<'_>, seen: &Seen) -> Check {
    let (name, limit) = (&work.from.name, "the same port and system");
    let Ok(Host { control, process: ServerProcess::Running(server) }) = &seen.host else {
        return unknown("agent_is_the_node", limit, format!("the agent of {name} sees no running server"));
    };
    let port = match own_port(work, work.from).await {
        Ok(port) => port,
        Err(error) => return unknown("agent_is_the_node", limit, format!("{name} could not be asked: {error}")),
    };
    let Ok(facts) = &seen.from else {
        return unknown("agent_is_the_node", limit, format!("{name} did not answer"));
    };
    let same_system = facts.system_identifier == control.system_identifier;
    let value = format!("port {} at the host, {port} by SQL", server.port.map_or("unknown".into(), |p| p.to_string()));
    let holds =
        server.port.map(|at_host| at_host == port && same_system && control.state == ClusterState::InProduction);
    let bad = format!("the agent of {name} would stop another server than the one that answers at its address");
    must(
        "agent_is_the_node",
        holds,
        value,
        limit,
        format!("the agent of {name} stands on the server that answers"),
        bad,
    )
}

async fn own_port(work: &Work<'_>, node: &PostgresqlNode) -> Result<u16, SqlError> {
    let mut session = work.looking(node).await?;
    let row = session.one(sqlx::query("SELECT current_setting('port')::int AS port")).await?;
    work.keep(node, session);
    let port: i32 = row.try_get("port")?;
    u16::try_from(port).map_err(|_| SqlError::new(ErrorClass::Protocol, format!("port {port}")))
}

/// Two addresses can lead to one server; stopping one side would then stop both.
pub(super) async fn distinct_servers(work: &Work<'_>) -> Check {
    let limit = "two servers";
    let started = async |node: &PostgresqlNode| -> Result<(i64, String), SqlError> {
        let mut session = work.looking(node).await?;
        let query = "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS started,
                            concat(current_setting('data_directory', true), ' ', current_setting('port')) AS place";
        let row = session.one(sqlx::query(query)).await?;
        work.keep(node, session);
        Ok((row.try_get("started")?, row.try_get("place")?))
    };
    match tokio::join!(started(work.from), started(work.target)) {
        (Ok(a), Ok(b)) => must(
            "distinct_servers",
            Some(a != b),
            if a == b { "one server" } else { "two servers" },
            limit,
            "the two addresses are two servers",
            "both addresses lead to the same server",
        ),
        (Err(error), _) | (_, Err(error)) => unknown("distinct_servers", limit, error.to_string()),
    }
}

pub(super) fn same_system(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = "one system identifier";
    let by_sql = seen.from.as_ref().ok().map(|facts| facts.system_identifier.clone());
    let from = by_sql.or_else(|| seen.host.as_ref().ok().map(|host| host.control.system_identifier.clone()));
    let (Some(from), Ok(target)) = (from, &seen.target) else {
        return unknown("same_system", limit, "the system identifier of one side is not known");
    };
    let same = !from.is_empty() && from == target.system_identifier;
    let value = if same { from.clone() } else { format!("{from} and {}", target.system_identifier) };
    let bad = format!("{} is not a standby of {}: they are different clusters", work.target.name, work.from.name);
    must("same_system", Some(same), value, limit, "both are one cluster", bad)
}
