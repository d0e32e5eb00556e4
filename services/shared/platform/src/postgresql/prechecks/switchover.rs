//! A planned move: the old primary is healthy, the target has nearly everything, and the way back is open.

use muster_domain::{
    pb::{execution::v1::Check, observation::v1::PostgresqlFacts},
    time,
};

use super::{
    Seen,
    identity::{agent_is_the_node, distinct_servers},
};
use crate::postgresql::{
    checks::{advisory_unknown, failed, must, passed, unknown, warning},
    lsn::Lsn,
    work::{Work, is_primary, replayed},
};

pub(super) async fn checks(work: &Work<'_>, seen: &Seen) -> Vec<Check> {
    let mut checks = vec![agent_is_the_node(work, seen).await];
    checks.extend(of_databases(work, seen).await);
    checks.push(rewind_is_possible(seen));
    checks.push(way_back(work, seen).await);
    checks
}

/// What the two databases say, whoever stops and starts them.
pub(super) async fn of_databases(work: &Work<'_>, seen: &Seen) -> Vec<Check> {
    vec![
        from_is_primary(work, seen),
        distinct_servers(work).await,
        same_major_version(seen),
        receiver_streams(work, seen),
        slot_is_healthy(work, seen),
        replay_runs(seen),
        unapplied(work, seen),
        no_apply_delay(seen),
        other_standbys(work, seen),
    ]
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
    if state.is_empty() {
        return unknown("replay_not_paused", limit, "the target replays nothing: it is no standby");
    }
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
pub(super) async fn way_back(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = "a replication login succeeds";
    let (source, agent) = match (work.return_path(), work.agent(work.from)) {
        (Ok(source), Ok(agent)) => (source, agent),
        (Err(error), _) | (_, Err(error)) => return failed("way_back", "not configured", limit, error.text),
    };
    match agent.try_source(&source).await {
        Ok(system) => {
            let Ok(target) = &seen.target else { return unknown("way_back", limit, "the target did not answer") };
            let same = target.system_identifier == system;
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
