//! What must hold afterwards, looked at anew and not remembered.

use muster_domain::pb::{execution::v1::Check, observation::v1::PostgresqlFacts};

use sqlx::Row;

use super::{
    checks::{failed, must, passed, unknown, warning},
    errors::SqlError,
    fact,
    lsn::Lsn,
    steps::{fork_lsn, test_write},
    work::{POLL, Work, is_primary, is_standby, replayed, shown},
};
use crate::{Facts, MoveKind};

/// How long the returned node may take to apply what was just written, with writers at work.
const CATCH_UP: std::time::Duration = std::time::Duration::from_secs(10);

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Vec<Check> {
    let target = work.look(work.target).await;
    let mut checks = vec![target_is_primary(work, &target), timeline_rose(facts, &target), accepts_writes(work).await];
    checks.push(fork_is_complete(work, facts).await);
    checks.push(read_only_default(&target));
    checks.push(old_primary_is_fenced(work).await);
    match work.job.kind {
        MoveKind::Switchover => {
            checks.push(old_primary_follows(work, facts, &target).await);
            checks.push(stale_slot_is_gone(work, facts).await);
        }
        MoveKind::Failover => {
            let text = format!("{} has no standby now: rewind or rebuild {}", work.target.name, work.from.name);
            checks.push(warning("has_standby", "none", "one", text));
            checks.push(log_for_the_return(work).await);
        }
    }
    checks
}

/// The slot of the node that is away: it must hold log, and should not fill the disk.
async fn log_for_the_return(work: &Work<'_>) -> Check {
    let (check, limit, slot) = ("log_for_the_return", "kept, with a limit", work.slot());
    let looked = async {
        let mut session = work.session(work.target).await?;
        let query = sqlx::query(
            "SELECT current_setting('max_slot_wal_keep_size', true) AS bound,
                    (SELECT wal_status IS DISTINCT FROM 'lost' FROM pg_replication_slots WHERE slot_name = $1) AS kept",
        );
        let row = session.one(query.bind(slot.clone())).await?;
        Ok::<(Option<String>, Option<bool>), SqlError>((row.try_get("bound")?, row.try_get("kept")?))
    };
    let (from, target) = (&work.from.name, &work.target.name);
    match looked.await {
        Err(error) => super::checks::advisory_unknown(check, limit, error.to_string()),
        Ok((_, None | Some(false))) => {
            let text = format!("{target} keeps no log for {from}: bring it back soon, or rebuild it");
            warning(check, "not kept", limit, text)
        }
        Ok((Some(bound), Some(true))) if bound != "-1" => {
            passed(check, format!("slot {slot}, {bound}"), limit, format!("{from} finds what it needs to come back"))
        }
        Ok(_) => {
            let text = format!(
                "slot {slot} keeps log on {target} until {from} is back, without a limit: watch its disk, set \
                 max_slot_wal_keep_size, or drop the slot if {from} does not come back"
            );
            warning(check, format!("slot {slot}, no limit"), limit, text)
        }
    }
}

/// The databases alone, where somebody else stopped and promoted them.
pub(super) async fn databases(work: &Work<'_>, facts: &Facts) -> Vec<Check> {
    let target = work.look(work.target).await;
    let mut checks = vec![target_is_primary(work, &target), timeline_rose(facts, &target), accepts_writes(work).await];
    checks.push(read_only_default(&target));
    if work.job.kind == MoveKind::Switchover {
        checks.push(old_primary_follows(work, facts, &target).await);
    }
    checks
}

type Looked = Result<PostgresqlFacts, SqlError>;

fn target_is_primary(work: &Work<'_>, target: &Looked) -> Check {
    let name = &work.target.name;
    match target {
        Err(error) => unknown("target_is_primary", "primary", format!("{name} could not be asked: {error}")),
        Ok(facts) => must(
            "target_is_primary",
            facts.in_recovery.map(|in_recovery| !in_recovery),
            if is_primary(facts) { "primary" } else { "in recovery" },
            "primary",
            format!("{name} is the primary"),
            format!("{name} is not a primary"),
        ),
    }
}

fn timeline_rose(facts: &Facts, target: &Looked) -> Check {
    let expected = fact::timeline(facts, fact::OLD_TIMELINE).ok().and_then(|old| old.checked_add(1));
    let found = target.as_ref().ok().and_then(|facts| facts.timeline);
    let (Some(expected), Some(found)) = (expected, found) else {
        return unknown("timeline_rose_by_one", "one more than before", "a timeline is not known");
    };
    let limit = expected.to_string();
    must(
        "timeline_rose_by_one",
        Some(found == expected),
        found.to_string(),
        &limit,
        "exactly one promotion",
        "not the one promotion of this plan",
    )
}

