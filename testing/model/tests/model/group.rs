//! A group whose members depend on each other, moved by two executors of which one may die, beside a run on one member alone.
//! The steps are those of the product's own built-in plan, unfolded from the group as it is declared; each member's move is
//! one step here.
//!
//! ```text
//!        base            left and right side by side, after base;
//!       /    \           top after both
//!    left    right
//!       \    /
//!         top
//! ```

mod declared;
mod glue;

use muster_domain::{
    execution::{self, Begin, Execution, Next, Reservation, id_of},
    pb::execution::v1::{ExecutionStarted, ExecutionState, Step, StepState},
};
use stateright::{Model, Property};

use self::{
    declared::{LEFT, MEMBERS, NEEDS, OTHER, RIGHT, member_of, names, step_of, steps},
    glue::other,
};
use crate::{
    holds,
    logs::Logged,
    noticed,
    state::name_of,
    world::{self, Person},
};

const EXECUTORS: usize = 2;

const AFTER_WHAT_IT_NEEDS: &str = "no member is moved before those it depends on";
const ONCE: &str = "no member is moved twice";
const STOP_IS_FINAL: &str = "no member is begun after a stop, a failure or an end";
const ACCOUNT: &str = "an ended run says of each member what became of it, and nothing happens afterwards";
const ALONE: &str = "nobody else moves a member meanwhile";
const GIVEN_BACK: &str = "a run comes to an end, and gives everything back";

const SIDE_BY_SIDE: &str = "two branches are under way at once";
const STOPPED_MIDWAY: &str = "a run is stopped with one branch moved and the other not";
const FAILED_BESIDE: &str = "one branch fails and the other is moved all the same";
const SUCCEEDS_AFTER_TAKEOVER: &str = "a run is taken over and succeeds";
const STOOD_BACK: &str = "a run ends untouched, because one member is held";

/// Ways in which the services around the rules could be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The group is compiled as if its members did not know each other.
    DependenciesLost,
    /// What is under way is ended by the end of the run, and nobody waits for it.
    EndsWithoutWaiting,
    /// The first claim that was not carried out ends the run, whatever became of the others.
    EndsAtTheFirst,
    /// What is free is taken, and the rest believed to be.
    TakenOneByOne,
    StopNotHeard,
    /// A claim without an outcome is taken for a member that was not moved.
    TargetNotAsked,
    /// What was held for the run stays held.
    NotGivenBack,
}

#[derive(Clone)]
struct Group {
    flaw: Option<Flaw>,
    crashes: u8,
    stops: u8,
    failures: u8,
    /// Somebody wants `left` alone, at any time.
    is_wanted: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Hash)]
struct State {
    execution: Logged<Execution>,
    /// The group's, then the members'.
    reservations: Vec<Logged<Reservation>>,
    executors: Vec<Executor>,
    /// How often each member was moved.
    moved: [u8; MEMBERS.len()],
    left: Left,
    other_ran: bool,
    past: Past,
}

