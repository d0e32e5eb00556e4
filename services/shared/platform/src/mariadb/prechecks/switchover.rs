//! A planned move: the old primary is healthy, the target has nearly everything, and the way back is open.

use muster_domain::{inventory::platform::NodeRef, pb::execution::v1::Check};

use super::{
    Seen, global_grants,
    identity::{agent_is_the_node, distinct_servers, no_errant, target_follows_from},
};
use crate::{
    checks::{self, advisory_unknown, failed, must, passed, unknown, warning},
    mariadb::{
        errors::SqlError,
        steps::sees_sessions,
        work::{Work, is_primary, threads, threads_run},
    },
};

/// Beyond this the outage would last until the target has caught up. By the server's own number, behind running threads.
const MAX_SECONDS_BEHIND: u64 = 30;
/// A transaction that is open for longer holds up the moment in which the primary becomes read-only.
const LONG_TRANSACTION_SECONDS: u64 = 10;

pub(super) async fn checks(work: &Work<'_>, seen: &Seen) -> Vec<Check> {
    vec![
        from_is_primary(work, seen),
        agent_is_the_node(work, seen).await,
        distinct_servers(seen),
        same_version(seen),
        target_follows_from(work, seen),
        both_threads_run(work, seen),
        by_gtid(work, seen),
        no_errant(work, seen),
        no_delay(work, seen),
        close_enough(work, seen),
        strict_mode(seen),
        way(work, &work.target, "way_back").await,
        way(work, &work.from, "way_of_rollback").await,
        long_transactions(work).await,
    ]
}

fn from_is_primary(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit, name) = ("from_is_primary", "accepts writes, replicates from nobody", work.from.name);
    match &seen.from {
        Err(error) => {
            unknown(check, limit, format!("{name} could not be asked: {error}. If it is lost, request a failover"))
        }
        Ok(facts) => must(
            check,
            facts.read_only.filter(|_| !facts.limited_view).map(|_| is_primary(facts)),
            format!(
                "replication: {}, read_only: {}",
                checks::said(Some(facts.replica.is_some())),
                checks::said(facts.read_only)
            ),
            limit,
            format!("{name} is the primary"),
            format!("{name} is not the primary: the roles have changed since the request"),
        ),
    }
}

/// "10.11.6-MariaDB-…" is of the series 10.11.
pub(super) fn same_version(seen: &Seen) -> Check {
    let (check, limit) = ("same_version_series", "equal");
    let Some((from, target)) = seen.both() else { return unknown(check, limit, "one side did not answer") };
    let series = |version: &str| version.split('.').take(2).collect::<Vec<_>>().join(".");
    let (a, b) = (series(&from.version), series(&target.version));
    let bad = "the old primary could not replicate from a newer server: bring both to one series first";
    must(check, Some(a == b && !a.is_empty()), format!("{a} and {b}"), limit, "same series", bad)
}

fn both_threads_run(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("target_replicates", "IO Yes, SQL Yes");
    let Ok(target) = &seen.target else { return unknown(check, limit, "the target did not answer") };
    let run = target.replica.as_ref().is_some_and(threads_run);
    let why = target.replica.as_ref().map(|r| format!("{} {}", r.last_io_error, r.last_sql_error)).unwrap_or_default();
    let bad = format!("{} does not receive and apply {}", work.target.name, why.trim());
    must(check, Some(run), threads(target), limit, "the target replicates", bad)
}

fn by_gtid(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("replicates_by_gtid", "Slave_Pos");
    let Ok(target) = &seen.target else { return unknown(check, limit, "the target did not answer") };
    let using = target.replica.as_ref().map(|replica| replica.using_gtid.clone()).unwrap_or_default();
    let bad = format!("on {}: STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID=slave_pos; START SLAVE", work.target.name);
    must(check, Some(using == "Slave_Pos"), using, limit, "positions can be compared", bad)
}

