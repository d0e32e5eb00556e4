//! What must hold before the first step: what Patroni says, and what the databases say themselves.

use muster_domain::pb::{execution::v1::Check, observation::v1::PostgresqlFacts};

use super::{
    answers::{Cluster, Config, MemberStatus},
    api::ApiError,
    work::Work,
};
use crate::{
    MoveKind,
    checks::{advisory_unknown, failed, must, passed, unknown, warning},
    postgresql::{
        Lsn,
        databases::{self, SqlError, is_primary, look, replayed},
    },
};

/// Patroni's own word on whom it would promote, in its default settings.
const DCS_MAX_SILENCE_SECONDS: i64 = 30;

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
        MoveKind::Switchover => checks.extend(before_switchover(work, &cluster).await),
        MoveKind::Failover => checks.extend(before_failover(work, &cluster).await),
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

fn members_are_known(work: &Work<'_>, cluster: &Cluster) -> Check {
    let limit = format!("{} and {}", work.from.name, work.target.name);
    let known = |name: &str| cluster.member(name).is_some();
    // A lost member leaves the list when its key is over.
    let holds = known(&work.target.name) && (known(&work.from.name) || work.job.kind == MoveKind::Failover);
    let bad = "Patroni does not know a declared member by that name: the names in the manifest are Patroni's own";
    must("members_are_known", Some(holds), cluster.shown(), &limit, "the declared members are Patroni's", bad)
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

fn from_leads(work: &Work<'_>, cluster: &Cluster) -> Check {
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

fn not_paused(cluster: &Cluster) -> Check {
    let value = if cluster.pause { "paused" } else { "not paused" };
    let bad = "Patroni is paused: somebody works on the cluster. `patronictl resume` when that is over";
    must("not_paused", Some(!cluster.pause), value, "not paused", "Patroni is at work", bad)
}

fn nothing_scheduled(cluster: &Cluster) -> Check {
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

fn target_may_lead(work: &Work<'_>, cluster: &Cluster) -> Check {
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

fn target_is_synchronous(work: &Work<'_>, cluster: &Cluster, config: &Result<Config, ApiError>) -> Check {
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

type Positions = Result<(PostgresqlFacts, PostgresqlFacts), SqlError>;

/// Of the leader and of the target, by their databases.
async fn positions(work: &Work<'_>) -> Positions {
    let (from, target) = tokio::join!(look(&work.databases, &work.from.name), look(&work.databases, &work.target.name));
    Ok((from?, target?))
}

fn lag_is_allowed(config: &Result<Config, ApiError>, seen: &Positions) -> Check {
    let name = "lag_is_allowed";
    let (Ok(config), Ok((from, target))) = (config, seen) else {
        return unknown(name, "maximum_lag_on_failover", "Patroni's settings or a position are not known");
    };
    let limit = format!("{} bytes", config.maximum_lag_on_failover);
    let (Some(written), Some(applied)) = (from.current_lsn.map(Lsn), replayed(target)) else {
        return unknown(name, &limit, "one side tells no position");
    };
    let behind = written.bytes_since(applied);
    let holds = behind <= config.maximum_lag_on_failover;
    let bad = "Patroni would not promote it: it is further behind than maximum_lag_on_failover";
    must(name, Some(holds), format!("{behind} bytes"), &limit, "the target is close enough for Patroni", bad)
}

fn no_standby_cluster(config: &Result<Config, ApiError>) -> Check {
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

async fn status(work: &Work<'_>, node: &str) -> Result<MemberStatus, ApiError> {
    let node = if work.from.name == node { work.from } else { work.target };
    work.api(node)?.member().await
}

/// By the member's own clock: Patroni and its database run on one host.
fn store_is_seen(node: &str, status: &Result<MemberStatus, ApiError>, seen: &Positions) -> Check {
    let name = format!("store_is_seen_by_{node}");
    let limit = format!("{DCS_MAX_SILENCE_SECONDS} s");
    let status = match status {
        Ok(status) => status,
        Err(error) => return unknown(&name, &limit, format!("Patroni on {node} could not be asked: {error}")),
    };
    let clock = seen.as_ref().ok().and_then(|(from, target)| {
        let facts = if status.role() == "primary" { from } else { target };
        facts.server_time.map(|at| at.seconds)
    });
    match (status.dcs_last_seen, clock) {
        (Some(last), Some(now)) => {
            let silence = (now - last).max(0);
            let bad = format!("Patroni on {node} has not reached its store: nothing can be agreed on");
            must(
                &name,
                Some(silence <= DCS_MAX_SILENCE_SECONDS),
                format!("{silence} s"),
                &limit,
                "the store was seen just now",
                bad,
            )
        }
        _ => advisory_unknown(&name, &limit, "this version of Patroni does not say when it saw its store"),
    }
}

fn no_pending_restart(node: &str, status: &Result<MemberStatus, ApiError>) -> Check {
    let name = format!("no_pending_restart_of_{node}");
    match status {
        Err(error) => unknown(&name, "none", format!("Patroni on {node} could not be asked: {error}")),
        Ok(status) if status.pending_restart => {
            warning(&name, "pending", "none", format!("a setting of {node} waits for a restart: `patronictl restart`"))
        }
        Ok(_) => passed(&name, "none", "none", "no setting waits for a restart"),
    }
}

fn leader_is_lost(work: &Work<'_>, cluster: &Cluster) -> Check {
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
fn lock_is_the_fence(work: &Work<'_>) -> Check {
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
