//! The primary is lost: seen from here, from its host and from the target, and what that may cost.

use muster_domain::pb::{execution::v1::Check, observation::v1::ErrorClass};

use super::{Seen, identity::process_word};
use crate::{
    checks::{advisory_unknown, failed, passed, unknown, warning},
    mariadb::{
        steps::test_write,
        work::{Work, at, held, is_silent, shown},
    },
};

pub(super) async fn checks(work: &Work<'_>, seen: &Seen) -> Vec<Check> {
    vec![
        primary_is_gone(work, seen).await,
        target_lost_primary(work, seen),
        last_known_position(work, seen),
        unapplied(work, seen),
        delay(work, seen),
    ]
}

/// The first of two vantage points: ours.
async fn primary_is_gone(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit, name) = ("primary_is_gone", "does not accept writes", work.from.name);
    let advice = "request a switchover instead: it loses nothing";
    match &seen.from {
        Ok(facts) if facts.replica.is_some() => {
            failed(check, "a replica", limit, format!("{name} answers as a replica: it is not the lost primary"))
        }
        Ok(_) => match write(work).await {
            Ok(()) => failed(check, "accepts writes", limit, format!("{name} is alive and accepts writes; {advice}")),
            Err(why) => warning(
                check,
                "answers",
                limit,
                format!("{name} answers and accepts no writes ({why}); the fence stops it"),
            ),
        },
        Err(error) if is_silent(error) => {
            passed(check, "unreachable", limit, format!("{name}: {error}; {}", process_word(seen)))
        }
        // Without a connection left it may serve those that have one.
        Err(error) if error.class == ErrorClass::NotReady && !matches!(error.number, Some(1040 | 1203 | 1226)) => {
            warning(check, "not ready", limit, format!("{name}: {error}; the fence stops it"))
        }
        Err(error) => {
            unknown(check, limit, format!("{name} answers and cannot be judged ({error}). If it is healthy, {advice}"))
        }
    }
}

async fn write(work: &Work<'_>) -> Result<(), String> {
    let mut session = work.session(&work.from).await.map_err(|error| error.to_string())?;
    test_write(&mut session).await.map(drop).map_err(|error| error.to_string())
}

/// The second vantage point: the target's own link to its primary, or the word of the primary's host.
fn target_lost_primary(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit, name) = ("target_lost_primary", "no receiver that runs", work.target.name);
    let Ok(target) = &seen.target else { return unknown(check, limit, "the target did not answer") };
    let io = target.replica.as_ref().map_or("none", |replica| replica.io_running.as_str());
    if io != "Yes" {
        return passed(check, io, limit, format!("{name} receives nothing"));
    }
    if seen.host.as_ref().is_ok_and(|process| !process.is_running()) {
        return warning(check, io, limit, "the receiver has not noticed yet that no process of the primary is left");
    }
    failed(
        check,
        io,
        limit,
        format!(
            "{name} still has a receiver that runs: the primary may be alive, only not reachable from here. A dead one is noticed after slave_net_timeout (60 s)"
        ),
    )
}

fn last_known_position(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("last_known_position", "known");
    let Some(last) = &work.job.last_known_primary else {
        let text = "the primary's last position is not known, so nothing bounds the loss";
        return warning(check, "unknown", limit, text);
    };
    let received = seen.target.as_ref().ok().and_then(|facts| held(work.target.name, facts).ok());
    let missing = received.as_ref().map_or_else(
        || "unknown".to_owned(),
        |held| format!("{} transactions", last.lsn.saturating_sub(held.transactions())),
    );
    let text = format!(
        "the primary was last seen at {} transactions ({}); received {}",
        last.lsn,
        last.at,
        shown(received.as_ref())
    );
    passed(check, format!("{missing} not received as last known"), limit, text)
}

fn unapplied(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit, name) = ("unapplied", "everything received is applied", work.target.name);
    let Ok(target) = &seen.target else { return advisory_unknown(check, limit, "the target did not answer") };
    let (Ok(received), Ok(applied)) = (held(name, target), at(name, target)) else {
        return advisory_unknown(check, limit, "the target tells no position");
    };
    let behind = received.transactions().saturating_sub(applied.transactions());
    if behind == 0 {
        return passed(check, "0 transactions", limit, "nothing is left to apply");
    }
    warning(check, format!("{behind} transactions"), limit, "they are applied before the promotion")
}

fn delay(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("no_apply_delay", "0 s");
    let delay = seen.target.as_ref().ok().and_then(|target| target.replica.as_ref()).and_then(|r| r.sql_delay);
    match delay {
        Some(0) => passed(check, "0 s", limit, "no apply delay"),
        Some(delay) => warning(
            check,
            format!("{delay} s"),
            limit,
            format!("{} applies late on purpose, and the failover waits for that", work.target.name),
        ),
        None => advisory_unknown(check, limit, "SQL_Delay is not known"),
    }
}
