//! The steps of a move, with what a person does when one fails.

use std::time::Duration;

use muster_domain::{pb::execution::v1::Step, time};

use super::work::Work;
use crate::{MoveKind, Timeouts, step::PATIENCE};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepId {
    CheckpointPrimary,
    StopPrimary,
    ReadShutdownPosition,
    WaitForReplay,
    FencePrimary,
    KeepLog,
    DrainReplay,
    PromoteTarget,
    VerifyTarget,
    CheckpointTarget,
    CreateSlot,
    RejoinOldPrimary,
    WaitUntilProtected,
    DropStaleSlot,
}

use StepId::*;

/// A step gives up by itself before its time is over, with a better account than a time-out's.
const MARGIN: Duration = Duration::from_secs(20);

const SWITCHOVER: &[StepId] = &[
    CheckpointPrimary,
    CreateSlot,
    StopPrimary,
    ReadShutdownPosition,
    WaitForReplay,
    PromoteTarget,
    VerifyTarget,
    CheckpointTarget,
    RejoinOldPrimary,
    WaitUntilProtected,
    DropStaleSlot,
];

const FAILOVER: &[StepId] = &[FencePrimary, KeepLog, DrainReplay, PromoteTarget, VerifyTarget, CheckpointTarget];

pub(super) fn steps_of(kind: MoveKind) -> &'static [StepId] {
    match kind {
        MoveKind::Switchover => SWITCHOVER,
        MoveKind::Failover => FAILOVER,
    }
}

/// What one step is, before the names of the nodes are filled in.
struct Definition {
    id: &'static str,
    title: &'static str,
    on_target: bool,
    idempotent: bool,
    changes_target: bool,
    timeout: fn(&Timeouts) -> Duration,
    guidance: &'static str,
}

