//! What the ways home of all platforms share. After a failover the old primary is fenced and has no place; a failback
//! brings it back first, in three steps: it is measured, returned, and waited for.
//!
//! In the job of a failback `from` is the present primary and `target` is the node that comes back. Seen from the node that
//! rejoins it is the other way round, so the platforms work on the [`turned`] job and share the steps of a rejoin.

use std::time::Duration;

use muster_domain::{pb::execution::v1::Step, time};

use crate::MoveJob;

/// A step gives up by itself before its time is over, with a better account than a time-out's.
const MARGIN: Duration = Duration::from_secs(20);
/// A receiver that lost its connection for a moment is back within this.
pub(crate) const RECONNECT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepId {
    /// What the node has alone is read and written down, before anything of it is discarded.
    MeasureOriginal,
    ReturnOriginal,
    WaitUntilFollowing,
}

impl StepId {
    const ALL: [Self; 3] = [Self::MeasureOriginal, Self::ReturnOriginal, Self::WaitUntilFollowing];

    fn as_str(self) -> &'static str {
        match self {
            Self::MeasureOriginal => "measure-original",
            Self::ReturnOriginal => "return-original",
            Self::WaitUntilFollowing => "wait-until-following",
        }
    }

    pub(crate) fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == id)
    }
}

/// What a platform says of one of the steps.
pub(crate) struct Words {
    pub title: String,
    pub limit: Duration,
    pub guidance: String,
}

/// The steps, all on the node that comes back. Each can be run again.
pub(crate) fn steps(node: &str, words: impl Fn(StepId) -> Words) -> Vec<Step> {
    let step = |id: StepId| {
        let Words { title, limit, guidance } = words(id);
        Step {
            id: id.as_str().to_owned(),
            title,
            node: node.to_owned(),
            idempotent: true,
            timeout: (limit + MARGIN).try_into().ok().map(time::duration_to_pb),
            guidance,
            changes_target: id != StepId::WaitUntilFollowing,
            ..Step::default()
        }
    };
    StepId::ALL.into_iter().map(step).collect()
}

/// The same two nodes as the one that rejoins sees them.
pub(crate) fn turned(job: &MoveJob) -> MoveJob {
    MoveJob { from_node: job.target_node.clone(), target_node: job.from_node.clone(), ..job.clone() }
}
