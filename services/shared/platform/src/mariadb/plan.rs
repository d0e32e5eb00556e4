//! The steps of a move, with what a person does when one fails.

use std::time::Duration;

use muster_domain::{pb::execution::v1::Step, time};

use super::work::Work;
use crate::{MoveKind, Timeouts, step::PATIENCE};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepId {
    MakePrimaryReadOnly,
    EndSessions,
    ReadFinalPosition,
    WaitForApply,
    FencePrimary,
    DrainRelayLog,
    DetachTarget,
    PromoteTarget,
    KeepTargetWritable,
    VerifyTarget,
    RejoinOldPrimary,
    WaitUntilProtected,
}

use StepId::*;

/// A step gives up by itself before its time is over, with a better account than a time-out's.
const MARGIN: Duration = Duration::from_secs(20);

const SWITCHOVER: &[StepId] = &[
    MakePrimaryReadOnly,
    EndSessions,
    ReadFinalPosition,
    WaitForApply,
    DetachTarget,
    PromoteTarget,
    KeepTargetWritable,
    VerifyTarget,
    RejoinOldPrimary,
    WaitUntilProtected,
];

const FAILOVER: &[StepId] =
    &[FencePrimary, DrainRelayLog, DetachTarget, PromoteTarget, KeepTargetWritable, VerifyTarget];

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
            MakePrimaryReadOnly => Definition {
                id: "make-primary-read-only",
                title: "Fence {from}: it refuses writes now, and would after a restart",
                on_target: false,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.stop,
                guidance: "{target} was not promoted. To go back: make sure that {target} is read-only, take the fence from the configuration of {from}, and SET GLOBAL read_only=0 on {from}. A statement that ran for long may be why read_only could not be set: see SHOW PROCESSLIST.",
            },
            EndSessions => Definition {
                id: "end-sessions",
                title: "End the sessions of clients that are left on {from}",
                on_target: false,
                idempotent: true,
                changes_target: false,
                timeout: |t| t.statement * 2,
                guidance: "{from} refuses writes and {target} was not promoted. To go back: take the fence from the configuration of {from}, and SET GLOBAL read_only=0 on {from}.",
            },
            ReadFinalPosition => Definition {
                id: "read-final-position",
                title: "Read where {from} ended, twice",
                on_target: false,
                idempotent: true,
                changes_target: false,
                timeout: |t| t.statement * 2,
                guidance: "{from} refuses writes of clients and {target} was not promoted. If the position still grew, an account with READ_ONLY ADMIN writes: find it (SHOW PROCESSLIST) and stop it. To go back: take the fence from the configuration of {from}, and SET GLOBAL read_only=0 on {from}.",
            },
            WaitForApply => Definition {
                id: "wait-for-apply",
                title: "Wait until {target} has applied everything that {from} wrote",
                on_target: true,
                idempotent: true,
                changes_target: false,
                timeout: |t| t.replay,
                guidance: "{target} does not have everything, so it was not promoted. To go back: take the fence from the configuration of {from}, and SET GLOBAL read_only=0 on {from}. Then find out why {target} stayed behind (SHOW REPLICA STATUS).",
            },
            FencePrimary => Definition {
                id: "fence-primary",
                title: "Fence {from}: no process of it runs, and a start makes it read-only",
                on_target: false,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.stop,
                guidance: "Nothing was promoted. Make sure by other means (power, storage, network) that {from} cannot accept writes before anybody promotes {target} by hand. If {from} is healthy after all: take the fence from its configuration and start it.",
            },
            DrainRelayLog => Definition {
                id: "drain-relay-log",
                title: "Let {target} apply everything it has received",
                on_target: true,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.replay,
                guidance: "{from} is fenced and {target} is still a standby: nobody accepts writes. Do not restart {target} and do not stop its SQL thread: with GTID both throw away what was received and not applied. See what holds up the applier (SHOW REPLICA STATUS), wait, then request the failover again. If {from} is healthy after all: take the fence from its configuration and start it.",
            },
            DetachTarget => Definition {
                id: "detach-target",
                title: "Stop replication on {target} and forget its source",
                on_target: true,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.statement * 4,
                guidance: "{target} is read-only and was not promoted; nobody accepts writes. To go back: CHANGE MASTER on {target} to {from} with MASTER_USE_GTID=slave_pos and START SLAVE; then take the fence from the configuration of {from}, and SET GLOBAL read_only=0 there.",
            },
            PromoteTarget => Definition {
                id: "promote-target",
                title: "Let {target} accept writes",
                on_target: true,
                idempotent: false,
                changes_target: true,
                timeout: |t| t.promote * 2,
                guidance: "Look at {target} first: SELECT @@global.read_only. If it is 0, {target} is the primary; leave {from} fenced. If it is 1 and no session of Muster is open there, {target} was not promoted: then set up its replication from {from} again, take the fence from the configuration of {from}, and SET GLOBAL read_only=0 there.",
            },
            KeepTargetWritable => Definition {
                id: "keep-target-writable",
                title: "Take the fence from the configuration of {target}, so that a restart keeps it the primary",
                on_target: true,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.statement,
                guidance: "{target} is the primary and accepts writes; leave {from} fenced. After a restart {target} would come up read-only: take the fence from its configuration by hand.",
            },
            VerifyTarget => Definition {
                id: "verify-target",
                title: "Prove that {target} commits",
                on_target: true,
                idempotent: true,
                changes_target: true,
                timeout: |t| PATIENCE + t.statement * 2,
                guidance: "{target} was promoted; leave {from} fenced. Find out why it does not commit (disk, innodb_read_only, semi-synchronous replication). Going back from here means a new switchover.",
            },
            RejoinOldPrimary => Definition {
                id: "rejoin-old-primary",
                title: "Make {from} a replica of {target}",
                on_target: false,
                idempotent: true,
                changes_target: true,
                timeout: |t| t.start + t.statement * 6,
                guidance: "{target} is the primary and accepts writes, without a replica. {from} is fenced. See SHOW REPLICA STATUS there. If {from} has transactions that {target} has not, export them with mysqlbinlog for the people who wrote them and rebuild {from}. Do not take its fence.",
            },
            WaitUntilProtected => Definition {
                id: "wait-until-protected",
                title: "Wait until {from} replicates from {target} and has caught up",
                on_target: false,
                idempotent: true,
                changes_target: false,
                timeout: |t| t.protected,
                guidance: "{target} is the primary and accepts writes. {from} is its replica and has not caught up: see SHOW REPLICA STATUS and both logs. Until it has, the system is not protected.",
            },
        }
    }

    pub(super) fn planned(self, work: &Work<'_>) -> Step {
        let definition = self.definition();
        let named = |text: &str| text.replace("{from}", work.from.name).replace("{target}", work.target.name);
        let limit = (definition.timeout)(&work.job.timeouts) + MARGIN;
        Step {
            id: definition.id.to_owned(),
            title: named(definition.title),
            node: if definition.on_target { work.target.name } else { work.from.name }.to_owned(),
            idempotent: definition.idempotent,
            timeout: limit.try_into().ok().map(time::duration_to_pb),
            guidance: named(definition.guidance),
            changes_target: definition.changes_target,
            point_of_no_return: matches!(self, Self::PromoteTarget),
            ..Step::default()
        }
    }
}
