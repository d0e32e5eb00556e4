//! What must hold before the first step: what Patroni says, and what the databases say themselves.

mod cluster;
mod members;

use cluster::{
    from_leads, leader_is_lost, lock_is_the_fence, members_are_known, no_standby_cluster, not_paused,
    nothing_scheduled, target_is_synchronous, target_may_lead,
};
use members::{lag_is_allowed, no_pending_restart, positions, status, store_is_seen};
use muster_domain::pb::execution::v1::Check;

use super::{answers::Cluster, api::ApiError, work::Work};
use crate::{
    MoveKind,
    checks::{failed, must, passed, unknown, warning},
    postgresql::databases::{self, is_primary, look},
};

pub(super) async fn run(work: &Work<'_>) -> Vec<Check> {
    let cluster = match work.cluster().await {
        Ok(cluster) => cluster,
        Err(error) => {
            return vec![unknown(
                "patroni_answers",
                "an answer",
                format!("no member's Patroni could be asked: {error}"),
            )];
        }
    };
    let mut checks = vec![passed("patroni_answers", cluster.shown(), "an answer", "Patroni answers")];
    checks.push(members_are_known(work, &cluster));
    checks.push(login_is_accepted(work).await);
    match work.job.kind {
        MoveKind::Switchover => checks.extend(Box::pin(before_switchover(work, &cluster)).await),
        MoveKind::Failover => checks.extend(Box::pin(before_failover(work, &cluster)).await),
    }
    checks
}

async fn before_switchover(work: &Work<'_>, cluster: &Cluster) -> Vec<Check> {
    let (config, databases, from, target, standby) = tokio::join!(
        work.config(),
        databases::switchover_prechecks(&work.databases),
        status(work, &work.from.name),
        status(work, &work.target.name),
        positions(work),
    );
    let mut checks = vec![
        from_leads(work, cluster),
        not_paused(cluster),
        nothing_scheduled(cluster),
        target_may_lead(work, cluster),
        target_is_synchronous(work, cluster, &config),
        lag_is_allowed(&config, &standby),
        no_standby_cluster(&config),
    ];
    for (node, status) in [(&work.from.name, &from), (&work.target.name, &target)] {
        checks.push(store_is_seen(node, status, &standby));
        checks.push(no_pending_restart(node, status));
    }
    checks.extend(databases);
    checks
}

async fn before_failover(work: &Work<'_>, cluster: &Cluster) -> Vec<Check> {
    let target = &work.target.name;
    if cluster.leader() == Some(target) {
        let seen = look(&work.databases, target).await;
        let primary = seen.as_ref().ok().map(is_primary);
        let good =
            format!("Patroni has failed over to {target} already; this run proves it and says what may be missing");
        return vec![must(
            "leader_is_lost",
            primary,
            "failed over",
            "no leader",
            good,
            format!("{target} leads and is no primary yet"),
        )];
    }
    let mut checks = vec![leader_is_lost(work, cluster), target_may_lead(work, cluster)];
    checks.push(if cluster.pause {
        warning("not_paused", "paused", "not paused", "Patroni is paused: it fails over only because it is asked to")
    } else {
        passed("not_paused", "not paused", "not paused", "Patroni is at work")
    });
    checks.push(lock_is_the_fence(work));
    checks.extend(databases::failover_prechecks(&work.databases).await);
    checks
}

async fn login_is_accepted(work: &Work<'_>) -> Check {
    let (name, limit) = ("patroni_login", "accepted");
    let tried = async { work.api(work.target)?.try_login(&work.from.name).await };
    match tried.await {
        Ok(()) => passed(name, "accepted", limit, "the REST API takes the execution account"),
        Err(ApiError::Refused { status: status @ (401 | 403), text }) => {
            failed(name, status.to_string(), limit, format!("the REST API refuses the execution account: {text}"))
        }
        Err(error) => unknown(name, limit, format!("the REST API of {} could not be tried: {error}", work.target.name)),
    }
}
