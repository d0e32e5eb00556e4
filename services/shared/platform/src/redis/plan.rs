//! The steps of a move, with what a person does when one fails.

use std::time::Duration;

use muster_domain::{pb::execution::v1::Step, time};

use super::work::Work;
use crate::{MoveKind, Timeouts, step::PATIENCE};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepId {
    FenceRestart,
    HandOver,
    FencePrimary,
    PromoteTarget,
    VerifyTarget,
    PersistRoles,
    WaitUntilProtected,
}

use StepId::*;

/// A step gives up by itself before its time is over, with a better account than a time-out's.
const MARGIN: Duration = Duration::from_secs(20);

const SWITCHOVER: &[StepId] = &[FenceRestart, HandOver, VerifyTarget, PersistRoles, WaitUntilProtected];
const FAILOVER: &[StepId] = &[FencePrimary, PromoteTarget, VerifyTarget, PersistRoles];

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
            FenceRestart => Definition {
                id: "fence-restart",
                title: "Let {from} and {target} write down their configuration, and make {from} a replica at its next start",
                on_target: false,
                // It still is the primary: the way back takes the fence away.
                changes_target: false,
                timeout: |t| t.statement * 4,
                guidance: "{from} is still the primary. See why a configuration could not be written, then request the switchover again. Should {from} be fenced already: empty its muster-fence.conf, or its next start makes it a replica.",
            },
            HandOver => Definition {
                id: "hand-over",
                title: "Let {from} hand over to {target}: writes pause until {target} has everything",
                on_target: false,
                changes_target: true,
                timeout: |t| t.replay + t.promote,
                guidance: "Ask both nodes: ROLE. One 'master': that one is the primary, and nothing is lost. If it is {from}, empty its muster-fence.conf. No 'master': make the node with the larger slave_repl_offset the primary (REPLICAOF NO ONE), and only that one.",
            },
            FencePrimary => Definition {
                id: "fence-primary",
                title: "Fence {from}: no process of it runs, and it cannot start as a primary",
                on_target: false,
                changes_target: true,
                timeout: |t| t.stop,
                guidance: "Nothing was promoted. Make sure by other means (power, network) that {from} cannot accept writes before anybody promotes {target} by hand. If {from} is healthy after all: empty its muster-fence.conf and start it.",
            },
            PromoteTarget => Definition {
                id: "promote-target",
                title: "Promote {target}",
                on_target: true,
                changes_target: true,
                timeout: |t| t.promote,
                guidance: "Look at {target} first: ROLE. If it says 'master', {target} is the primary; leave {from} fenced. If it says 'slave', request the failover again, or empty muster-fence.conf of {from} and start it.",
            },
            VerifyTarget => Definition {
                id: "verify-target",
                title: "Prove that {target} is the primary, and from which position on",
                on_target: true,
                changes_target: true,
                timeout: |t| PATIENCE + t.statement * 2,
                guidance: "{target} was made the primary; leave {from} as it is. Compare INFO replication of both nodes. Going back from here means a new switchover.",
            },
            PersistRoles => Definition {
                id: "persist-roles",
                title: "Write the new roles down, so that a restart keeps them",
                on_target: true,
                changes_target: true,
                timeout: |t| t.statement * 4,
                guidance: "{target} is the primary; a restart of it would make it a replica again. Empty its muster-fence.conf and run CONFIG REWRITE on it, and on {from} if that answers. Going back means a new switchover.",
            },
            WaitUntilProtected => Definition {
                id: "wait-until-protected",
                title: "Wait until {from} follows {target} and has everything",
                on_target: false,
                changes_target: false,
                timeout: |t| t.protected,
                guidance: "{target} is the primary and accepts writes, without protection until {from} follows. See its log (masterauth, network), then REPLICAOF to {target} on {from}.",
            },
        }
    }

    /// As it stands in the plan of one move. Each can be run again: Redis tells its roles, and a second hand-over is
    /// refused by a server that has handed over.
    pub(super) fn planned(self, work: &Work<'_>) -> Step {
        let definition = self.definition();
        let filled = |text: &str| text.replace("{from}", work.from.name).replace("{target}", work.target.name);
        let limit = (definition.timeout)(&work.job.timeouts) + MARGIN;
        let node = if definition.on_target { &work.target } else { &work.from };
        Step {
            id: definition.id.to_owned(),
            title: filled(definition.title),
            node: node.name.to_owned(),
            idempotent: true,
            timeout: limit.try_into().ok().map(time::duration_to_pb),
            guidance: filled(definition.guidance),
            changes_target: definition.changes_target,
            point_of_no_return: matches!(self, Self::HandOver | Self::PromoteTarget),
            ..Step::default()
        }
    }
}
