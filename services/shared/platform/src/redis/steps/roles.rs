//! Making the new roles last, and waiting until the old primary protects the new one.

use muster_domain::pb::observation::v1::RedisFacts;

use crate::{
    Facts, MoveKind, StepDone, StepError,
    redis::{
        fact,
        roles::rewrite_configuration,
        work::{Work, is_primary, on_host, shown, unreachable, up_or_down},
    },
    step::{Seen, done, until},
};

pub(super) async fn persist(work: &Work<'_>) -> Result<StepDone, StepError> {
    let (from, target) = (&work.from, &work.target);
    let seen = work.look(target).await.map_err(|e| unreachable(target, &e))?.facts;
    if !is_primary(&seen) {
        return Err(StepError::refused(format!("{} is not a primary", target.name)));
    }
    super::prove_fence(work).await?;
    work.agent(target)?.unfence().await.map_err(on_host)?;
    rewrite_configuration(work, target).await?;
    if work.job.kind == MoveKind::Failover {
        return Ok(done(format!("{} stays the primary over a restart", target.name), []));
    }
    rewrite_configuration(work, from).await?;
    Ok(done(format!("{} stays the primary over a restart, and {} its replica", target.name, from.name), []))
}

pub(super) async fn wait_until_protected(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let target = &work.target;
    let new = fact::required(facts, fact::NEW_REPLID)?;
    let primary = work.look(target).await.map_err(|e| unreachable(target, &e))?.facts;
    if !is_primary(&primary) || primary.replid != new {
        return Err(StepError::failed(format!("{} is not the primary of this move", target.name)));
    }
    Ok(done(has_caught_up(work, &primary).await?, [(fact::PROTECTED_AT, work.time())]))
}

/// Waits until the old primary has everything that the new one had when it was looked at: measured against a position
/// taken first, so that a busy writer does not make it unreachable.
pub(in crate::redis) async fn has_caught_up(work: &Work<'_>, primary: &RedisFacts) -> Result<String, StepError> {
    let (from, target) = (&work.from, &work.target);
    let goal = primary.offset;
    let goal = goal.ok_or_else(|| StepError::failed(format!("{} tells no position", target.name)))?;
    let caught_up = until(work.job.timeouts.protected, || async {
        let seen = match work.look(from).await {
            Ok(seen) => seen.facts,
            Err(error) => return Ok(Seen::Waiting(error.message)),
        };
        let follows = work.follows(&seen, target) && seen.link_up == Some(true) && seen.replid == primary.replid;
        let usable = seen.loading != Some(true) && seen.sync_in_progress != Some(true);
        Ok(match seen.offset {
            Some(offset) if follows && usable && offset >= goal => Seen::There(offset),
            offset => Seen::Waiting(format!("it is at {} of {goal}, {}", shown(offset), up_or_down(seen.link_up))),
        })
    });
    match caught_up.await? {
        Ok(offset) => Ok(format!("{} follows {} and has applied {offset}", from.name, target.name)),
        Err(state) => Err(StepError::failed(format!("{} does not protect {} yet: {state}", from.name, target.name))),
    }
}
