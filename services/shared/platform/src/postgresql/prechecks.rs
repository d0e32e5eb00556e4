//! What must hold before the first step. Everything is looked at side by side, and what could not be
//! found out is a check with that outcome: unknown counts as failed.

use std::time::Duration;

use muster_domain::{
    pb::{
        execution::v1::Check,
        inventory::v1::PostgresqlNode,
        observation::v1::{ErrorClass, PostgresqlFacts},
    },
    time,
};
use sqlx::Row;

use super::{
    checks::{advisory_unknown, failed, must, passed, unknown, warning},
    errors::SqlError,
    lsn::Lsn,
    steps::test_write,
    work::{Work, is_primary, is_standby, received, replayed, shown},
};
use crate::{
    MoveKind,
    agent::{ClusterState, ControlData, ServerProcess},
};

/// A receiver that heard from its primary this recently has one. An idle link is silent for up to 30 s,
/// so a longer silence says nothing (lie L4).
const ALIVE_WITHIN: Duration = Duration::from_secs(10);

/// What was found out about the two sides, once.
struct Seen {
    from: Result<PostgresqlFacts, SqlError>,
    target: Result<PostgresqlFacts, SqlError>,
    host: Result<Host, String>,
}

/// The host of the old primary, as its agent sees it.
struct Host {
    control: ControlData,
    process: ServerProcess,
}

pub(super) async fn run(work: &Work<'_>) -> Vec<Check> {
    let (from, target, host) = tokio::join!(work.look(work.from), work.look(work.target), host(work));
    let seen = Seen { from, target, host };
    let mut checks = vec![target_is_standby(work, &seen), host_is_ready(work, &seen).await, same_system(work, &seen)];
    match work.job.kind {
        MoveKind::Switchover => switchover(work, &seen, &mut checks).await,
        MoveKind::Failover => failover(work, &seen, &mut checks).await,
    }
    checks.extend(rights(work).await);
    checks.push(free_disk(work).await);
    checks.push(synchronous_standbys(&seen));
    checks
}

async fn host(work: &Work<'_>) -> Result<Host, String> {
    let agent = work.agent(work.from).map_err(|error| error.text)?;
    Ok(Host {
        process: agent.process().await.map_err(|error| error.to_string())?,
        control: agent.control_data().await.map_err(|error| error.to_string())?,
    })
}

async fn switchover(work: &Work<'_>, seen: &Seen, checks: &mut Vec<Check>) {
    checks.push(from_is_primary(work, seen));
    checks.push(agent_is_the_node(work, seen).await);
    checks.push(distinct_servers(work).await);
    checks.push(same_major_version(seen));
    checks.push(receiver_streams(work, seen));
    checks.push(slot_is_healthy(work, seen));
    checks.push(replay_runs(seen));
    checks.push(unapplied(work, seen));
    checks.push(no_apply_delay(seen));
    checks.push(other_standbys(work, seen));
    checks.push(rewind_is_possible(seen));
    checks.push(way_back(work, seen).await);
}

async fn failover(work: &Work<'_>, seen: &Seen, checks: &mut Vec<Check>) {
    checks.push(primary_is_gone(work, seen).await);
    checks.push(target_lost_primary(work, seen));
    checks.push(last_known_position(work, seen));
    checks.push(unapplied_advisory(seen));
}

fn target_is_standby(work: &Work<'_>, seen: &Seen) -> Check {
    let name = &work.target.name;
    match &seen.target {
        Err(error) => unknown("target_is_standby", "in recovery", format!("{name} could not be asked: {error}")),
        Ok(facts) if facts.limited_view => failed(
            "target_is_standby",
            "no pg_monitor",
            "in recovery, fully visible",
            format!("the account {} lacks pg_monitor on {name}: GRANT pg_monitor TO it", work.job.execute.user),
        ),
        Ok(facts) => must(
            "target_is_standby",
            facts.in_recovery,
            if is_standby(facts) { "in recovery" } else { "primary" },
            "in recovery",
            format!("{name} is a standby"),
            format!("{name} is not a standby, so there is nothing to promote"),
        ),
    }
}