impl StepId {
    pub(super) fn as_str(self) -> &'static str {
        self.definition().id
    }

    #[expect(clippy::too_many_lines, reason = "a table reads best in one piece")]
    fn definition(self) -> Definition {
        match self {
            CheckpointPrimary => Definition {
                id: "checkpoint-primary",
                title: "Write a checkpoint on {from}, so that its stop is short",
                on_target: false,
                idempotent: true,
                changes_target: false,
                timeout: |t| t.checkpoint,
                guidance: "Nothing was changed. {from} is still the primary. See why it did not answer, then request the switchover again.",
            },
            StopPrimary => Definition {
                id: "stop-primary",
                title: "Fence {from} and stop it cleanly",
                on_target: false,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.stop,
                guidance: "{target} was not promoted. To go back: make sure {target} is still in recovery, remove standby.signal from the data directory of {from} and start it. That is a full return on the same timeline.",
            },
            ReadShutdownPosition => Definition {
                id: "read-shutdown-position",
                title: "Read the shutdown checkpoint of {from}",
                on_target: false,
                idempotent: true,
                changes_target: false,
                timeout: |t| t.statement,
                guidance: "{from} is stopped and {target} was not promoted. To go back: remove standby.signal from the data directory of {from} and start it.",
            },
            WaitForReplay => Definition {
                id: "wait-for-replay",
                title: "Wait until {target} has applied the shutdown checkpoint",
                on_target: true,
                idempotent: true,
                changes_target: false,
                timeout: |t| t.replay,
                guidance: "{target} does not have everything, so it was not promoted. To go back: remove standby.signal from the data directory of {from} and start it; {target} will catch up. Then find out why it stayed behind.",
            },
            FencePrimary => Definition {
                id: "fence-primary",
                title: "Fence {from}: no process of it runs, and it cannot start as a primary",
                on_target: false,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.stop,
                guidance: "Nothing was promoted. Make sure by other means (power, storage, network) that {from} cannot accept writes before anybody promotes {target} by hand. If {from} is healthy after all: remove standby.signal from its data directory and start it.",
            },
            DrainReplay => Definition {
                id: "drain-replay",
                title: "Let {target} apply everything it has received",
                on_target: true,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.replay,
                guidance: "{from} is fenced and {target} is still a standby: nobody accepts writes. See that {target} answers, then request the failover again. If {from} is healthy after all: remove standby.signal from its data directory and start it.",
            },
            PromoteTarget => Definition {
                id: "promote-target",
                title: "Promote {target}",
                on_target: true,
                idempotent: false,
                changes_target: true,
                timeout: |t| t.promote * 3,
                guidance: "Look at {target} first: SELECT pg_is_in_recovery(). If it is false, {target} is the primary; leave {from} fenced. If it is true, a promotion that was asked for can still happen: restart {target}, look again, and only then take the fence from {from}. Never start {from} as a primary before that.",
            },
            VerifyTarget => Definition {
                id: "verify-target",
                title: "Prove that {target} accepts writes on the next timeline",
                on_target: true,
                idempotent: true,
                changes_target: true,
                timeout: |t| PATIENCE + t.statement * 2,
                guidance: "{target} was promoted; leave {from} fenced. Find out why the write did not succeed (disk, read-only setting, synchronous standby). Going back from here means a new switchover.",
            },
            CheckpointTarget => Definition {
                id: "checkpoint-target",
                title: "Write a checkpoint on {target}, so that its control file names the new timeline",
                on_target: true,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.checkpoint,
                guidance: "{target} is the primary and accepts writes. Run CHECKPOINT on it before anything is rewound against it. Going back means a new switchover.",
            },
            // Before the stop: the first checkpoint after the promotion removes the log around the fork,
            // and the old primary needs exactly that log to come back.
            CreateSlot => Definition {
                id: "create-slot",
                title: "Create the replication slot for the return of {from} on {target}",
                on_target: true,
                idempotent: true,
                // A stop after it takes the slot away again.
                changes_target: false,
                timeout: |t| t.statement * 2,
                guidance: "{from} is still the primary. See why {target} did not create the slot (max_replication_slots, the REPLICATION attribute). Should slot '{slot}' exist on {target} without being used, drop it: it keeps log for ever.",
            },
            // As for CreateSlot; and here nobody knows when, or whether, the old primary comes back.
            KeepLog => Definition {
                id: "keep-log",
                title: "Keep the log on {target} that {from} needs to come back",
                on_target: true,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.statement * 2,
                guidance: "{from} is fenced and {target} is still a standby: nobody accepts writes. See why {target} does not answer, then request the failover again. Slot '{slot}' is only needed for the way back.",
            },
            RejoinOldPrimary => Definition {
                id: "rejoin-old-primary",
                title: "Start {from} as the standby of {target}",
                on_target: false,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.stop + t.start,
                guidance: "{target} is the primary and accepts writes, without a standby. {from} is fenced. Read its log; it needs primary_conninfo to {target}, primary_slot_name '{slot}' and standby.signal. Do not remove standby.signal.",
            },
            WaitUntilProtected => Definition {
                id: "wait-until-protected",
                title: "Wait until {from} streams from {target} and has caught up",
                on_target: false,
                idempotent: true,
                changes_target: false,
                timeout: |t| t.protected,
                guidance: "{target} is the primary and accepts writes. {from} runs as its standby and has not caught up: read both logs. Until it has, the system is not protected.",
            },
            DropStaleSlot => Definition {
                id: "drop-stale-slot",
                title: "Drop the slot on {from} that {target} no longer uses",
                on_target: false,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.statement * 2,
                guidance: "The switchover is complete and protected. A slot that nobody uses keeps log on {from} until the disk is full: drop it by hand (pg_replication_slots, pg_drop_replication_slot).",
            },
        }
    }

    pub(super) fn planned(self, work: &Work<'_>) -> Step {
        let definition = self.definition();
        let named = |text: &str| {
            text.replace("{from}", &work.from.name)
                .replace("{target}", &work.target.name)
                .replace("{slot}", &work.slot())
        };
        let limit = (definition.timeout)(&work.job.timeouts) + MARGIN;
        Step {
            id: definition.id.to_owned(),
            title: named(definition.title),
            node: if definition.on_target { &work.target.name } else { &work.from.name }.clone(),
            idempotent: definition.idempotent,
            timeout: limit.try_into().ok().map(time::duration_to_pb),
            guidance: named(definition.guidance),
            changes_target: definition.changes_target,
            point_of_no_return: matches!(self, Self::PromoteTarget),
            ..Step::default()
        }
    }
}
