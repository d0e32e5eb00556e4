//! What must hold afterwards, looked at anew and not remembered.

use muster_domain::pb::{execution::v1::Check, observation::v1::RedisFacts};

use super::{
    errors::CommandError,
    fact,
    steps::prove_fence,
    work::{Work, fork_offset, is_primary, is_settled, shown, up_or_down},
};
use crate::{
    Facts, MoveKind,
    checks::{failed, must, passed, unknown, warning},
    step::{Seen, until},
};

/// How long the old primary may take to apply what was just written, with writers at work.
const CATCH_UP: std::time::Duration = std::time::Duration::from_secs(10);

type Looked = Result<RedisFacts, CommandError>;

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Vec<Check> {
    let target: Looked = work.look(&work.target).await.map(|look| look.facts);
    let mut checks = vec![
        target_is_primary(work, &target),
        one_change_of_history(facts, &target),
        target_stays_primary(work).await,
        old_primary_is_fenced(work).await,
    ];
    match work.job.kind {
        MoveKind::Switchover => {
            checks.push(nothing_is_missing(facts, &target));
            checks.push(old_primary_follows(work, &target).await);
        }
        MoveKind::Failover => {
            let text = format!("{} has no replica now: bring {} back as one", work.target.name, work.from.name);
            checks.push(warning("has_standby", "none", "one", text));
        }
    }
    checks
}

fn target_is_primary(work: &Work<'_>, target: &Looked) -> Check {
    let (check, limit, name) = ("target_is_primary", "primary", work.target.name);
    match target {
        Err(error) => unknown(check, limit, format!("{name} could not be asked: {error}")),
        Ok(facts) => must(
            check,
            Some(is_primary(facts) && is_settled(facts)),
            &facts.role,
            limit,
            format!("{name} is the primary"),
            format!("{name} is not a settled primary"),
        ),
    }
}

fn one_change_of_history(facts: &Facts, target: &Looked) -> Check {
    let (check, limit) = ("one_promotion", "out of the old primary's history, once");
    let (Ok(seen), Some(old), Some(new)) = (target, facts.get(fact::OLD_REPLID), facts.get(fact::NEW_REPLID)) else {
        return unknown(check, limit, "the history before or after is not known");
    };
    let holds = seen.replid == *new && seen.replid2 == *old;
    let bad = "not the one promotion of this plan";
    must(check, Some(holds), format!("{} out of {}", seen.replid, seen.replid2), limit, "exactly one promotion", bad)
}

async fn target_stays_primary(work: &Work<'_>) -> Check {
    let (check, limit) = ("target_stays_primary", "not fenced");
    match work.agent(&work.target) {
        Err(error) => unknown(check, limit, error.text),
        Ok(agent) => match agent.is_fenced().await {
            Ok(fenced) => must(
                check,
                Some(!fenced),
                if fenced { "fenced" } else { "not fenced" },
                limit,
                "a restart keeps the role",
                "a restart would make the new primary a replica",
            ),
            Err(error) => unknown(check, limit, error.to_string()),
        },
    }
}

async fn old_primary_is_fenced(work: &Work<'_>) -> Check {
    let limit = "a start makes it a replica";
    match prove_fence(work).await {
        Ok(()) => passed("old_primary_is_fenced", "fenced", limit, format!("{} cannot accept writes", work.from.name)),
        Err(error) => failed("old_primary_is_fenced", "not proven", limit, error.text),
    }
}

fn nothing_is_missing(facts: &Facts, target: &Looked) -> Check {
    let (check, limit) = ("nothing_is_missing", "both sides name the same last position");
    let (Ok(seen), Ok(last)) = (target, fact::offset(facts, fact::FINAL_OFFSET)) else {
        return unknown(check, limit, "the old primary's last position is not known");
    };
    let taken = fork_offset(seen);
    let value = format!("{last} and {}", shown(taken));
    must(check, taken.map(|taken| taken == last), value, limit, "nothing is missing", "something may be missing")
}

/// Measured against a position taken first, so that a busy writer does not make it unreachable.
async fn old_primary_follows(work: &Work<'_>, target: &Looked) -> Check {
    let (check, limit) = ("old_primary_follows", "link up, 0 bytes behind");
    let Ok(Some((goal, history))) = target.as_ref().map(|seen| seen.offset.map(|offset| (offset, &seen.replid))) else {
        return unknown(check, limit, "the new primary's position is not known");
    };
    let caught_up = until(CATCH_UP, || async {
        let seen = match work.look(&work.from).await {
            Ok(look) => look.facts,
            Err(error) => return Ok(Seen::Waiting(error.message)),
        };
        let follows = work.follows(&seen, &work.target) && seen.link_up == Some(true) && seen.replid == *history;
        Ok(match seen.offset {
            Some(offset) if follows && offset >= goal => Seen::There(offset),
            offset => Seen::Waiting(format!("at {} of {goal}, {}", shown(offset), up_or_down(seen.link_up))),
        })
    });
    match caught_up.await {
        Ok(Ok(offset)) => passed(check, format!("applied {offset}"), limit, format!("{} follows", work.from.name)),
        Ok(Err(state)) => failed(check, state, limit, format!("{} has not caught up", work.from.name)),
        Err(error) => unknown(check, limit, error.text),
    }
}