async fn accepts_writes(work: &Work<'_>) -> Check {
    let name = &work.target.name;
    let written = async {
        let mut session = work.session(work.target).await?;
        test_write(&mut session).await
    };
    let (check, limit) = ("accepts_writes", "a commit");
    match written.await {
        Ok(at) => passed(check, at.to_string(), limit, format!("{name} committed a test transaction")),
        Err(error) if error.is_lost_connection() => {
            unknown(check, limit, format!("{name} could not be asked: {error}"))
        }
        Err(error) => failed(check, "no", limit, format!("{name} did not accept a write: {error}")),
    }
}

/// Only a clean stop has a position to compare with.
async fn fork_is_complete(work: &Work<'_>, facts: &Facts) -> Check {
    let name = "fork_after_shutdown";
    let Ok(shutdown) = fact::lsn(facts, fact::SHUTDOWN_LSN) else {
        return warning(
            name,
            "unknown",
            "at or behind the shutdown checkpoint",
            "the old primary was not stopped cleanly",
        );
    };
    let limit = format!("at least {shutdown}");
    let timeline = fact::timeline(facts, fact::NEW_TIMELINE).ok();
    let fork = match (timeline, work.session(work.target).await) {
        (Some(timeline), Ok(mut session)) => fork_lsn(work, &mut session, timeline).await,
        _ => None,
    };
    match fork {
        Some(fork) if fork >= shutdown => passed(name, fork.to_string(), &limit, "nothing was left out"),
        Some(fork) if work.job.kind == MoveKind::Failover => {
            warning(name, fork.to_string(), &limit, "the old primary had written more than the target received")
        }
        Some(fork) => failed(name, fork.to_string(), &limit, "log is missing on the new primary"),
        // The replay beyond the shutdown checkpoint is the proof; the history file would repeat it.
        None => super::checks::advisory_unknown(name, &limit, "the history file is not readable with these rights"),
    }
}

fn read_only_default(target: &Looked) -> Check {
    let name = "writes_by_default";
    match target.as_ref().ok().and_then(|facts| facts.default_transaction_read_only) {
        Some(true) => {
            warning(name, "read only", "read write", "default_transaction_read_only is on: applications cannot write")
        }
        Some(false) => passed(name, "read write", "read write", "sessions may write"),
        None => super::checks::advisory_unknown(name, "read write", "the setting is not known"),
    }
}

async fn old_primary_is_fenced(work: &Work<'_>) -> Check {
    let limit = "a start makes it a standby";
    match work.prove_fence().await {
        Ok(()) => passed("old_primary_is_fenced", "fenced", limit, format!("{} cannot accept writes", work.from.name)),
        Err(error) => failed("old_primary_is_fenced", "not proven", limit, error.text),
    }
}

/// Measured against a position taken first, so that a busy writer does not make it unreachable.
async fn old_primary_follows(work: &Work<'_>, facts: &Facts, target: &Looked) -> Check {
    let (name, limit) = ("old_primary_follows", "streaming, 0 bytes behind");
    let timeline = fact::timeline(facts, fact::NEW_TIMELINE).ok();
    let goal = target.as_ref().ok().and_then(|facts| facts.current_lsn).map(Lsn);
    let (Some(timeline), Some(goal)) = (timeline, goal) else {
        return unknown(name, limit, "the new primary's position is not known");
    };
    let deadline = std::time::Instant::now() + CATCH_UP;
    loop {
        let looked = work.look(work.from).await;
        if let Ok(seen) = &looked {
            let receiver = seen.wal_receiver.clone().unwrap_or_default();
            let streams = receiver.status == "streaming" && receiver.received_timeline == timeline;
            if is_standby(seen) && streams && replayed(seen) >= Some(goal) {
                let value = format!("applied {}", shown(replayed(seen)));
                return passed(name, value, limit, format!("{} follows timeline {timeline}", work.from.name));
            }
        }
        if std::time::Instant::now() >= deadline {
            return match looked {
                Ok(seen) => {
                    let behind = replayed(&seen).map_or("unknown".into(), |at| goal.bytes_since(at).to_string());
                    failed(
                        name,
                        format!("{behind} bytes behind"),
                        limit,
                        format!("{} has not caught up", work.from.name),
                    )
                }
                Err(error) => unknown(name, limit, format!("{} could not be asked: {error}", work.from.name)),
            };
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn stale_slot_is_gone(work: &Work<'_>, facts: &Facts) -> Check {
    let (check, limit) = ("stale_slot_is_gone", "gone");
    let Some(name) = facts.get(fact::STALE_SLOT).filter(|name| !name.is_empty()) else {
        return passed(check, "none", limit, "no slot was used before");
    };
    match work.look(work.from).await {
        Err(error) => unknown(check, limit, format!("{} could not be asked: {error}", work.from.name)),
        Ok(seen) if seen.slots.iter().any(|slot| slot.name == *name) => {
            warning(check, name, limit, format!("slot {name} keeps log on {} for ever: drop it", work.from.name))
        }
        Ok(_) => passed(check, name, limit, "the old slot is gone"),
    }
}
