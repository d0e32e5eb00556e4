//! Settings of the target that would make it a bad primary.

use muster_domain::pb::execution::v1::Check;

use super::{Seen, identity::variable};
use crate::{
    MoveKind,
    checks::{self, advisory_unknown, failed, must, passed, unknown, warning},
    mariadb::{facts::is_on, work::Work},
};

/// The old primary must find what it lacks when it comes back.
const LOG_KEPT_AT_LEAST_SECONDS: u64 = 3_600;

/// Galera keeps its own roles.
pub(super) fn no_cluster(seen: &Seen) -> Check {
    let (check, limit) = ("no_galera_cluster", "wsrep_on off");
    let answers = [&seen.from, &seen.target].into_iter().filter_map(|side| side.as_ref().ok());
    if answers.clone().any(|facts| facts.wsrep_on == Some(true)) {
        return failed(check, "on", limit, "a Galera cluster moves its roles by itself: nothing is done here");
    }
    passed(check, "off", limit, "no Galera cluster")
}

pub(super) async fn of_target(work: &Work<'_>, seen: &Seen) -> Vec<Check> {
    vec![
        writes_its_log(work, seen),
        no_filters(work, seen),
        stays_writable(work).await,
        keeps_its_log(work).await,
        semi_sync(work).await,
        events(work).await,
    ]
}

/// A failover must not fail for what can be mended afterwards.
fn strict(work: &Work<'_>, check: &str, holds: Option<bool>, value: String, limit: &str, text: String) -> Check {
    match (work.job.kind, holds) {
        (MoveKind::Failover, Some(false)) => warning(check, value, limit, text),
        (MoveKind::Failover, None) => advisory_unknown(check, limit, text),
        _ => must(check, holds, value, limit, "as it should be", text),
    }
}

fn writes_its_log(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("target_writes_binlog", "log_bin and log_slave_updates on");
    let Ok(target) = &seen.target else { return unknown(check, limit, "the target did not answer") };
    let holds = target.log_bin.zip(target.log_slave_updates).map(|(log, updates)| log && updates);
    let value = format!(
        "log_bin {}, log_slave_updates {}",
        checks::said(target.log_bin),
        checks::said(target.log_slave_updates)
    );
    let text = format!("nobody could replicate from {}: switch both on and restart it", work.target.name);
    strict(work, check, holds, value, limit, text)
}

fn no_filters(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("no_replication_filters", "none");
    let Ok(target) = &seen.target else { return unknown(check, limit, "the target did not answer") };
    let filters = &target.replication_filters;
    let value = if filters.is_empty() { "none".to_owned() } else { filters.join(", ") };
    let text = format!("{} leaves out a part of the data", work.target.name);
    strict(work, check, Some(filters.is_empty()), value, limit, text)
}

/// Set in a file that is not the fence, read_only would come back with the next restart.
async fn stays_writable(work: &Work<'_>) -> Check {
    let (check, limit, name) = ("read_only_comes_from_the_fence", "the fence, or set while running", work.target.name);
    let Ok(agent) = work.agent(&work.target) else { return advisory_unknown(check, limit, "the target has no agent") };
    let origin = async {
        let mut session = work.session(&work.target).await?;
        let statement = "SELECT GLOBAL_VALUE_ORIGIN AS origin FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME = 'READ_ONLY'";
        Ok::<_, crate::mariadb::errors::SqlError>(session.row(statement).await?.text("origin").map(str::to_owned))
    };
    match (agent.is_fenced().await, origin.await) {
        (Ok(true), Ok(_)) => {
            passed(check, "the fence", limit, format!("a restart of {name} is read-only by its fence"))
        }
        (Ok(false), Ok(Some(origin))) if origin == "CONFIG" => warning(
            check,
            "a configuration file",
            limit,
            format!(
                "after the move a restart would make {name} read-only again: take read_only from its configuration"
            ),
        ),
        (Ok(false), Ok(Some(_))) => warning(
            check,
            "set while running",
            limit,
            format!("a restart of {name} before the move would make it accept writes: read_only is in no file"),
        ),
        (Ok(_), Ok(None)) => advisory_unknown(check, limit, format!("{name} does not tell where read_only comes from")),
        (Err(error), _) => advisory_unknown(check, limit, error.to_string()),
        (_, Err(error)) => advisory_unknown(check, limit, error.to_string()),
    }
}

async fn keeps_its_log(work: &Work<'_>) -> Check {
    let (check, limit) = ("binlog_kept", format!("for ever, or {LOG_KEPT_AT_LEAST_SECONDS} s"));
    match variable(work, &work.target, "binlog_expire_logs_seconds").await {
        Ok(Some(seconds)) => match seconds.parse::<u64>() {
            Ok(kept) if kept == 0 || kept >= LOG_KEPT_AT_LEAST_SECONDS => {
                passed(check, format!("{kept} s"), &limit, "an absent node finds what it lacks")
            }
            Ok(kept) => {
                warning(check, format!("{kept} s"), &limit, "a node that is away for longer would have to be rebuilt")
            }
            Err(_) => advisory_unknown(check, &limit, format!("'{seconds}' is no number")),
        },
        Ok(None) => advisory_unknown(check, &limit, "this version does not tell"),
        Err(error) => advisory_unknown(check, &limit, error.to_string()),
    }
}

/// Semi-synchronous commits on the new primary would wait for a replica, or stop doing so, unlike before.
async fn semi_sync(work: &Work<'_>) -> Check {
    let (check, limit) = ("semi_sync", "off");
    match variable(work, &work.target, "rpl_semi_sync_master_enabled").await {
        Ok(value) if value.as_deref().and_then(is_on) == Some(true) => warning(
            check,
            "on",
            limit,
            "commits on the new primary wait for a replica, up to rpl_semi_sync_master_timeout, until one is there",
        ),
        Ok(_) => passed(check, "off", limit, "commits wait for no replica"),
        Err(error) => advisory_unknown(check, limit, error.to_string()),
    }
}

/// Events that came by replication are disabled on the target (SLAVESIDE_DISABLED).
async fn events(work: &Work<'_>) -> Check {
    let (check, limit) = ("scheduled_events", "event_scheduler off");
    match variable(work, &work.target, "event_scheduler").await {
        Ok(Some(value)) if is_on(&value) == Some(true) => warning(
            check,
            value,
            limit,
            "events of the old primary are SLAVESIDE_DISABLED on the target: enable those that should run there (ALTER EVENT … ENABLE)",
        ),
        Ok(_) => passed(check, "off", limit, "no events run"),
        Err(error) => advisory_unknown(check, limit, error.to_string()),
    }
}