fn from_is_primary(work: &Work<'_>, seen: &Seen) -> Check {
    let name = &work.from.name;
    match &seen.from {
        Err(error) => unknown(
            "from_is_primary",
            "primary",
            format!("{name} could not be asked: {error}. If it is lost, request a failover"),
        ),
        Ok(facts) => must(
            "from_is_primary",
            facts.in_recovery.map(|in_recovery| !in_recovery),
            if is_primary(facts) { "primary" } else { "in recovery" },
            "primary",
            format!("{name} is the primary"),
            format!("{name} is not the primary: the roles have changed since the request"),
        ),
    }
}

/// The agent must answer, be another server than the target, and stand on a primary.
async fn host_is_ready(work: &Work<'_>, seen: &Seen) -> Check {
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
async fn agent_is_the_node(work: &Work<'_>, seen: &Seen) -> Check {
    let (name, limit) = (&work.from.name, "the same port and system");
    let Ok(Host { control, process: ServerProcess::Running(server) }) = &seen.host else {
        return unknown("agent_is_the_node", limit, format!("the agent of {name} sees no running server"));
    };
    let port = match own_port(work, work.from).await {
        Ok(port) => port,
        Err(error) => return unknown("agent_is_the_node", limit, format!("{name} could not be asked: {error}")),
    };
    let same_system = seen.from.as_ref().is_ok_and(|facts| facts.system_identifier == control.system_identifier);
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
    let mut session = work.session(node).await?;
    let row = session.one(sqlx::query("SELECT current_setting('port')::int AS port")).await?;
    let port: i32 = row.try_get("port")?;
    u16::try_from(port).map_err(|_| SqlError::new(ErrorClass::Protocol, format!("port {port}")))
}

/// Two addresses can lead to one server; stopping one side would then stop both.
async fn distinct_servers(work: &Work<'_>) -> Check {
    let limit = "two servers";
    let started = async |node: &PostgresqlNode| -> Result<(i64, String), SqlError> {
        let mut session = work.session(node).await?;
        let query = "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS started,
                            concat(current_setting('data_directory', true), ' ', current_setting('port')) AS place";
        let row = session.one(sqlx::query(query)).await?;
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

fn same_system(work: &Work<'_>, seen: &Seen) -> Check {
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

fn same_major_version(seen: &Seen) -> Check {
    let (Ok(from), Ok(target)) = (&seen.from, &seen.target) else {
        return unknown("same_major_version", "equal", "one side did not answer");
    };
    let (a, b) = (from.server_version_num / 10_000, target.server_version_num / 10_000);
    let value = format!("{a} and {b}");
    must(
        "same_major_version",
        Some(a == b && a != 0),
        value,
        "equal",
        "same major version",
        "different major versions cannot replicate",
    )
}

fn receiver_streams(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = "streaming";
    let Ok(target) = &seen.target else { return unknown("target_streams", limit, "the target did not answer") };
    let status = target.wal_receiver.as_ref().map_or("none", |receiver| receiver.status.as_str());
    let bad = format!("{} receives nothing: a clean stop could not hand over its last log", work.target.name);
    must("target_streams", Some(status == "streaming"), status, limit, "the target streams", bad)
}

/// The slot ties the two together: it proves that the target streams from this primary and not from
/// another one, and that no log it needs is removed.
fn slot_is_healthy(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = "active, reserved";
    let (Ok(from), Ok(target)) = (&seen.from, &seen.target) else {
        return unknown("target_uses_slot", limit, "one side did not answer");
    };
    let name = target.wal_receiver.as_ref().map(|receiver| receiver.slot_name.clone()).unwrap_or_default();
    if name.is_empty() {
        let streams = from.wal_senders.iter().any(|sender| sender.state == "streaming");
        let bad = format!("{} streams without a slot and {} streams to nobody", work.target.name, work.from.name);
        return if streams {
            warning(
                "target_uses_slot",
                "no slot",
                limit,
                "the target streams without a slot: log it needs can be removed",
            )
        } else {
            failed("target_uses_slot", "no slot", limit, bad)
        };
    }
    match from.slots.iter().find(|slot| slot.name == name) {
        Some(slot) if slot.active && slot.wal_status == "reserved" => {
            passed("target_uses_slot", name, limit, "the target streams from this primary through its slot")
        }
        Some(slot) if slot.active && slot.wal_status == "extended" => {
            warning("target_uses_slot", format!("{name}: extended"), limit, "the slot holds more log than max_wal_size")
        }
        Some(slot) => {
            let value = format!("{name}: {}, {}", if slot.active { "active" } else { "inactive" }, slot.wal_status);
            failed("target_uses_slot", value, limit, "the target's slot is not healthy")
        }
        None => {
            let text = format!("{} has no slot {name}: the target is a standby of something else", work.from.name);
            failed("target_uses_slot", name, limit, text)
        }
    }
}

fn replay_runs(seen: &Seen) -> Check {
    let limit = "not paused";
    let Ok(target) = &seen.target else { return unknown("replay_not_paused", limit, "the target did not answer") };
    let state = target.replay_pause_state.as_str();
    let bad = "replay is paused on the target: SELECT pg_wal_replay_resume()";
    must("replay_not_paused", Some(state == limit), state, limit, "replay runs", bad)
}

/// Between what the primary has written and what the target has applied.
fn unapplied(work: &Work<'_>, seen: &Seen) -> Check {
    let allowed = work.job.limits.unapplied_bytes;
    let limit = format!("{allowed} bytes");
    let (Ok(from), Ok(target)) = (&seen.from, &seen.target) else {
        return unknown("bytes_behind", &limit, "one side did not answer");
    };
    let (Some(written), Some(applied)) = (from.current_lsn.map(Lsn), replayed(target)) else {
        return unknown("bytes_behind", &limit, "one side tells no position");
    };
    let behind = written.bytes_since(applied);
    let bad = "the target is too far behind: the outage would last until it has caught up. Wait for a quieter time";
    must("bytes_behind", Some(behind <= allowed), format!("{behind} bytes"), &limit, "the target is close enough", bad)
}

fn no_apply_delay(seen: &Seen) -> Check {
    let delay =
        seen.target.as_ref().ok().and_then(|facts| time::duration_from_pb(facts.recovery_min_apply_delay.as_ref()));
    let Some(delay) = delay else { return unknown("no_apply_delay", "0 s", "recovery_min_apply_delay is not known") };
    let bad = "the target delays what it applies: set recovery_min_apply_delay to 0 first";
    must("no_apply_delay", Some(delay.is_zero()), time::humane(delay), "0 s", "no apply delay", bad)
}

fn other_standbys(work: &Work<'_>, seen: &Seen) -> Check {
    let Ok(from) = &seen.from else { return advisory_unknown("other_standbys", "1", "the primary did not answer") };
    let count = from.wal_senders.len();
    if count > 1 {
        let text = format!(
            "{} streams to {count} receivers: the others follow only if they can reach {}",
            work.from.name, work.target.name
        );
        return warning("other_standbys", count.to_string(), "1", text);
    }
    passed("other_standbys", count.to_string(), "1", "no other receiver")
}

fn rewind_is_possible(seen: &Seen) -> Check {
    let limit = "wal_log_hints or checksums on both";
    let (Ok(from), Ok(target)) = (&seen.from, &seen.target) else {
        return advisory_unknown("rewind_possible", limit, "one side did not answer");
    };
    let able = |facts: &PostgresqlFacts| facts.wal_log_hints == Some(true) || facts.data_checksums == Some(true);
    if able(from) && able(target) {
        return passed("rewind_possible", "on", limit, "a later failover can be followed by a rewind");
    }
    warning(
        "rewind_possible",
        "off",
        limit,
        "not needed here; after a failover the old primary would have to be rebuilt",
    )
}

/// Tried from the old primary's own host, before anything is stopped: can it stream from the target?
async fn way_back(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = "a replication login succeeds";
    let (source, agent) = match (work.return_path(), work.agent(work.from)) {
        (Ok(source), Ok(agent)) => (source, agent),
        (Err(error), _) | (_, Err(error)) => return failed("way_back", "not configured", limit, error.text),
    };
    match agent.try_source(&source).await {
        Ok(system) => {
            let same = seen.target.as_ref().is_ok_and(|facts| facts.system_identifier == system);
            let bad = "the replication login leads to another system";
            must("way_back", Some(same), system, limit, "the old primary can stream from the target", bad)
        }
        Err(crate::AgentError::CannotRun { program, why }) => advisory_unknown(
            "way_back",
            limit,
            format!("{program} could not be run on the host, so it was not tried: {why}"),
        ),
        Err(error) => failed(
            "way_back",
            "refused",
            limit,
            format!(
                "{} could not come back as a standby: {error}. See pg_hba.conf and the replication account",
                work.from.name
            ),
        ),
    }
}

/// The first of two vantage points: ours.
async fn primary_is_gone(work: &Work<'_>, seen: &Seen) -> Check {
    let (name, limit) = (&work.from.name, "does not accept writes");
    let advice = "request a switchover instead: it loses nothing";
    match &seen.from {
        Ok(facts) if is_standby(facts) => {
            warning("primary_is_gone", "in recovery", limit, format!("{name} answers as a standby"))
        }
        Ok(_) => match write(work).await {
            Ok(()) => failed(
                "primary_is_gone",
                "accepts writes",
                limit,
                format!("{name} is alive and accepts writes; {advice}"),
            ),
            Err(error) => warning(
                "primary_is_gone",
                "answers",
                limit,
                format!("{name} answers and accepts no writes ({error}); the fence stops it"),
            ),
        },
        Err(error) if error.class == ErrorClass::Unreachable => {
            passed("primary_is_gone", "unreachable", limit, format!("{name}: {error}"))
        }
        Err(error) if error.class == ErrorClass::NotReady && error.code.as_deref() != Some("53300") => {
            warning("primary_is_gone", "not ready", limit, format!("{name}: {error}; the fence stops it"))
        }
        Err(error) => unknown(
            "primary_is_gone",
            limit,
            format!("{name} answers and cannot be judged ({error}). If it is healthy, {advice}"),
        ),
    }
}

async fn write(work: &Work<'_>) -> Result<(), SqlError> {
    let mut session = work.session(work.from).await?;
    test_write(&mut session).await.map(drop)
}

/// The second vantage point: the target's own link to its primary.
fn target_lost_primary(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = "no receiver that hears from a primary";
    let Ok(target) = &seen.target else { return unknown("target_lost_primary", limit, "the target did not answer") };
    let Some(receiver) = target.wal_receiver.as_ref().filter(|receiver| receiver.status == "streaming") else {
        return passed("target_lost_primary", "no receiver", limit, format!("{} receives nothing", work.target.name));
    };
    let heard = time::from_pb(receiver.last_message_receipt_at.as_ref());
    let now = time::from_pb(target.server_time.as_ref());
    let Some((now, heard)) = now.zip(heard) else {
        return unknown("target_lost_primary", limit, "when the target heard from a primary is not known");
    };
    let silent = now.duration_since(heard);
    let value = format!("streaming, silent for {}", time::humane(silent));
    if silent.unsigned_abs() <= ALIVE_WITHIN {
        let text = format!("{} hears from a primary: it is alive, only not reachable from here", work.target.name);
        return failed("target_lost_primary", value, limit, text);
    }
    warning("target_lost_primary", value, limit, "the receiver has not noticed the loss yet")
}

fn last_known_position(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = "known";
    let Some(last) = &work.job.last_known_primary else {
        return warning(
            "last_known_position",
            "unknown",
            limit,
            "the primary's last position is not known, so nothing bounds the loss",
        );
    };
    let received = seen.target.as_ref().ok().and_then(received);
    let missing = received.map_or("unknown".to_owned(), |lsn| format!("{} bytes", Lsn(last.lsn).bytes_since(lsn)));
    let text = format!("the primary was last seen at {} ({}); received {}", Lsn(last.lsn), last.at, shown(received));
    passed("last_known_position", format!("{missing} not received as last known"), limit, text)
}

fn unapplied_advisory(seen: &Seen) -> Check {
    let limit = "0 bytes";
    let Ok(target) = &seen.target else { return advisory_unknown("unapplied", limit, "the target did not answer") };
    let (Some(received), Some(applied)) = (received(target), replayed(target)) else {
        return advisory_unknown("unapplied", limit, "the target tells no position");
    };
    let bytes = received.bytes_since(applied);
    let state = &target.replay_pause_state;
    if bytes == 0 && state == "not paused" {
        return passed("unapplied", "0 bytes", limit, "everything received is applied");
    }
    warning(
        "unapplied",
        format!("{bytes} bytes, replay {state}"),
        limit,
        "received and not applied yet: the promotion applies it first",
    )
}

/// What the execution account may do, asked on the target: grants are replicated.
async fn rights(work: &Work<'_>) -> Vec<Check> {
    const RIGHTS: &str = "
SELECT has_function_privilege('pg_promote(boolean, integer)', 'EXECUTE') AS promote,
       coalesce((SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), false) AS slots,
       coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false)
           OR EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'pg_checkpoint' AND pg_has_role(current_user, oid, 'USAGE')) AS checkpoint";
    let found = async {
        let mut session = work.session(work.target).await?;
        let row = session.one(sqlx::query(RIGHTS)).await?;
        Ok::<[bool; 3], SqlError>([row.try_get("promote")?, row.try_get("slots")?, row.try_get("checkpoint")?])
    };
    let account = &work.job.execute.user;
    match found.await {
        Err(error) => {
            vec![unknown("may_promote", "granted", format!("the rights of {account} could not be read: {error}"))]
        }
        Ok([promote, slots, checkpoint]) => {
            let granted = |yes: bool| if yes { "granted" } else { "missing" };
            let grant = format!("GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO {account}");
            let mut checks =
                vec![must("may_promote", Some(promote), granted(promote), "granted", "may promote", grant)];
            if work.job.kind == MoveKind::Switchover {
                let alter = format!("ALTER ROLE {account} REPLICATION");
                checks.push(must(
                    "may_create_slots",
                    Some(slots),
                    granted(slots),
                    "granted",
                    "may create slots",
                    alter,
                ));
            }
            checks.push(if checkpoint {
                passed("may_checkpoint", "granted", "granted", "may checkpoint")
            } else {
                warning(
                    "may_checkpoint",
                    "missing",
                    "granted",
                    format!("the stop takes longer; GRANT pg_checkpoint TO {account}"),
                )
            });
            checks
        }
    }
}

async fn free_disk(work: &Work<'_>) -> Check {
    let allowed = work.job.limits.free_disk_bytes;
    let limit = format!("{} MiB", allowed >> 20);
    let Ok(agent) = work.agent(work.target) else {
        return advisory_unknown("target_free_disk", &limit, format!("{} has no host agent to ask", work.target.name));
    };
    match agent.free_disk().await {
        Ok(free) if free >= allowed => passed("target_free_disk", format!("{} MiB", free >> 20), &limit, "enough room"),
        Ok(free) if work.job.kind == MoveKind::Failover => {
            warning("target_free_disk", format!("{} MiB", free >> 20), &limit, "little room on the target")
        }
        Ok(free) => failed(
            "target_free_disk",
            format!("{} MiB", free >> 20),
            &limit,
            "too little room for the log it must keep",
        ),
        Err(error) => advisory_unknown("target_free_disk", &limit, error.to_string()),
    }
}

/// Commits on the new primary would wait for standbys that may not exist.
fn synchronous_standbys(seen: &Seen) -> Check {
    let Ok(target) = &seen.target else {
        return advisory_unknown("synchronous_standbys", "none", "the target did not answer");
    };
    let names = &target.synchronous_standby_names;
    if names.is_empty() {
        return passed("synchronous_standbys", "none", "none", "the new primary waits for no standby");
    }
    warning(
        "synchronous_standbys",
        names,
        "none",
        "commits on the new primary wait for these standbys until they are there",
    )
}
