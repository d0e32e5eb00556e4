//! The steps of a move, with what a person does when one fails.

use std::time::Duration;

use muster_domain::{pb::execution::v1::Step, time};

use super::work::Work;
use crate::{MoveKind, Timeouts, step::PATIENCE};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepId {
    RecordPositions,
    MoveLeader,
    VerifyTarget,
    WaitUntilProtected,
}

use StepId::*;

/// A step gives up by itself before its time is over, with a better account than a time-out's.
const MARGIN: Duration = Duration::from_secs(20);

pub(super) fn steps_of(kind: MoveKind) -> &'static [StepId] {
    match kind {
        MoveKind::Switchover => &[RecordPositions, MoveLeader, VerifyTarget, WaitUntilProtected],
        MoveKind::Failover => &[RecordPositions, MoveLeader, VerifyTarget],
    }
}

/// Patroni stops the old leader cleanly, promotes the new one, and answers when both is done or it gave up (contract sheet:
/// at least 120 s).
pub(super) fn answer_limit(timeouts: &Timeouts) -> Duration {
    timeouts.stop
}

/// What one step is, before the names of the members are filled in.
struct Definition {
    id: &'static str,
    title: &'static str,
    on_target: bool,
    changes_target: bool,
    timeout: fn(&Timeouts) -> Duration,
    guidance: &'static str,
}

impl StepId {
    pub(super) fn as_str(self) -> &'static str {
        self.definition().id
    }

    fn definition(self) -> Definition {
        match self {
            RecordPositions => Definition {
                id: "record-positions",
                title: "Read the positions of {from} and {target}",
                on_target: true,
                changes_target: false,
                timeout: |t| t.statement * 2,
                guidance: "Nothing was changed. See why a database did not answer, then open a new request.",
            },
            MoveLeader => Definition {
                id: "move-leader",
                title: "Have Patroni move the leadership from {from} to {target}",
                // What it takes out is the old leader: the time without writes counts from here.
                on_target: false,
                changes_target: true,
                timeout: |t| answer_limit(t) + t.promote,
                guidance: "Look first: `patronictl list`. Patroni alone decides who leads, and a move that was asked for can still happen for a minute. If {target} leads, go on by hand: test a write, see that {from} streams. If {from} leads, read Patroni's log on {target} for the reason. Never start, stop or promote a database by hand.",
            },
            VerifyTarget => Definition {
                id: "verify-target",
                title: "Prove that {target} accepts writes on the next timeline",
                on_target: true,
                changes_target: true,
                timeout: |t| PATIENCE + t.statement * 2,
                guidance: "{target} leads. Find out why the write did not succeed (disk, read-only setting, synchronous standby). Going back means a new switchover.",
            },
            WaitUntilProtected => Definition {
                id: "wait-until-protected",
                title: "Wait until {from} streams from {target} and has caught up",
                on_target: false,
                changes_target: false,
                timeout: |t| t.protected,
                guidance: "{target} leads and accepts writes. {from} has not caught up: read Patroni's log on {from}; `patronictl reinit` rebuilds it from {target}. Until it streams, the system is not protected.",
            },
        }
    }

    pub(super) fn planned(self, work: &Work<'_>) -> Step {
        let definition = self.definition();
        let named = |text: &str| text.replace("{from}", &work.from.name).replace("{target}", &work.target.name);
        let limit = (definition.timeout)(&work.job.timeouts) + MARGIN;
        Step {
            id: definition.id.to_owned(),
            title: named(definition.title),
            node: if definition.on_target { &work.target.name } else { &work.from.name }.clone(),
            // Asked twice, Patroni refuses the second time: the leader's name does not fit any more.
            idempotent: true,
            timeout: limit.try_into().ok().map(time::duration_to_pb),
            guidance: named(definition.guidance),
            changes_target: definition.changes_target,
            point_of_no_return: matches!(self, Self::MoveLeader),
            ..Step::default()
        }
    }
}
