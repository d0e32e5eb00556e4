//! What must hold afterwards, looked at anew and not remembered.

use std::time::{Duration, Instant};

use muster_domain::{
    pb::{execution::v1::Check, observation::v1::MariadbFacts},
    readiness::mariadb::position,
};

use super::{
    errors::SqlError,
    fact,
    steps::test_write,
    work::{Work, follows, is_primary, is_read_only, is_silent, on_host, shown, threads, threads_run},
};
use crate::{
    Facts, MoveKind, StepError,
    checks::{self, failed, must, passed, unknown, warning},
    step::POLL,
};

/// How long the returned node may take to apply what was just written, with writers at work.
const CATCH_UP: Duration = Duration::from_secs(10);

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Vec<Check> {
    let target = work.look(&work.target).await;
    let mut checks = vec![
        target_is_primary(work, &target),
        accepts_writes(work).await,
        target_stays_writable(work).await,
        nothing_is_missing(work, facts, &target),
        old_primary_is_fenced(work).await,
    ];
    match work.job.kind {
        MoveKind::Switchover => checks.push(old_primary_follows(work).await),
        MoveKind::Failover => {
            let text = format!("{} has no replica now: rebuild {} as one", work.target.name, work.from.name);
            checks.push(warning("has_standby", "none", "one", text));
        }
    }
    checks
}

fn target_is_primary(work: &Work<'_>, target: &Result<MariadbFacts, SqlError>) -> Check {
    let (check, limit, name) = ("target_is_primary", "accepts writes, replicates from nobody", work.target.name);
    match target {
        Err(error) => unknown(check, limit, format!("{name} could not be asked: {error}")),
        Ok(facts) => must(
            check,
            facts.read_only.map(|_| is_primary(facts)),
            format!("read_only: {}, {}", checks::said(facts.read_only), threads(facts)),
            limit,
            format!("{name} is the primary"),
            format!("{name} is not the primary"),
        ),
    }
}

async fn accepts_writes(work: &Work<'_>) -> Check {
    let (check, limit, name) = ("accepts_writes", "a commit", work.target.name);
    let written = async { test_write(&mut work.session(&work.target).await?).await };
    match written.await {
        Ok(at) => passed(check, at.to_string(), limit, format!("{name} committed a statement of ours")),
        Err(error) if is_silent(&error) => unknown(check, limit, format!("{name} could not be asked: {error}")),
        Err(error) => failed(check, "no", limit, format!("{name} did not accept a write: {error}")),
    }
}

async fn target_stays_writable(work: &Work<'_>) -> Check {
    let (check, limit, name) = ("target_stays_writable", "no fence", work.target.name);
    let fenced = match work.agent(&work.target) {
        Ok(agent) => agent.is_fenced().await.map_err(on_host),
        Err(error) => Err(error),
    };
    let bad = format!("{name} carries a fence: a restart would make it read-only");
    match fenced {
        Ok(fenced) => must(check, Some(!fenced), if fenced { "fenced" } else { "none" }, limit, "no fence", bad),
        Err(error) => unknown(check, limit, error.text),
    }
}

/// Only a primary that was read at its end has a position to compare with.
fn nothing_is_missing(work: &Work<'_>, facts: &Facts, target: &Result<MariadbFacts, SqlError>) -> Check {
    let (check, name) = ("nothing_is_missing", work.target.name);
    let Ok(end) = fact::position(facts, fact::FINAL_POSITION) else {
        return warning(check, "unknown", "the old primary's end", "where the old primary ended is not known");
    };
    let limit = format!("at least {end}");
    match target.as_ref().ok().and_then(position) {
        Some(now) if now.covers(&end) => passed(check, now.to_string(), &limit, "nothing was left out"),
        Some(now) => failed(check, now.to_string(), &limit, format!("transactions are missing on {name}")),
        None => unknown(check, &limit, format!("the position of {name} is not known")),
    }
}

async fn old_primary_is_fenced(work: &Work<'_>) -> Check {
    let (check, limit) = ("old_primary_is_fenced", "refuses writes, also after a restart");
    match work.prove_fence().await {
        Ok(()) => passed(check, "fenced", limit, format!("{} accepts no writes of clients", work.from.name)),
        Err(StepError { text, .. }) => failed(check, "not proven", limit, text),
    }
}

/// Measured against a position taken first, so that a busy writer does not make it unreachable.
async fn old_primary_follows(work: &Work<'_>) -> Check {
    let (check, limit, from) = ("old_primary_follows", "IO Yes, SQL Yes, everything applied", work.from.name);
    let goal = work.look(&work.target).await.ok().and_then(|facts| position(&facts));
    let (Some(goal), Ok(source)) = (goal, work.source(&work.target)) else {
        return unknown(check, limit, "the new primary's position is not known");
    };
    let deadline = Instant::now() + CATCH_UP;
    loop {
        let looked = work.look(&work.from).await;
        if let Ok(seen) = &looked {
            let runs = seen.replica.as_ref().is_some_and(|r| threads_run(r) && follows(r, &source.address));
            let at = position(seen).filter(|at| at.covers(&goal));
            if let (true, true, Some(at)) = (is_read_only(seen), runs, at) {
                return passed(check, at.to_string(), limit, format!("{from} follows {}", work.target.name));
            }
        }
        if Instant::now() >= deadline {
            return match looked {
                Ok(seen) => failed(
                    check,
                    format!("{} ({})", shown(position(&seen).as_ref()), threads(&seen)),
                    limit,
                    format!("{from} has not caught up with {goal}"),
                ),
                Err(error) => unknown(check, limit, format!("{from} could not be asked: {error}")),
            };
        }
        tokio::time::sleep(POLL).await;
    }
}
