//! The log: aggregates at a version, and appends that name the version they were decided on.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use muster_domain::{
    Aggregate, EventKind,
    execution::{Execution, Reservation},
    gate::Gate,
    pb::{
        execution::v1::{ExecutionEvent, ReservationEvent},
        request::v1::{DelegationEvent, GateEvent, RequestEvent},
    },
    request::{Delegation, Request},
};
use prost::Message;

/// Everything of an aggregate that a decision can depend on, as bytes: equal bytes, equal futures.
pub(crate) trait Content {
    fn content(&self) -> Vec<u8>;
}

impl Content for Request {
    fn content(&self) -> Vec<u8> {
        self.view.encode_to_vec()
    }
}

impl Content for Execution {
    fn content(&self) -> Vec<u8> {
        let rest = format!(
            "{} {:?} {} {} {:?} {:?}",
            self.executor, self.facts, self.marked_before, self.marked_after, self.postchecked_at, self.succession
        );
        [self.view.encode_to_vec(), rest.into_bytes()].concat()
    }
}

impl Content for Gate {
    fn content(&self) -> Vec<u8> {
        format!("{self:?}").into_bytes()
    }
}

impl Content for Delegation {
    fn content(&self) -> Vec<u8> {
        format!("{self:?}").into_bytes()
    }
}

impl Content for Reservation {
    fn content(&self) -> Vec<u8> {
        format!("{self:?}").into_bytes()
    }
}

/// An aggregate as the log has it, shared between the states that have not changed it.
#[derive(Clone)]
pub(crate) struct Logged<A> {
    pub state: Arc<A>,
    digest: u64,
}

impl<A: Aggregate + Content> Logged<A> {
    pub(crate) fn of(state: A) -> Self {
        let digest = digest(&state.content());
        Self { state: Arc::new(state), digest }
    }

    pub(crate) fn append(&mut self, event: &A::Event) {
        let mut state = (*self.state).clone();
        state.evolve(event);
        *self = Self::of(state);
    }
}

impl<A> PartialEq for Logged<A> {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl<A> Hash for Logged<A> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.digest.hash(hasher);
    }
}

impl<A> fmt::Debug for Logged<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.digest)
    }
}

/// One event, on its way to one aggregate's log.
#[derive(Clone, PartialEq)]
pub(crate) enum Entry {
    Request(Box<RequestEvent>),
    Execution(Box<ExecutionEvent>),
}

impl Entry {
    pub(crate) fn is_of_execution(&self) -> bool {
        matches!(self, Self::Execution(_))
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self {
            Self::Request(event) => event.encode_to_vec().hash(hasher),
            Self::Execution(event) => format!("{event:?}").hash(hasher),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request(event) => event.kind(),
            Self::Execution(event) => event.kind(),
        })
    }
}

/// What is written at once, beside an entry or alone: see `glue`.
#[derive(Clone)]
pub(crate) enum Beside {
    Reservation(ReservationEvent),
    Gate(GateEvent),
    /// Of the deputy with this number.
    Delegation(usize, DelegationEvent),
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
