//! What Patroni's members agree on: who leads, and whether the leadership may be moved at all.

use muster_domain::pb::execution::v1::Check;

use crate::{
    MoveKind,
    checks::{advisory_unknown, failed, must, passed, unknown, warning},
    patroni::{
        answers::{Cluster, Config},
        api::ApiError,
        work::Work,
    },
};

pub(super) fn members_are_known(work: &Work<'_>, cluster: &Cluster) -> Check {
    let limit = format!("{} and {}", work.from.name, work.target.name);
    let known = |name: &str| cluster.member(name).is_some();
    // A lost member leaves the list when its key is over.
    let holds = known(&work.target.name) && (known(&work.from.name) || work.job.kind == MoveKind::Failover);
    let bad = "Patroni does not know a declared member by that name: the names in the manifest are Patroni's own";
    must("members_are_known", Some(holds), cluster.shown(), &limit, "the declared members are Patroni's", bad)
}

pub(super) fn from_leads(work: &Work<'_>, cluster: &Cluster) -> Check {
    let from = &work.from.name;
    let bad = match cluster.leader() {
        Some(other) => format!("{other} leads: the roles have changed since the request"),
        None => format!("nobody leads. If {from} is lost, request a failover"),
    };
    must(
        "from_leads",
        Some(cluster.leader() == Some(from)),
        cluster.shown(),
        from,
        format!("{from} holds Patroni's lock"),
        bad,
    )
}

pub(super) fn not_paused(cluster: &Cluster) -> Check {
    let value = if cluster.pause { "paused" } else { "not paused" };
    let bad = "Patroni is paused: somebody works on the cluster. `patronictl resume` when that is over";
    must("not_paused", Some(!cluster.pause), value, "not paused", "Patroni is at work", bad)
}

pub(super) fn nothing_scheduled(cluster: &Cluster) -> Check {
    let (name, limit) = ("nothing_scheduled", "none");
    match &cluster.scheduled_switchover {
        None => passed(name, "none", limit, "no switchover is scheduled"),
        Some(scheduled) => failed(
            name,
            &scheduled.at,
            limit,
            "a scheduled switchover would move it again later: `patronictl flush <cluster> switchover`",
        ),
    }
}

pub(super) fn target_may_lead(work: &Work<'_>, cluster: &Cluster) -> Check {
    let target = &work.target.name;
    let refuses = cluster.member(target).map(|member| member.must_not_lead());
    let value = if refuses == Some(true) { "nofailover" } else { "no such tag" };
    let bad = format!("{target} carries the tag nofailover: its operator does not want it to lead");
    must(
        "target_may_lead",
        refuses.map(|refuses| !refuses),
        value,
        "no tag nofailover",
        format!("{target} may lead"),
        bad,
    )
}

pub(super) fn target_is_synchronous(work: &Work<'_>, cluster: &Cluster, config: &Result<Config, ApiError>) -> Check {
    let (name, limit, target) = ("target_is_synchronous", "sync_standby, if synchronous_mode is on", &work.target.name);
    match config {
        Err(error) => unknown(name, limit, format!("Patroni's settings could not be read: {error}")),
        Ok(config) if !config.is_synchronous() => {
            passed(name, "synchronous_mode is off", limit, "every streaming member may lead")
        }
        Ok(_) => {
            let role = cluster.member(target).map(|member| member.role.as_str()).unwrap_or_default();
            let bad = format!("with synchronous_mode only the synchronous standby may lead, and {target} is none");
            must(name, Some(role == "sync_standby"), role, limit, format!("{target} is the synchronous standby"), bad)
        }
    }
}

pub(super) fn no_standby_cluster(config: &Result<Config, ApiError>) -> Check {
    let (name, limit) = ("no_standby_cluster", "a cluster of its own");
    match config {
        Err(error) => advisory_unknown(name, limit, format!("Patroni's settings could not be read: {error}")),
        Ok(config) if config.standby_cluster.as_ref().is_none_or(serde_json::Value::is_null) => {
            passed(name, "none", limit, "the cluster follows no other")
        }
        Ok(_) => failed(
            name,
            "standby_cluster",
            limit,
            "the whole cluster follows another one: a switchover inside it does not move the service",
        ),
    }
}

pub(super) fn leader_is_lost(work: &Work<'_>, cluster: &Cluster) -> Check {
    let (name, limit, from) = ("leader_is_lost", "no leader", &work.from.name);
    match cluster.leader() {
        None => passed(name, "none", limit, "no member holds Patroni's lock"),
        // Its lease may still run: whether it is lost is what the database says.
        Some(leader) if leader == from => {
            warning(name, leader, limit, format!("{from} still holds the lock; the run waits until its lease is over"))
        }
        Some(other) => failed(name, other, limit, format!("{other} leads: the roles have changed since the request")),
    }
}

/// Muster cannot fence what only Patroni may stop. It says so before anybody relies on it.
pub(super) fn lock_is_the_fence(work: &Work<'_>) -> Check {
    warning(
        "lock_is_the_fence",
        "Patroni's lock",
        "power, storage or network",
        format!(
            "that {} writes nothing any more rests on Patroni's lock alone, and on its watchdog where one is set up",
            work.from.name
        ),
    )
}