fn no_delay(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("no_apply_delay", "0 s");
    let Ok(target) = &seen.target else { return unknown(check, limit, "the target did not answer") };
    let Some(delay) = target.replica.as_ref().and_then(|replica| replica.sql_delay) else {
        return unknown(check, limit, "SQL_Delay is not known");
    };
    let bad = format!("{} applies late on purpose: CHANGE MASTER TO MASTER_DELAY=0 first", work.target.name);
    must(check, Some(delay == 0), format!("{delay} s"), limit, "no apply delay", bad)
}

fn close_enough(work: &Work<'_>, seen: &Seen) -> Check {
    let check = "seconds_behind";
    let limit = format!("{MAX_SECONDS_BEHIND} s");
    let Ok(target) = &seen.target else { return unknown(check, &limit, "the target did not answer") };
    let behind = target.replica.as_ref().filter(|replica| threads_run(replica)).and_then(|r| r.seconds_behind);
    let bad = format!("{} is too far behind: the outage would last until it has caught up", work.target.name);
    must(
        check,
        behind.map(|behind| behind <= MAX_SECONDS_BEHIND),
        behind.map_or_else(|| "unknown".to_owned(), |behind| format!("{behind} s")),
        &limit,
        "the target is close enough",
        bad,
    )
}

fn strict_mode(seen: &Seen) -> Check {
    let (check, limit) = ("gtid_strict_mode", "on, on both");
    let Some((from, target)) = seen.both() else { return advisory_unknown(check, limit, "one side did not answer") };
    if from.gtid_strict_mode == Some(true) && target.gtid_strict_mode == Some(true) {
        return passed(check, "on", limit, "positions hide nothing");
    }
    warning(check, "off", limit, "without it a position may hide transactions that somebody wrote on a replica")
}

/// Whether the replication account can log in and read there. Tried from here, not from the other node's host.
pub(super) async fn way(work: &Work<'_>, node: &NodeRef<'_>, check: &str) -> Check {
    let limit = "a replication login succeeds";
    let Some(login) = &work.job.replication else {
        return failed(check, "not configured", limit, "the resource names no replication account");
    };
    let found = async { global_grants(&mut work.session_as(node, login).await?).await };
    match found.await {
        Ok(grants) => {
            let may = grants
                .iter()
                .any(|g| ["REPLICATION SLAVE", "REPLICATION REPLICA", "ALL PRIVILEGES"].contains(&g.as_str()));
            let bad = format!("GRANT REPLICATION SLAVE ON *.* TO {}", login.user);
            must(check, Some(may), if may { "granted" } else { "missing" }, limit, "a replica may log in", bad)
        }
        Err(error) => failed(
            check,
            "refused",
            limit,
            format!("nobody could replicate from {} as {}: {error}", node.name, login.user),
        ),
    }
}

/// They hold up the moment in which the primary becomes read-only, and are ended then.
async fn long_transactions(work: &Work<'_>) -> Check {
    let (check, limit) = ("long_transactions", format!("none above {LONG_TRANSACTION_SECONDS} s"));
    let statement = format!(
        "SELECT COUNT(*) AS number FROM information_schema.INNODB_TRX \
         WHERE trx_started < NOW() - INTERVAL {LONG_TRANSACTION_SECONDS} SECOND"
    );
    let found = async {
        let mut session = work.session(&work.from).await?;
        if !sees_sessions(&mut session).await? {
            return Ok(None);
        }
        Ok::<Option<u64>, SqlError>(session.row(&statement).await?.number("number"))
    };
    match found.await {
        Ok(Some(0)) => passed(check, "0", &limit, "nothing holds up the change"),
        Ok(Some(number)) => {
            warning(check, number.to_string(), &limit, format!("long transactions on {} will be ended", work.from.name))
        }
        Ok(None) => advisory_unknown(check, &limit, "the account lacks PROCESS, so they are not visible"),
        Err(error) => advisory_unknown(check, &limit, error.to_string()),
    }
}
