//! A planned move: the old primary is healthy, the target has nearly everything, and the way back is open.

use muster_domain::pb::{
    execution::v1::Check,
    observation::v1::{RedisFacts, RedisReplica},
};

use super::{Seen, bring_back, holds_data};
use crate::{
    checks::{advisory_unknown, failed, must, passed, unknown, warning},
    redis::work::{Work, is_primary, is_settled, number, shown, up_or_down},
};

/// A replica acknowledges once in a second; older is a link that hangs.
const MAX_ACK_AGE_SECONDS: i64 = 2;
/// A lost key here and there is the clock's work (expiry); a collapse is not.
const COLLAPSED: u64 = 2;

pub(super) async fn checks(work: &Work<'_>, seen: &Seen) -> Vec<Check> {
    vec![
        from_is_primary(work, seen),
        one_history(work, seen),
        link_is_up(work, seen),
        target_is_online(work, seen),
        bytes_behind(work, seen),
        keys_have_not_collapsed(seen),
        holds_data(work, seen),
        priority(work, seen),
        memory(seen),
        other_replicas(work, seen),
        way_back(work).await,
    ]
}

fn from_is_primary(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit, name) = ("from_is_primary", "primary, no failover under way", work.from.name);
    match &seen.from {
        Err(error) => {
            unknown(check, limit, format!("{name} could not be asked: {error}. If it is lost, request a failover"))
        }
        Ok(look) => must(
            check,
            Some(is_primary(&look.facts) && is_settled(&look.facts) && look.facts.loading == Some(false)),
            format!("{} {}", look.facts.role, look.facts.failover_state),
            limit,
            format!("{name} is the primary"),
            format!("{name} is not a settled primary: the roles have changed since the request, or are changing"),
        ),
    }
}

/// Positions count under one replication id only. A primary that was restarted has a new one.
fn one_history(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("one_history", "the same replication id");
    let Some((from, target)) = seen.both() else { return unknown(check, limit, "one side did not answer") };
    let same = !from.replid.is_empty() && from.replid == target.replid;
    let value = format!("{} and {}", short(&from.replid), short(&target.replid));
    must(check, Some(same), value, limit, "one history", format!("{} follows another history", work.target.name))
}

fn link_is_up(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("target_follows", "link up, from this primary");
    let Some(target) = seen.target() else { return unknown(check, limit, "the target did not answer") };
    let value = format!("{}:{}, {}", target.source_host, target.source_port, up_or_down(target.link_up));
    // Another name of the same host is fine where the primary itself lists the target, which is checked beside this.
    let holds = target.link_up.map(|up| up && target.source_port == work.from.port);
    let (name, from) = (work.target.name, work.from.name);
    let bad = format!("{name} does not follow {from}: nothing could be handed over. {}", bring_back(work));
    must(check, holds, value, limit, "the target follows", bad)
}

/// As the primary sees it: FAILOVER takes exactly the pair that it knows its replica by.
fn target_is_online(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = format!("online, acknowledged within {MAX_ACK_AGE_SECONDS} s");
    let check = "primary_knows_target";
    let Ok(from) = &seen.from else { return unknown(check, &limit, "the primary did not answer") };
    let Some(replica) = known(work, &from.facts) else {
        let text = format!("{} lists no replica at port {}", work.from.name, work.target.port);
        return failed(check, "not listed", &limit, text);
    };
    let value = format!("{}:{} {}, {} s", replica.host, replica.port, replica.state, number(replica.lag_seconds));
    let holds = replica.lag_seconds.map(|age| replica.state == "online" && age <= MAX_ACK_AGE_SECONDS);
    must(check, holds, value, &limit, "the primary knows the target", "the target does not acknowledge")
}

fn known<'a>(work: &Work<'_>, primary: &'a RedisFacts) -> Option<&'a RedisReplica> {
    primary.replicas.iter().find(|replica| replica.port == work.target.port)
}

fn bytes_behind(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = format!("{} bytes", work.job.limits.unapplied_bytes);
    let check = "bytes_behind";
    let Some((from, target)) = seen.both() else { return unknown(check, &limit, "one side did not answer") };
    let behind = from.offset.zip(target.offset).map(|(written, applied)| written.saturating_sub(applied));
    let bad = "the target is too far behind: writes would pause until it has caught up. Wait for a quieter time";
    let value = format!("{} bytes", shown(behind));
    must(check, behind.map(|n| n <= work.job.limits.unapplied_bytes), value, &limit, "the target is close enough", bad)
}

/// A primary that came back empty, with a replica that has not been emptied yet.
fn keys_have_not_collapsed(seen: &Seen) -> Check {
    let (check, limit) = ("keys_have_not_collapsed", "about as many on both sides");
    let Some((from, target)) = seen.both() else { return unknown(check, limit, "one side did not answer") };
    let (Some(ours), Some(theirs)) = (from.keys, target.keys) else {
        return unknown(check, limit, "one side does not tell its keys");
    };
    let holds = ours >= theirs / COLLAPSED && theirs >= ours / COLLAPSED;
    let bad = "one side holds far fewer keys: it may have been restarted empty. Look before anything is moved";
    must(check, Some(holds), format!("{ours} and {theirs}"), limit, "both sides hold the same amount", bad)
}

fn priority(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("target_may_be_primary", "replica-priority above 0");
    let priority = seen.target().and_then(|target| target.priority);
    let bad = format!("{} is configured never to be a primary: set replica-priority", work.target.name);
    must(check, priority.map(|p| p > 0), number(priority), limit, "the target may be primary", bad)
}

fn memory(seen: &Seen) -> Check {
    let (check, limit) = ("same_maxmemory", "equal");
    let Some((from, target)) = seen.both() else { return advisory_unknown(check, limit, "one side did not answer") };
    if from.maxmemory == target.maxmemory {
        return passed(check, format!("{} bytes", number(target.maxmemory)), limit, "both hold as much");
    }
    let value = format!("{} and {} bytes", number(from.maxmemory), number(target.maxmemory));
    warning(check, value, limit, "the target may evict or refuse what the old primary holds")
}

fn other_replicas(work: &Work<'_>, seen: &Seen) -> Check {
    let check = "other_replicas";
    let Ok(from) = &seen.from else { return advisory_unknown(check, "none", "the primary did not answer") };
    let others = from.facts.replicas.iter().filter(|replica| replica.port != work.target.port).count();
    if others == 0 {
        return passed(check, "none", "none", "no other replica");
    }
    let text = format!("they stay behind {}: point them at {} afterwards", work.from.name, work.target.name);
    warning(check, others.to_string(), "none", text)
}

/// The old primary will log in to the target with the account of `replication`: masteruser and masterauth of each node.
pub(super) async fn way_back(work: &Work<'_>) -> Check {
    let (check, limit) = ("way_back", "the replication account can log in");
    let Some(login) = &work.job.replication else {
        return failed(check, "not configured", limit, "the resource names no replication account");
    };
    match work.session_as(&work.target, login).await {
        Err(error) => failed(check, "refused", limit, format!("{}: {error}", work.target.name)),
        Ok(mut session) => match session.ask::<String>(&["PING"]).await {
            Ok(_) => passed(check, "granted", limit, format!("{} takes a replica back", work.target.name)),
            Err(error) => failed(check, "refused", limit, format!("{}: {error}", work.target.name)),
        },
    }
}

fn short(replid: &str) -> &str {
    replid.get(..8).unwrap_or(replid)
}
