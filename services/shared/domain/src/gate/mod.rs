//! How far Muster may go by itself, for each kind of action: L0 run and log, L1 run and notify, L2 wait for approval,
//! L3 people act.
//!
//! L2 holds where nothing was decided. A gate can be raised at any time; lowering it takes two people, never goes below
//! the floor that the action's blast radius sets, and for a plan rests on clean drills: a failed one takes it back.
//!
//! Architecture Invariant: a gate below L2 exists only by an approved change in the log, so an executor proves it again.

mod change;
mod floor;

pub use change::{
    CLEAN_DRILLS, CLEAN_WITHIN, Proposal, approve, clean_drills, propose, raise_after_failure, reject, stricter,
};
pub use floor::{floor, lowest_floor};

use crate::aggregate::{Aggregate, EventKind};
use crate::ids::{AggregateId, InvalidId};
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::request::v1::{GateChangeProposed, GateEvent, GateLevel, RequestType, gate_event::Event};
use crate::request::type_name;

/// Where nothing was decided.
pub const DEFAULT: GateLevel = GateLevel::L2;

/// The gate of one kind of action, of every plan or of one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gate {
    /// `None`: nothing was decided, and nothing is decided by this gate.
    pub level: Option<GateLevel>,
    /// Waits for a second person.
    pub pending: Option<GateChangeProposed>,
    /// Why the level is what it is, in words.
    pub because: String,
}

impl EventKind for GateEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Proposed(_)) => "gate.change_proposed",
            Some(Event::Approved(_)) => "gate.change_approved",
            Some(Event::Rejected(_)) => "gate.change_rejected",
            Some(Event::Raised(_)) => "gate.raised",
            None => "unset",
        }
    }
}

impl Aggregate for Gate {
    const KIND: &'static str = "gate";
    type Event = GateEvent;

    fn evolve(&mut self, event: &GateEvent) {
        match &event.event {
            Some(Event::Proposed(proposed)) => self.pending = Some(proposed.clone()),
            Some(Event::Approved(approved)) => {
                if let Some(change) = self.pending.take_if(|pending| pending.change_id == approved.change_id) {
                    self.level = Some(change.to());
                    let name = |actor: Option<&crate::pb::common::v1::Actor>| {
                        actor.map(|actor| actor.name.clone()).unwrap_or_default()
                    };
                    self.because = format!(
                        "proposed by {}, approved by {}: {}",
                        name(change.actor.as_ref()),
                        name(approved.actor.as_ref()),
                        change.reason
                    );
                }
            }
            Some(Event::Rejected(rejected)) => {
                self.pending.take_if(|pending| pending.change_id == rejected.change_id);
            }
            Some(Event::Raised(raised)) => {
                self.level = Some(raised.to());
                self.because = raised.reason.clone();
                // What was proposed rested on drills that are not clean any more.
                self.pending = None;
            }
            None => {}
        }
    }
}

/// The aggregate of one gate. An empty plan means every plan.
pub fn gate_id(kind: RequestType, plan: &str) -> Result<AggregateId, InvalidId> {
    // No type's name has two dashes in a row, so the first two end it.
    if plan.is_empty() { type_name(kind).parse() } else { format!("{}--{plan}", type_name(kind)).parse() }
}

/// What one request meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    pub level: GateLevel,
    pub floor: GateLevel,
    /// "default L2", "gate of isolated-drill: …", "floor of tier 1"
    pub source: String,
}

/// The level that holds for a request: the plan's gate before the type's, but a type that was raised above the default
/// holds for every plan, and nothing is ever below the floor.
pub fn effective(
    kind: RequestType,
    plan: &str,
    tier: Tier,
    environment: Environment,
    of_type: &Gate,
    of_plan: &Gate,
) -> Effective {
    let floor = floor(kind, tier, environment);
    let name = type_name(kind);
    let (mut level, mut source) = match (of_plan.level.filter(|_| !plan.is_empty()), of_type.level) {
        (Some(plans), Some(types)) if types > DEFAULT && types > plans => {
            (types, format!("gate of {name}: {}", of_type.because))
        }
        (Some(plans), _) => (plans, format!("gate of {name} by plan {plan}: {}", of_plan.because)),
        (None, Some(types)) => (types, format!("gate of {name}: {}", of_type.because)),
        (None, None) => (DEFAULT, format!("default {}", level_name(DEFAULT))),
    };
    if level < floor {
        level = floor;
        source = format!("{source}; held at the floor {} of its blast radius", level_name(floor));
    }
    Effective { level, floor, source }
}

/// Nobody has to approve at this level.
pub fn runs_by_itself(level: GateLevel) -> bool {
    matches!(level, GateLevel::L0 | GateLevel::L1)
}

/// "L2"
pub fn level_name(level: GateLevel) -> &'static str {
    match level {
        GateLevel::Unspecified => "unknown",
        GateLevel::L0 => "L0",
        GateLevel::L1 => "L1",
        GateLevel::L2 => "L2",
        GateLevel::L3 => "L3",
    }
}

#[cfg(test)]
mod tests;
