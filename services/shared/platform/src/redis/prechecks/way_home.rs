//! Before the old primary of a failover is brought back: the present primary serves and holds data, the old one is out,
//! and it can follow.

use muster_domain::pb::execution::v1::Check;

use super::{
    FENCE_LIMIT, Seen, can_be_fenced, distinct_servers, fence_would_hold, holds_data, may_replicate_on,
    switchover::way_back,
};
use crate::{
    checks::{failed, must, passed, unknown},
    redis::work::{Work, is_primary, is_replica, is_settled},
    way_home::turned,
};

pub(in crate::redis) async fn before_way_home(work: &Work<'_>) -> Vec<Check> {
    let turned = turned(work.job);
    let back = match Work::of(&turned) {
        Ok(back) => back,
        Err(error) => return vec![failed("job_is_complete", "", "", error.text)],
    };
    let (from, target) = tokio::join!(back.look(&back.from), back.look(&back.target));
    let seen = Seen { from, target };
    let mut checks = vec![
        primary_serves(&back, &seen),
        original_is_out(&back, &seen).await,
        holds_data(&back, &seen),
        original_can_be_fenced(&back, &seen).await,
        way_back(&back).await,
    ];
    // A node that is down says nothing, and is asked again before the move.
    if seen.from.is_ok() {
        checks.push(distinct_servers(&back, &seen));
        checks.push(may_replicate_on(&back, &back.from).await);
    }
    checks
}

fn primary_serves(back: &Work<'_>, seen: &Seen) -> Check {
    let (name, check, limit) = (back.target.name, "present_primary_serves", "primary, no failover under way");
    match &seen.target {
        Err(error) => unknown(check, limit, format!("{name} could not be asked: {error}")),
        Ok(look) => must(
            check,
            Some(is_primary(&look.facts) && is_settled(&look.facts) && look.facts.loading == Some(false)),
            format!("{} {}", look.facts.role, look.facts.failover_state),
            limit,
            format!("{name} is the primary"),
            format!("{name} is not a settled primary: nothing is brought back behind it"),
        ),
    }
}

async fn original_is_out(back: &Work<'_>, seen: &Seen) -> Check {
    let (name, check, limit) = (back.from.name, "original_accepts_no_writes", "stopped, or a replica");
    let error = match &seen.from {
        Ok(look) if is_replica(&look.facts) => {
            return passed(check, "a replica", limit, format!("{name} runs as a replica"));
        }
        Ok(_) => {
            let text = format!(
                "{name} runs as a primary: stop whoever writes to it, and look at what it has, before it is brought back"
            );
            return failed(check, "primary", limit, text);
        }
        Err(error) => error,
    };
    match back.agent(&back.from) {
        Err(error) => unknown(check, limit, error.text),
        Ok(agent) => match agent.process().await {
            Ok(process) if !process.is_running() => {
                passed(check, "stopped", limit, format!("{name} is stopped; it is fenced before it is started"))
            }
            Ok(_) => unknown(check, limit, format!("{name} runs and could not be asked: {error}")),
            Err(why) => unknown(check, limit, format!("the host of {name} cannot be acted on: {why}")),
        },
    }
}

/// One that is down is recognised by its directory alone.
async fn original_can_be_fenced(back: &Work<'_>, seen: &Seen) -> Check {
    let check = "original_can_be_fenced";
    if seen.from.is_ok() {
        return can_be_fenced(back, &back.from, check).await;
    }
    match fence_would_hold(back, &back.from, check).await {
        Ok(agent) => passed(check, agent.describe(), FENCE_LIMIT, format!("{} starts as a replica", back.from.name)),
        Err(no) => no,
    }
}
