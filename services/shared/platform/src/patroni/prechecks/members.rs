//! What each member says of itself, and how far the target is behind.

use muster_domain::pb::{execution::v1::Check, observation::v1::PostgresqlFacts};

use crate::{
    checks::{advisory_unknown, must, passed, unknown, warning},
    patroni::{
        answers::{Config, MemberStatus},
        api::ApiError,
        work::Work,
    },
    postgresql::{
        Lsn,
        databases::{SqlError, look, replayed},
    },
};

/// Patroni's default `ttl`: a member that has not seen the store for so long has lost its lease.
const STORE_MAX_SILENCE_SECONDS: i64 = 30;

pub(super) type Positions = Result<(PostgresqlFacts, PostgresqlFacts), SqlError>;

/// Of the leader and of the target, by their databases.
pub(super) async fn positions(work: &Work<'_>) -> Positions {
    let (from, target) = tokio::join!(look(&work.databases, &work.from.name), look(&work.databases, &work.target.name));
    Ok((from?, target?))
}

pub(super) fn lag_is_allowed(config: &Result<Config, ApiError>, seen: &Positions) -> Check {
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

pub(super) async fn status(work: &Work<'_>, node: &str) -> Result<MemberStatus, ApiError> {
    let node = if work.from.name == node { work.from } else { work.target };
    work.api(node)?.member().await
}

/// By the member's own clock: Patroni and its database run on one host.
pub(super) fn store_is_seen(node: &str, status: &Result<MemberStatus, ApiError>, seen: &Positions) -> Check {
    let name = format!("store_is_seen_by_{node}");
    let limit = format!("{STORE_MAX_SILENCE_SECONDS} s");
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
                Some(silence <= STORE_MAX_SILENCE_SECONDS),
                format!("{silence} s"),
                &limit,
                "the store was seen just now",
                bad,
            )
        }
        _ => advisory_unknown(&name, &limit, "this version of Patroni does not say when it saw its store"),
    }
}

pub(super) fn no_pending_restart(node: &str, status: &Result<MemberStatus, ApiError>) -> Check {
    let name = format!("no_pending_restart_of_{node}");
    match status {
        Err(error) => unknown(&name, "none", format!("Patroni on {node} could not be asked: {error}")),
        Ok(status) if status.pending_restart => {
            warning(&name, "pending", "none", format!("a setting of {node} waits for a restart: `patronictl restart`"))
        }
        Ok(_) => passed(&name, "none", "none", "no setting waits for a restart"),
    }
}
