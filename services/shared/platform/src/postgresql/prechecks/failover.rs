//! The primary is lost: seen from here and from the target, and what that may cost.

use std::time::Duration;

use muster_domain::{
    pb::{execution::v1::Check, observation::v1::ErrorClass},
    time,
};

use super::Seen;
use crate::postgresql::{
    checks::{advisory_unknown, failed, passed, unknown, warning},
    errors::SqlError,
    lsn::Lsn,
    steps::test_write,
    work::{Work, is_standby, received, replayed, shown},
};

/// A receiver that heard from its primary this recently has one. An idle link is silent for up to 30 s,
/// so a longer silence says nothing (lie L4).
const ALIVE_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn checks(work: &Work<'_>, seen: &Seen) -> Vec<Check> {
    vec![
        primary_is_gone(work, seen).await,
        target_lost_primary(work, seen),
        last_known_position(work, seen),
        unapplied_advisory(seen),
    ]
}

/// The first of two vantage points: ours.
async fn primary_is_gone(work: &Work<'_>, seen: &Seen) -> Check {
    let (name, limit) = (&work.from.name, "does not accept writes");
    let advice = "request a switchover instead: it loses nothing";
    match &seen.from {
        Ok(facts) if is_standby(facts) => {
            warning("primary_is_gone", "in recovery", limit, format!("{name} answers as a standby"))
        }
        Ok(_) => match write(work).await {
            Ok(()) => failed(
                "primary_is_gone",
                "accepts writes",
                limit,
                format!("{name} is alive and accepts writes; {advice}"),
            ),
            Err(error) => warning(
                "primary_is_gone",
                "answers",
                limit,
                format!("{name} answers and accepts no writes ({error}); the fence stops it"),
            ),
        },
        // With a code it is the server that answered, only too slowly.
        Err(error) if error.class == ErrorClass::Unreachable && error.code.is_none() => {
            passed("primary_is_gone", "unreachable", limit, format!("{name}: {error}"))
        }
        Err(error) if error.class == ErrorClass::NotReady && error.code.as_deref() != Some("53300") => {
            warning("primary_is_gone", "not ready", limit, format!("{name}: {error}; the fence stops it"))
        }
        Err(error) => unknown(
            "primary_is_gone",
            limit,
            format!("{name} answers and cannot be judged ({error}). If it is healthy, {advice}"),
        ),
    }
}

async fn write(work: &Work<'_>) -> Result<(), SqlError> {
    let mut session = work.session(work.from).await?;
    test_write(&mut session).await.map(drop)
}

/// The second vantage point: the target's own link to its primary.
fn target_lost_primary(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = "no receiver that hears from a primary";
    let Ok(target) = &seen.target else { return unknown("target_lost_primary", limit, "the target did not answer") };
    let Some(receiver) = target.wal_receiver.as_ref().filter(|receiver| receiver.status == "streaming") else {
        return passed("target_lost_primary", "no receiver", limit, format!("{} receives nothing", work.target.name));
    };
    let heard = time::from_pb(receiver.last_message_receipt_at.as_ref());
    let now = time::from_pb(target.server_time.as_ref());
    let Some((now, heard)) = now.zip(heard) else {
        return unknown("target_lost_primary", limit, "when the target heard from a primary is not known");
    };
    let silent = now.duration_since(heard);
    let value = format!("streaming, silent for {}", time::humane(silent));
    if silent.unsigned_abs() <= ALIVE_WITHIN {
        let text = format!("{} hears from a primary: it is alive, only not reachable from here", work.target.name);
        return failed("target_lost_primary", value, limit, text);
    }
    warning("target_lost_primary", value, limit, "the receiver has not noticed the loss yet")
}

fn last_known_position(work: &Work<'_>, seen: &Seen) -> Check {
    let limit = "known";
    let Some(last) = &work.job.last_known_primary else {
        return warning(
            "last_known_position",
            "unknown",
            limit,
            "the primary's last position is not known, so nothing bounds the loss",
        );
    };
    let received = seen.target.as_ref().ok().and_then(received);
    let missing = received.map_or("unknown".to_owned(), |lsn| format!("{} bytes", Lsn(last.lsn).bytes_since(lsn)));
    let text = format!("the primary was last seen at {} ({}); received {}", Lsn(last.lsn), last.at, shown(received));
    passed("last_known_position", format!("{missing} not received as last known"), limit, text)
}

fn unapplied_advisory(seen: &Seen) -> Check {
    let limit = "0 bytes";
    let Ok(target) = &seen.target else { return advisory_unknown("unapplied", limit, "the target did not answer") };
    let (Some(received), Some(applied)) = (received(target), replayed(target)) else {
        return advisory_unknown("unapplied", limit, "the target tells no position");
    };
    let bytes = received.bytes_since(applied);
    let state = &target.replay_pause_state;
    if bytes == 0 && state == "not paused" {
        return passed("unapplied", "0 bytes", limit, "everything received is applied");
    }
    warning(
        "unapplied",
        format!("{bytes} bytes, replay {state}"),
        limit,
        "received and not applied yet: the promotion applies it first",
    )
}
