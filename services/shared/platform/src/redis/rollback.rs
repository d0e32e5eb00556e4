//! Going back from a switchover that did not hand over: the old primary still is the primary, and what was prepared is
//! taken away. Only with proof that the target is a replica and that no hand-over is under way.

use muster_domain::pb::observation::v1::RedisFacts;

use super::work::{Work, is_primary, is_replica, is_settled, on_host, unreachable};
use crate::{
    MoveKind, StepError,
    step::{Seen, until},
};

pub(super) async fn run(work: &Work<'_>) -> Result<String, StepError> {
    let (from, target) = (work.from.name, work.target.name);
    if work.job.kind == MoveKind::Failover {
        return Err(StepError::refused(format!(
            "a failover is not taken back by itself: nobody knows whether {from} is healthy. Look at both nodes first"
        )));
    }
    let agent = work.agent(&work.from)?;
    let seen = settled_primary(work).await?;
    // What is fenced and what is promoted exclude each other: asked after the old primary has settled.
    let standby = work.look(&work.target).await.map_err(|error| {
        StepError::refused(format!(
            "{from} is the primary and serves, and stays fenced for its next start: {target} does not answer ({error})"
        ))
    })?;
    if !is_replica(&standby.facts) {
        return Err(StepError::refused(format!("{target} is a primary too; {from} stays fenced for its next start")));
    }
    agent.unfence().await.map_err(on_host)?;
    Ok(format!("{from} is the primary, in the same history as before ({}); {target} was not promoted", seen.replid))
}

/// The old primary, with no hand-over under way. One that still waits for the target is called off: that is safe, and
/// only that (Redis manual, FAILOVER ABORT).
async fn settled_primary(work: &Work<'_>) -> Result<RedisFacts, StepError> {
    let from = &work.from;
    let settled = until(work.job.timeouts.promote, || async {
        let seen = work.look(from).await.map_err(|e| unreachable(from, &e))?.facts;
        if is_settled(&seen) {
            return Ok(Seen::There(seen));
        }
        if seen.failover_state == "waiting-for-sync" {
            let mut session = work.session(from).await.map_err(|e| unreachable(from, &e))?;
            // Too late is seen by the next look.
            let _ = session.ask::<String>(&["FAILOVER", "ABORT"]).await;
        }
        Ok(Seen::Waiting(seen.failover_state))
    })
    .await?;
    let seen = settled.map_err(|state| {
        StepError::unknown(format!("the hand-over of {} does not come to an end: {state}", from.name))
    })?;
    if is_primary(&seen) {
        return Ok(seen);
    }
    Err(StepError::refused(format!(
        "{} is a replica now; going back means a new switchover, once {} is seen to be the primary",
        from.name, work.target.name
    )))
}
