//! Recovery plans: what is moved, in which order, by whom; who published it; whether it was ever proven.
//!
//! The text of a plan is a document of the inventory, each change a version. Its life is here: submitted, published by
//! somebody else, proven by a test, not proven any more. A run follows [`unfold`], approvals bind to [`hash`].
//!
//! Architecture Invariant: a change of the plan, of its group or of one member document gives another hash, so
//! neither an approval nor a proof outlives what it was given for.

mod built_in;
mod direction;
mod graph;
mod hash;
mod life;
mod lint;
mod proof;
mod scope;
mod unfold;

pub use built_in::built_in;
pub use direction::{Direction, direction, reversed, undo_of};
pub use hash::hash;
pub use life::{Publication, publish, return_, state, submit};
pub use lint::{Code, CriticalPath, Surroundings, critical_path, describe, errors, lint};
pub(crate) use lint::{PLAN_TYPES, secret_in_url, step_types};
pub use proof::{DEFAULT_PROOF_VALID_FOR, Test, fail_proof, lapse, proof, prove, proves, valid_for};
pub use scope::{Member, Scope, scope, spec_of};
pub use unfold::{PlannedStep, acts_as, serves, unfold};

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::plan::v1::{
    PlanEvent, PlanProofFailed, PlanProofLapsed, PlanProven, PlanPublished, PlanRef, PlanReturned, PlanSubmitted,
    PlanTest, plan_event::Event,
};

/// More phases than this is a book.
pub const MAX_PHASES: usize = 20;
/// More steps than this nobody follows during a run, and the log keeps each run's plan whole.
pub const MAX_STEPS: usize = 200;
/// A step that waits for more others waits for a phase: make it one.
pub const MAX_AFTER: usize = 50;
/// Each condition is asked before and after its step, while the system is down.
pub const MAX_CONDITIONS: usize = 20;
pub const MAX_CONTACTS: usize = 50;
/// Arguments of a command, values of a record, further servers of a zone.
pub const MAX_VALUES: usize = 50;
/// Tests that the state keeps, newest first; all of them are in the log.
pub const MAX_TESTS: usize = 50;

/// The life of one plan: the fold of its events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The review that is open, if one is.
    pub submitted: Option<PlanSubmitted>,
    /// The last review that ended with a no.
    pub returned: Option<PlanReturned>,
    /// The newest publication. It holds until the next one.
    pub published: Option<PlanPublished>,
    /// The newest of the three says where the proof stands; the other two are absent.
    pub proven: Option<PlanProven>,
    pub proof_failed: Option<PlanProofFailed>,
    pub proof_lapsed: Option<PlanProofLapsed>,
    /// Newest first, at most [`MAX_TESTS`].
    pub tests: Vec<PlanTest>,
}

impl EventKind for PlanEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Submitted(_)) => "plan.submitted",
            Some(Event::Returned(_)) => "plan.returned",
            Some(Event::Published(_)) => "plan.published",
            Some(Event::Proven(_)) => "plan.proven",
            Some(Event::ProofFailed(_)) => "plan.proof_failed",
            Some(Event::ProofLapsed(_)) => "plan.proof_lapsed",
            None => "unset",
        }
    }
}

impl Aggregate for Plan {
    const KIND: &'static str = "plan";
    type Event = PlanEvent;

    fn evolve(&mut self, event: &PlanEvent) {
        match &event.event {
            Some(Event::Submitted(submitted)) => self.submitted = Some(submitted.clone()),
            Some(Event::Returned(returned)) => {
                self.submitted = None;
                self.returned = Some(returned.clone());
            }
            Some(Event::Published(published)) => {
                self.submitted = None;
                self.returned = None;
                self.published = Some(published.clone());
            }
            Some(Event::Proven(proven)) => {
                self.proof_failed = None;
                self.proof_lapsed = None;
                self.remember(proof::passed(proven));
                self.proven = Some(proven.clone());
            }
            Some(Event::ProofFailed(failed)) => {
                self.proven = None;
                self.proof_lapsed = None;
                self.remember(proof::failed(failed));
                self.proof_failed = Some(failed.clone());
            }
            Some(Event::ProofLapsed(lapsed)) => {
                self.proven = None;
                self.proof_failed = None;
                self.proof_lapsed = Some(lapsed.clone());
            }
            None => {}
        }
    }
}

impl Plan {
    /// The text that a run uses. `None`: never published, so runs use the built-in plan.
    pub fn published_ref(&self) -> Option<&PlanRef> {
        self.published.as_ref()?.plan.as_ref()
    }

    fn remember(&mut self, test: PlanTest) {
        self.tests.insert(0, test);
        self.tests.truncate(MAX_TESTS);
    }
}

#[cfg(test)]
mod tests;
