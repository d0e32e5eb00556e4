//! From one state to the next: appends that win or lose their version, calls at the target, and what goes wrong.

use muster_domain::{
    execution,
    pb::{
        execution::v1::{ExecutionState, execution_event::Event},
        request::v1::{RequestConfirmed, RequestEvent, request_event},
    },
    time::to_pb,
};
use stateright::{Model, Property};

use crate::{
    deeds::{self, Action, Call, Deed, is_claimed},
    flaws::Flaw,
    glue::{Outcome, writer},
    logs::Entry,
    properties::{self, effect_is_approved, effect_is_in_order},
    state::{OnItsWay, Past, Scenario, State, Work, Writer, name_of},
    world::{self, Person, STEPS},
};

impl Model for Scenario {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.begin()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        deeds::actions(self, state, actions);
    }

    /// `None`: nothing came of it.
    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Do(deed) => {
                let outcome = self.decide(before, deed)?;
                spend(&mut state, deed);
                self.take_in(&mut state, deed, outcome);
            }
            Action::Send(deed) => {
                let outcome = self.decide(before, deed)?;
                outcome.entry.as_ref()?;
                spend(&mut state, deed);
                state.left.delays -= 1;
                send(&mut state, deed, outcome);
            }
            Action::Arrive => self.arrive(&mut state),
            Action::Lose => {
                let lost = state.on_its_way.take()?;
                forget_claim(&mut state, &lost);
            }
            Action::Perform { executor, run, step, call } => self.perform(&mut state, executor, run, step, call),
            Action::Crash(number) => {
                state.left.crashes -= 1;
                let executor = &mut state.executors[number];
                executor.life += 1;
                executor.work.iter_mut().for_each(|work| *work = [Work::None; STEPS.len()]);
            }
            Action::DeclareAgain => {
                state.left.plan_changes -= 1;
                state.changed = true;
            }
            Action::HourPasses => {
                state.left.hours -= 1;
                state.hour += 1;
            }
            Action::Forge { run } => {
                state.left.forgeries -= 1;
                let forged = forged(&state, run)?;
                self.append(&mut state, run, &Entry::Request(Box::new(forged)), Writer::Person);
            }
        }
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Scenario {
    fn take_in(&self, state: &mut State, deed: Deed, outcome: Outcome) {
        let run = run_of(deed);
        if let Some(hold) = &outcome.hold {
            state.reservation.append(hold);
        }
        if let Some(entry) = &outcome.entry {
            let writer = writer(state, deed);
            self.append(state, run, entry, writer);
        }
        if let Some((executor, run, step, work)) = outcome.work {
            state.executors[executor].work[run][step] = work;
        }
    }

    /// One version has one winner. Who lost reads again and decides again, as a new deed.
    fn arrive(&self, state: &mut State) {
        let Some(mut arriving) = state.on_its_way.take() else { return };
        let loses = (arriving.outdated || arriving.repeated) && !self.has(Flaw::LogWithoutVersions);
        if loses {
            forget_claim(state, &arriving);
            return;
        }
        self.append(state, arriving.run, &arriving.entry, arriving.writer);
        if let Some((number, step)) = waiting_for(state, &arriving) {
            state.executors[number].work[arriving.run][step] = Work::Claimed;
        }
        // Networks repeat themselves. With versions the second arrival always loses, and changes nothing.
        if !arriving.repeated && self.has(Flaw::LogWithoutVersions) {
            arriving.repeated = true;
            state.on_its_way = Some(arriving);
        }
    }

    /// Writes the event down, and what the properties have to know about it.
    fn append(&self, state: &mut State, run: usize, entry: &Entry, writer: Writer) {
        let is_of_execution = entry.is_of_execution();
        let is_same_log = |other: &OnItsWay| (other.run, other.entry.is_of_execution()) == (run, is_of_execution);
        if let Some(mut other) = state.on_its_way.take_if(|other| is_same_log(other)) {
            other.outdated = true;
            // It has lost, and only a claim leaves somebody waiting to hear so.
            if waiting_for(state, &other).is_some() || self.has(Flaw::LogWithoutVersions) {
                state.on_its_way = Some(other);
            }
        }
        let holder = state.reservation.state.held_by.clone();
        let written = &mut state.runs[run];
        match entry {
            Entry::Request(event) => written.request.append(event),
            Entry::Execution(event) => {
                let before = written.execution.state.clone();
                if let Some(event) = &event.event {
                    remember(&mut written.past, &before, event, writer, holder.as_deref());
                }
                written.execution.append(event);
                let end = Some(written.execution.state.view.state());
                let ended = !matches!(end, Some(ExecutionState::Running | ExecutionState::Unspecified));
                if ended && written.past.end.is_none() {
                    written.past.end = end;
                }
            }
        }
    }

    fn perform(&self, state: &mut State, executor: usize, run: usize, step: usize, call: Call) {
        let took_effect = match call {
            Call::Works => true,
            Call::Fails => false,
            Call::Vanishes { took_effect } => took_effect,
        };
        if call != Call::Works {
            state.left.failures -= 1;
        }
        if took_effect && self.takes_effect(state.runs[run].effects[step], step) {
            let approved = effect_is_approved(state, run, step);
            let in_order = effect_is_in_order(state, run, step);
            let run = &mut state.runs[run];
            run.effects[step] = (run.effects[step] + 1).min(2);
            run.past.effect_not_approved |= !approved;
            run.past.effect_too_early |= !in_order;
        }
        state.executors[executor].work[run][step] = match call {
            Call::Works => Work::Done,
            Call::Fails => Work::Failed,
            Call::Vanishes { .. } => Work::Unknown,
        };
    }
}

