//! There is nothing that Muster could take back: the leadership is Patroni's, and it never leaves a member half moved. Either it
//! did not move, or the way back is a new switchover.

use super::{
    leader::{Leader, leader},
    work::Work,
};
use crate::{
    Facts, MoveKind, StepError,
    postgresql::{
        databases::{is_primary, look},
        fact,
    },
};

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Result<String, StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    if work.job.kind == MoveKind::Failover {
        return Err(StepError::refused(format!(
            "a failover is not taken back: Patroni brings {from} back as a replica of {target}; going back means a new switchover"
        )));
    }
    if facts.contains_key(fact::NEW_TIMELINE) {
        return Err(StepError::refused(format!("{target} leads; going back means a new switchover")));
    }
    // Nothing was recorded yet, so nothing was asked of Patroni.
    if !facts.contains_key(fact::OLD_TIMELINE) {
        return Ok(format!("Patroni was asked for nothing: {from} was not touched"));
    }
    match leader(work, facts).await? {
        Leader::NotMoved { leads: Some(leads) } if leads == *from => {}
        Leader::Moved { .. } => {
            return Err(StepError::refused(format!("{target} leads; going back means a new switchover")));
        }
        Leader::NotMoved { .. } => {
            return Err(StepError::refused("nobody leads now: Patroni is deciding. Look at `patronictl list`"));
        }
        Leader::Unclear(text) => return Err(StepError::refused(text)),
    }
    let seen = look(&work.databases, from).await;
    let seen =
        seen.map_err(|error| StepError::refused(format!("{from} holds Patroni's lock and does not answer: {error}")))?;
    if !is_primary(&seen) {
        return Err(StepError::refused(format!("{from} holds Patroni's lock and is not a primary")));
    }
    Ok(format!(
        "Patroni did not move the leadership: {from} leads and is the primary, {target} is its standby. Nothing had to be taken back"
    ))
}
