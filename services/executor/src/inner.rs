//! Steps that neither a platform's mover nor a plan brings: the executor's own, for drills and failbacks. Their names have a colon, which
//! no step of a plan and none of a platform has.

use muster_domain::pb::execution::v1::Step;

/// What a step of the executor's own does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Looks at both sides of a resource and asks its integrity questions there. A readiness drill's.
    Look,
    /// Proves that the first half of a live drill came out well, before the way back begins.
    Prove,
    /// The prechecks of a move, once the node that it goes to has been brought back. A failback's after a failover.
    Ready,
    /// One step of an isolated drill.
    Copy(CopyStep),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyStep {
    Make,
    Start,
    Query,
    Remove,
    Verify,
}

const LOOK: &str = "look:";
const PROVE: &str = "prove:";
const READY: &str = "ready:";
const COPY: &str = "copy:";

impl Kind {
    pub(crate) fn of(step: &Step) -> Option<Self> {
        if step.definition.is_some() {
            return None;
        }
        if step.id.starts_with(LOOK) {
            return Some(Self::Look);
        }
        if step.id.starts_with(PROVE) {
            return Some(Self::Prove);
        }
        if step.id.starts_with(READY) {
            return Some(Self::Ready);
        }
        let (_, name) = step.id.strip_prefix(COPY)?.rsplit_once('/')?;
        CopyStep::ALL.into_iter().find(|copy| copy.name() == name).map(Self::Copy)
    }

    pub(crate) fn id(self, resource: &str) -> String {
        match self {
            Self::Look => format!("{LOOK}{resource}"),
            Self::Prove => format!("{PROVE}{resource}"),
            Self::Ready => format!("{READY}{resource}"),
            Self::Copy(step) => format!("{COPY}{resource}/{}", step.name()),
        }
    }
}

impl CopyStep {
    pub(crate) const ALL: [Self; 5] = [Self::Make, Self::Start, Self::Query, Self::Remove, Self::Verify];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Make => "make-copy",
            Self::Start => "start-copy",
            Self::Query => "query-copy",
            Self::Remove => "remove-copy",
            Self::Verify => "verify-removed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_again_by_its_name_and_a_platform_step_is_none_of_them() {
        let kinds = CopyStep::ALL.map(Kind::Copy).into_iter().chain([Kind::Look, Kind::Prove, Kind::Ready]);
        for kind in kinds {
            let step = Step { id: kind.id("orders-db"), ..Step::default() };
            assert_eq!(Kind::of(&step), Some(kind));
        }
        for id in ["stop-primary", "move-copy/stop-primary", "look/stop-primary", "copy:orders-db/other"] {
            assert_eq!(Kind::of(&Step { id: id.into(), ..Step::default() }), None, "{id}");
        }
    }
}
