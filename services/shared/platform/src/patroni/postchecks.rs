//! What must hold afterwards, looked at anew and not remembered.

use muster_domain::pb::execution::v1::Check;

use super::{steps::LEADER_LSN, work::Work};
use crate::{
    Facts, MoveKind,
    checks::{advisory_unknown, failed, must, passed, unknown, warning},
    postgresql::{
        databases::{self, is_standby, look},
        fact,
    },
};

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Vec<Check> {
    let mut checks = vec![target_leads(work).await];
    checks.extend(databases::postchecks(&work.databases, facts).await);
    checks.push(old_leader_is_no_primary(work).await);
    match work.job.kind {
        MoveKind::Switchover => checks.push(fork_is_complete(facts)),
        MoveKind::Failover => checks.push(has_standby(work).await),
    }
    checks
}

async fn target_leads(work: &Work<'_>) -> Check {
    let (name, target) = ("target_leads", &work.target.name);
    match work.cluster().await {
        Ok(cluster) => must(
            name,
            Some(cluster.leader() == Some(target)),
            cluster.shown(),
            target,
            format!("{target} holds Patroni's lock"),
            format!("{target} does not hold Patroni's lock"),
        ),
        Err(error) => unknown(name, target, format!("Patroni could not be asked: {error}")),
    }
}

/// The proof that Patroni's lock did what it is for.
async fn old_leader_is_no_primary(work: &Work<'_>) -> Check {
    let (name, limit, from) = ("old_leader_is_no_primary", "not a primary", &work.from.name);
    match look(&work.databases, from).await {
        Ok(seen) if is_standby(&seen) => passed(name, "in recovery", limit, format!("{from} is a standby")),
        Ok(_) => {
            failed(name, "primary", limit, format!("{from} still answers as a primary: two members accept writes"))
        }
        // Lost is what a failover is for. That it cannot write is Patroni's promise then, and its watchdog's.
        Err(error) if work.job.kind == MoveKind::Failover => warning(
            name,
            "no answer",
            limit,
            format!("{from} does not answer ({error}); its lease is over, so Patroni lets it write nothing"),
        ),
        Err(error) => unknown(name, limit, format!("{from} could not be asked: {error}")),
    }
}

fn fork_is_complete(facts: &Facts) -> Check {
    let name = "fork_after_leader_position";
    let (Ok(fork), Ok(before)) = (fact::lsn(facts, fact::FORK_LSN), fact::lsn(facts, LEADER_LSN)) else {
        return advisory_unknown(
            name,
            "at or behind the leader's position before",
            "Patroni's history does not name it yet",
        );
    };
    let limit = format!("at least {before}");
    must(
        name,
        Some(fork >= before),
        fork.to_string(),
        &limit,
        "what was written before the switchover is there",
        "log is missing on the new primary",
    )
}

async fn has_standby(work: &Work<'_>) -> Check {
    let (name, limit, from) = ("has_standby", "one", &work.from.name);
    match look(&work.databases, from).await {
        Ok(seen) if seen.wal_receiver.as_ref().is_some_and(|receiver| receiver.status == "streaming") => {
            passed(name, "one", limit, format!("{from} streams again"))
        }
        _ => warning(
            name,
            "none",
            limit,
            format!("{} has no standby now: start Patroni on {from}, it brings it back by itself", work.target.name),
        ),
    }
}
