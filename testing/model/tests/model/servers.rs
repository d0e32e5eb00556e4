//! Two resources name one server. Each run holds its own resource, and looks whether another run holds the other one: the
//! order of the two is what makes it safe (`services/executor/src/neighbours.rs`).
//!
//! The log has one order for all of a tenant. What a look finds is the neighbour's reservation as some replica has it: an
//! old one, but never older than the looker's own entry, which was acknowledged before. More is not needed.

use muster_domain::{
    Aggregate,
    execution::{self, Reservation},
    pb::execution::v1::ReservationEvent,
};
use stateright::{Model, Property};

use crate::{holds, noticed, world};

const RUNS: usize = 2;
const RESOURCES: [&str; RUNS] = ["orders-db", "orders-db-by-another-name"];

const APART: &str = "two runs never act on one server at once";
const ACTS: &str = "a run acts";
const ONE_AFTER_THE_OTHER: &str = "both act, one after the other";
const BOTH_REFUSED: &str = "two that begin at once both stand back";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Looks first, and reserves then.
    LooksBefore,
    /// The look may find the log as it was at any time.
    ReadsAnywhere,
}

struct Servers {
    flaw: Option<Flaw>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    Begun,
    /// Its own resource is held since that length of the log.
    Held {
        since: usize,
    },
    /// It has looked, and found nobody.
    Alone,
    Acts,
    /// Given back. It has acted, or it stood back.
    Ended {
        acted: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// Whose reservation each entry changes, and whether it is taken.
    log: Vec<(usize, bool)>,
    stages: [Stage; RUNS],
}

impl State {
    fn all_ended(&self, acted: bool) -> bool {
        self.stages.iter().all(|stage| *stage == Stage::Ended { acted })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Reserve(usize),
    /// The log as it was when it had so many entries.
    Look {
        run: usize,
        length: usize,
    },
    Act(usize),
    End(usize),
}

impl Servers {
    fn reservation(state: &State, resource: usize, length: usize) -> Reservation {
        let mut reservation = Reservation::default();
        for (_, taken) in state.log[..length].iter().filter(|(whose, _)| *whose == resource) {
            let before = reservation.clone();
            let event: ReservationEvent = match taken {
                true => reserve(&before, resource, resource).unwrap().unwrap(),
                false => execution::release(&before, RESOURCES[resource], &world::id_of_run(resource)).unwrap(),
            };
            reservation.evolve(&event);
        }
        reservation
    }
}

fn reserve(
    held: &Reservation,
    resource: usize,
    run: usize,
) -> Result<Option<ReservationEvent>, muster_domain::Refusal> {
    execution::reserve(held, RESOURCES[resource], &world::id_of_run(run), world::time(0))
}

impl Model for Servers {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State { log: Vec::new(), stages: [Stage::Begun; RUNS] }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let looks_before = self.flaw == Some(Flaw::LooksBefore);
        for (run, stage) in state.stages.into_iter().enumerate() {
            match stage {
                Stage::Begun if looks_before => actions.push(Action::Look { run, length: state.log.len() }),
                Stage::Begun => actions.push(Action::Reserve(run)),
                Stage::Held { since } => {
                    let oldest = if self.flaw == Some(Flaw::ReadsAnywhere) { 0 } else { since };
                    actions.extend((oldest..=state.log.len()).map(|length| Action::Look { run, length }));
                }
                Stage::Alone if looks_before => actions.push(Action::Reserve(run)),
                Stage::Alone => actions.push(Action::Act(run)),
                Stage::Acts => actions.push(Action::End(run)),
                Stage::Ended { .. } => {}
            }
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Reserve(run) => {
                reserve(&Self::reservation(before, run, before.log.len()), run, run).ok()??;
                state.log.push((run, true));
                let looked = before.stages[run] == Stage::Alone;
                state.stages[run] = if looked { Stage::Acts } else { Stage::Held { since: state.log.len() } };
            }
            Action::Look { run, length } => {
                let neighbour = RUNS - 1 - run;
                let free = reserve(&Self::reservation(before, neighbour, length), neighbour, run).is_ok();
                state.stages[run] = if free { Stage::Alone } else { Stage::Ended { acted: false } };
                if !free && matches!(before.stages[run], Stage::Held { .. }) {
                    state.log.push((run, false));
                }
            }
            Action::Act(run) => state.stages[run] = Stage::Acts,
            Action::End(run) => {
                state.log.push((run, false));
                state.stages[run] = Stage::Ended { acted: true };
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(APART, |_, state: &State| {
                state.stages.iter().filter(|stage| **stage == Stage::Acts).count() <= 1
            }),
            Property::sometimes(ACTS, |_, state: &State| state.stages.contains(&Stage::Acts)),
            Property::sometimes(ONE_AFTER_THE_OTHER, |_, state: &State| state.all_ended(true)),
            Property::sometimes(BOTH_REFUSED, |_, state: &State| state.all_ended(false)),
        ]
    }
}

#[test]
fn one_server_by_two_names_holds() {
    holds("one server by two names", Servers { flaw: None }, &[ACTS, ONE_AFTER_THE_OTHER, BOTH_REFUSED]);
}

#[test]
fn one_server_by_two_names_can_fail() {
    for flaw in [Flaw::LooksBefore, Flaw::ReadsAnywhere] {
        noticed(&format!("{flaw:?}"), Servers { flaw: Some(flaw) }, APART);
    }
}