fn run_of(deed: Deed) -> usize {
    match deed {
        Deed::Approve { run, .. }
        | Deed::Start { run, .. }
        | Deed::Review { run, .. }
        | Deed::Expire { run }
        | Deed::Remind { run }
        | Deed::Stop { run }
        | Deed::Pause { run }
        | Deed::Resume { run }
        | Deed::Begin { run, .. }
        | Deed::TakeOver { run, .. }
        | Deed::Advance { run, .. }
        | Deed::Claim { run, .. }
        | Deed::Settle { run, .. }
        | Deed::Report { run, .. }
        | Deed::Release { run } => run,
    }
}

fn spend(state: &mut State, deed: Deed) {
    match deed {
        Deed::Stop { .. } => state.left.stops -= 1,
        Deed::Pause { .. } => state.left.pauses -= 1,
        Deed::TakeOver { run, .. } if state.owner_lives(run) => state.left.takeovers -= 1,
        _ => {}
    }
}

fn send(state: &mut State, deed: Deed, outcome: Outcome) {
    let run = run_of(deed);
    if let Some(hold) = &outcome.hold {
        state.reservation.append(hold);
    }
    if let Some((executor, run, step, work)) = outcome.work {
        // A claim counts when the log has it; an outcome that is lost is found by whoever looks at the target.
        state.executors[executor].work[run][step] = if work == Work::Claimed { Work::Claiming } else { work };
    }
    let writer = writer(state, deed);
    state.on_its_way = outcome.entry.map(|entry| OnItsWay { run, entry, writer, outdated: false, repeated: false });
}

/// The process that waits for this claim, if it still lives.
fn waiting_for(state: &State, arriving: &OnItsWay) -> Option<(usize, usize)> {
    match arriving.writer {
        Writer::Executor { number, life, step: Some(step) } => {
            let executor = &state.executors[number];
            let waits = executor.life == life && executor.work[arriving.run][step] == Work::Claiming;
            // In a log without versions a claim that arrives again is taken for a new one.
            let again = arriving.repeated && executor.work[arriving.run][step] == Work::None;
            (waits || again && is_claimed(state, arriving.run, step)).then_some((number, step))
        }
        Writer::Executor { step: None, .. } | Writer::Person => None,
    }
}

fn forget_claim(state: &mut State, lost: &OnItsWay) {
    if lost.repeated {
        return;
    }
    if let Some((number, step)) = waiting_for(state, lost) {
        state.executors[number].work[lost.run][step] = Work::None;
    }
}

fn remember(past: &mut Past, before: &execution::Execution, event: &Event, writer: Writer, holder: Option<&str>) {
    match event {
        Event::StepClaimed(_) => {
            let by_owner = match writer {
                Writer::Executor { number, life, .. } => before.executor == name_of(number, life),
                Writer::Person => false,
            };
            past.claim_by_replaced |= !by_owner;
            past.claim_after_stop |= before.view.stop_requested.is_some() || !before.is_running();
            past.ran_without_hold |= holder != Some(before.view.request_id.as_str());
        }
        Event::TookOver(_) => past.taken_over = true,
        Event::PauseRequested(_) => past.was_paused = true,
        _ => {}
    }
}

/// A confirmation as somebody would write it who got at the log: right in everything but the approvals.
fn forged(state: &State, run: usize) -> Option<RequestEvent> {
    let request = &state.runs[run].request.state;
    let opened = request.view.opened.as_ref()?;
    if !request.is_open() {
        return None;
    }
    Some(RequestEvent {
        event: Some(request_event::Event::Confirmed(RequestConfirmed {
            actor: Some(Person::Oscar.actor()),
            phrase: opened.confirmation_phrase.clone(),
            confirmed_at: Some(to_pb(world::time(state.hour))),
            policy: opened.policy.clone(),
            approvals: request.view.approvals.clone(),
            ..RequestConfirmed::default()
        })),
    })
}
