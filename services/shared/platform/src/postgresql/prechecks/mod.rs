//! What must hold before the first step. Everything is looked at side by side, and what could not be
//! found out is a check with that outcome: unknown counts as failed.

mod failover;
mod identity;
mod switchover;
mod way_home;

use identity::{host_is_ready, same_system};
use muster_domain::pb::{execution::v1::Check, observation::v1::PostgresqlFacts};
use sqlx::Row;
pub(super) use way_home::before_way_home;

use super::{
    checks::{advisory_unknown, failed, must, passed, unknown, warning},
    errors::SqlError,
    work::{Work, is_standby},
};
use crate::{
    MoveKind,
    agent::{ControlData, ServerProcess},
};

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
    checks.extend(match work.job.kind {
        MoveKind::Switchover => switchover::checks(work, &seen).await,
        MoveKind::Failover => failover::checks(work, &seen).await,
    });
    checks.extend(rights(work).await);
    checks.push(free_disk(work).await);
    checks.push(synchronous_standbys(&seen));
    checks
}

/// The databases alone, where somebody else stops and promotes them.
pub(super) async fn databases_before_switchover(work: &Work<'_>) -> Vec<Check> {
    let seen = databases(work).await;
    let mut checks = vec![target_is_standby(work, &seen), same_system(work, &seen)];
    checks.extend(switchover::of_databases(work, &seen).await);
    checks.push(synchronous_standbys(&seen));
    checks
}

pub(super) async fn databases_before_failover(work: &Work<'_>) -> Vec<Check> {
    let seen = databases(work).await;
    let mut checks = vec![target_is_standby(work, &seen)];
    checks.extend(failover::checks(work, &seen).await);
    checks
}

async fn databases(work: &Work<'_>) -> Seen {
    let (from, target) = tokio::join!(work.look(work.from), work.look(work.target));
    Seen { from, target, host: Err("nobody asks its host".to_owned()) }
}

async fn host(work: &Work<'_>) -> Result<Host, String> {
    let agent = work.agent(work.from).map_err(|error| error.text)?;
    Ok(Host {
        process: agent.process().await.map_err(|error| error.to_string())?,
        control: agent.control_data().await.map_err(|error| error.to_string())?,
    })
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

/// What the execution account may do, asked on the target: grants are replicated.
async fn rights(work: &Work<'_>) -> Vec<Check> {
    const RIGHTS: &str = "
SELECT has_function_privilege('pg_promote(boolean, integer)', 'EXECUTE') AS promote,
       coalesce((SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), false) AS slots,
       coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false)
           OR EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'pg_checkpoint' AND pg_has_role(current_user, oid, 'USAGE')) AS checkpoint";
    let found = async {
        let mut session = work.looking(work.target).await?;
        let row = session.one(sqlx::query(RIGHTS)).await?;
        work.keep(work.target, session);
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