#[derive(Debug, Clone, PartialEq, Hash)]
struct Executor {
    life: u8,
    work: [Work; MEMBERS.len()],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Work {
    None,
    Claimed,
    Done,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Left {
    crashes: u8,
    stops: u8,
    failures: u8,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Past {
    too_early: bool,
    begun_after_the_stop: bool,
    moved_after_the_end: bool,
    side_by_side: bool,
    taken_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Begin,
    TakeOver(usize),
    Advance(usize),
    Claim {
        executor: usize,
        member: usize,
    },
    Settle {
        executor: usize,
        member: usize,
    },
    /// The platform is called.
    Move {
        executor: usize,
        member: usize,
        works: bool,
    },
    Report {
        executor: usize,
        member: usize,
    },
    Stop,
    Crash(usize),
    GiveBack,
    OtherBegins,
    OtherEnds,
}

impl State {
    fn view(&self) -> &Execution {
        &self.execution.state
    }

    fn name(&self, executor: usize) -> String {
        name_of(executor, self.executors[executor].life)
    }

    fn step_state(&self, member: usize) -> StepState {
        self.view().step(&step_of(member)).map_or(StepState::Unspecified, |view| view.state())
    }

    fn has_ended(&self) -> bool {
        self.view().exists() && !self.view().is_running()
    }

    fn ended(&self, how: ExecutionState) -> bool {
        self.view().view.state() == how
    }

    /// One branch was moved.
    fn is_halfway(&self) -> bool {
        self.moved[LEFT] != self.moved[RIGHT]
    }

    fn owner_lives(&self) -> bool {
        (0..EXECUTORS).any(|executor| self.view().executor == self.name(executor))
    }

    fn holder(&self, member: usize) -> Option<&str> {
        self.reservations[member + 1].state.held_by.as_deref()
    }
}

impl Group {
    fn new(crashes: u8, stops: u8, failures: u8) -> Self {
        Self { flaw: None, crashes, stops, failures, is_wanted: false, steps: steps() }
    }

    fn with(mut self, flaw: Flaw) -> Self {
        if flaw == Flaw::DependenciesLost {
            // Else it would be a line, as plans without any order are.
            let base = step_of(0);
            self.steps.iter_mut().filter(|step| step.id != base).for_each(|step| step.after = vec![base.clone()]);
        }
        Self { flaw: Some(flaw), ..self }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// What this executor could do now, whether or not the run is still its own.
    fn of_executor(&self, state: &State, executor: usize, actions: &mut Vec<Action>) {
        let work = &state.executors[executor].work;
        let mut at_work = false;
        for (member, work) in work.iter().enumerate() {
            at_work |= *work != Work::None;
            match work {
                Work::None => {}
                Work::Claimed => {
                    actions.push(Action::Move { executor, member, works: true });
                    if state.left.failures > 0 {
                        actions.push(Action::Move { executor, member, works: false });
                    }
                }
                Work::Done | Work::Failed => actions.push(Action::Report { executor, member }),
            }
        }
        let mut heard = state.view().clone();
        if self.has(Flaw::StopNotHeard) {
            heard.view.stop_requested = None;
        }
        if !heard.exists() || !heard.is_running() {
            return;
        }
        if !state.owner_lives() {
            actions.push(Action::TakeOver(executor));
        }
        let is_ending = heard.is_ending();
        for next in execution::next(&heard) {
            match next {
                Next::Run(view) | Next::Settle(view) if work[member_of(id_of(view))] != Work::None => {
                    if is_ending && self.has(Flaw::EndsWithoutWaiting) {
                        actions.push(Action::Advance(executor));
                    }
                }
                Next::Run(view) => actions.push(Action::Claim { executor, member: member_of(id_of(view)) }),
                // What others have left is looked at when nothing of the own is under way any more.
                Next::Settle(_) if is_ending && at_work => {}
                Next::Settle(view) => actions.push(Action::Settle { executor, member: member_of(id_of(view)) }),
                Next::AwaitPerson(_) | Next::AwaitResume => {}
                _ if at_work => {}
                _ => actions.push(Action::Advance(executor)),
            }
        }
    }
}

impl Model for Group {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            execution: Logged::of(Execution::default()),
            reservations: names().iter().map(|_| Logged::of(Reservation::default())).collect(),
            executors: vec![Executor { life: 0, work: [Work::None; MEMBERS.len()] }; EXECUTORS],
            moved: [0; MEMBERS.len()],
            left: Left { crashes: self.crashes, stops: self.stops, failures: self.failures },
            other_ran: !self.is_wanted,
            past: Past::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if !state.view().exists() {
            actions.push(Action::Begin);
        }
        for executor in 0..EXECUTORS {
            self.of_executor(state, executor, actions);
        }
        if state.view().is_running() && state.left.stops > 0 {
            actions.push(Action::Stop);
        }
        if state.left.crashes > 0 {
            actions.extend((0..EXECUTORS).map(Action::Crash));
        }
        if state.has_ended() && !self.has(Flaw::NotGivenBack) {
            actions.push(Action::GiveBack);
        }
        if state.holder(LEFT) == Some(OTHER) {
            actions.push(Action::OtherEnds);
        } else if !state.other_ran {
            actions.push(Action::OtherBegins);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Begin => {
                let started = ExecutionStarted {
                    request_id: world::id_of_run(0),
                    steps: self.steps.clone(),
                    executor: state.name(0),
                    ..ExecutionStarted::default()
                };
                let event = execution::start(state.view(), Begin { started }).ok()??;
                self.append(&mut state, &event);
            }
            Action::TakeOver(executor) => {
                let event = execution::take_over(state.view(), &state.name(executor), "", world::time(0)).ok()??;
                self.append(&mut state, &event);
                state.past.taken_over = true;
            }
            Action::Advance(executor) => self.advance(&mut state, executor)?,
            Action::Claim { executor, member } => self.claim(&mut state, executor, member, false)?,
            Action::Settle { executor, member } => self.settle(&mut state, executor, member)?,
            Action::Move { executor, member, works } => {
                if works {
                    state.past.too_early |= NEEDS[member].iter().any(|needed| state.moved[*needed] == 0);
                    state.past.moved_after_the_end |= state.has_ended();
                    state.moved[member] = (state.moved[member] + 1).min(2);
                } else {
                    state.left.failures -= 1;
                }
                state.executors[executor].work[member] = if works { Work::Done } else { Work::Failed };
            }
            Action::Report { executor, member } => self.report(&mut state, executor, member),
            Action::Stop => {
                let actor = Person::Oscar.actor();
                let event = execution::request_stop(state.view(), &actor, "not now", world::time(0)).ok()??;
                self.append(&mut state, &event);
                state.left.stops -= 1;
            }
            Action::Crash(executor) => {
                state.left.crashes -= 1;
                let executor = &mut state.executors[executor];
                *executor = Executor { life: executor.life + 1, work: [Work::None; MEMBERS.len()] };
            }
            Action::GiveBack => self.give_back(&mut state),
            Action::OtherBegins | Action::OtherEnds => {
                let begins = action == Action::OtherBegins;
                let event = other(&state.reservations[LEFT + 1].state, begins)?;
                state.reservations[LEFT + 1].append(&event);
                state.other_ran = true;
            }
        }
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(AFTER_WHAT_IT_NEEDS, |_, state: &State| !state.past.too_early),
            Property::always(ONCE, |_, state: &State| state.moved.iter().all(|times| *times <= 1)),
            Property::always(STOP_IS_FINAL, |_, state: &State| !state.past.begun_after_the_stop),
            Property::always(ACCOUNT, |_, state: &State| {
                !state.past.moved_after_the_end && (!state.has_ended() || is_true(state))
            }),
            Property::always(ALONE, |_, state: &State| {
                let acts = state.view().is_running() && state.view().has_touched();
                !acts || (0..MEMBERS.len()).all(|member| state.holder(member) == Some(&*world::id_of_run(0)))
            }),
            Property::always(GIVEN_BACK, |model: &Self, state| {
                let mut actions = Vec::new();
                model.actions(state, &mut actions);
                let goes_on = actions.into_iter().any(|action| model.next_state(state, action).is_some());
                goes_on || state.has_ended() && state.reservations.iter().all(|held| held.state.held_by.is_none())
            }),
            Property::sometimes(SIDE_BY_SIDE, |_, state: &State| state.past.side_by_side),
            Property::sometimes(STOPPED_MIDWAY, |_, state: &State| {
                state.ended(ExecutionState::Stopped) && state.is_halfway()
            }),
            Property::sometimes(FAILED_BESIDE, |_, state: &State| {
                state.ended(ExecutionState::Failed) && state.is_halfway()
            }),
            Property::sometimes(SUCCEEDS_AFTER_TAKEOVER, |_, state: &State| {
                state.ended(ExecutionState::Succeeded) && state.past.taken_over
            }),
            Property::sometimes(STOOD_BACK, |_, state: &State| {
                state.ended(ExecutionState::Failed) && state.moved == [0; MEMBERS.len()] && state.other_ran
            }),
        ]
    }
}

/// What the log says of each member is what happened to it.
fn is_true(state: &State) -> bool {
    (0..MEMBERS.len()).all(|member| match state.step_state(member) {
        StepState::Succeeded => state.moved[member] == 1,
        // A claim without an outcome, of an executor that died: whoever ended the run has looked.
        StepState::Pending | StepState::Failed | StepState::Running => state.moved[member] == 0,
        _ => false,
    })
}

fn stopped() -> Group {
    Group::new(1, 1, 0)
}

fn failing() -> Group {
    Group::new(1, 0, 1)
}

fn wanted() -> Group {
    Group { is_wanted: true, ..Group::new(1, 0, 0) }
}

#[test]
fn groups_hold() {
    holds("group, stopped", stopped(), &[SIDE_BY_SIDE, STOPPED_MIDWAY, SUCCEEDS_AFTER_TAKEOVER]);
    holds("group, failing", failing(), &[SIDE_BY_SIDE, FAILED_BESIDE, SUCCEEDS_AFTER_TAKEOVER]);
    holds("group beside another run", wanted(), &[STOOD_BACK, SUCCEEDS_AFTER_TAKEOVER]);
}

#[test]
fn groups_can_fail() {
    let breaks = |flaw: Flaw, model: Group, property| noticed(&format!("{flaw:?}"), model.with(flaw), property);
    breaks(Flaw::DependenciesLost, Group::new(0, 0, 0), AFTER_WHAT_IT_NEEDS);
    breaks(Flaw::TargetNotAsked, stopped(), ONCE);
    breaks(Flaw::StopNotHeard, stopped(), STOP_IS_FINAL);
    breaks(Flaw::EndsWithoutWaiting, stopped(), ACCOUNT);
    breaks(Flaw::EndsWithoutWaiting, failing(), ACCOUNT);
    breaks(Flaw::EndsAtTheFirst, stopped(), ACCOUNT);
    breaks(Flaw::TakenOneByOne, wanted(), ALONE);
    breaks(Flaw::NotGivenBack, wanted(), GIVEN_BACK);
}
