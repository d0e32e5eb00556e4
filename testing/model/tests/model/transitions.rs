//! From one state to the next: appends that win or lose their version, calls at the target, and what goes wrong.

use muster_domain::{
    execution,
    pb::{
        common::v1::Role,
        execution::v1::{ExecutionState, StepState, execution_event::Event, reservation_event},
        request::v1::{
            CheckOverridden, GateLevel, RequestConfirmed, RequestEvent, RequestType, gate_event, request_event,
        },
    },
    request,
    time::to_pb,
};
use stateright::{Model, Property};

use crate::{
    deeds::{self, Action, Call, Deed, How, is_claimed},
    flaws::Flaw,
    glue::{Outcome, writer},
    logs::{Beside, Entry},
    properties::{self, effect_is_approved, effect_is_in_order},
    state::{OnItsWay, Past, Scenario, State, Work, Writer, is_open_gate, name_of, number_of},
    world::{self, DEPUTIES, DNS, FREE_DISK, Person, RESOURCE, STEPS},
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
                send(self, &mut state, deed, outcome);
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
                let forged = forged(self, &state, run)?;
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
        if let Some(event) = &outcome.beside {
            append_beside(state, event);
        }
        if let Some(entry) = &outcome.entry {
            let (run, writer) = (run_of(deed), writer(state, deed));
            remember_deed(self, state, deed);
            self.append(state, run, entry, writer);
            if matches!(deed, Deed::Open { .. }) && self.has(Flaw::ApprovalsInherited) {
                self.inherit(state, run);
            }
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

    /// The approvals of another request, written down as this one's.
    fn inherit(&self, state: &mut State, run: usize) {
        let Some(other) = self.asks[run].takes_back else { return };
        for approval in state.runs[other].request.state.view.approvals.clone() {
            let event = RequestEvent { event: Some(request_event::Event::Approved(approval)) };
            self.append(state, run, &Entry::Request(Box::new(event)), Writer::Person);
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
        if let Entry::Execution(event) = entry
            && let Some(event) = &event.event
        {
            self.remember_around(state, run, event);
        }
        let written = &mut state.runs[run];
        match entry {
            Entry::Request(event) => written.request.append(event),
            Entry::Execution(event) => {
                let before = written.execution.state.clone();
                if let Some(event) = &event.event {
                    let manual = self.shape.dns_is_manual.then_some(STEPS[DNS]);
                    remember(&mut written.past, &before, event, writer, holder.as_deref());
                    remember_people(&mut written.past, &before, event, manual);
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

    /// What an event of one run means beside that run.
    fn remember_around(&self, state: &mut State, run: usize, event: &Event) {
        match event {
            Event::Succeeded(_) if self.asks[run].kind == RequestType::Failover => {
                state.remembered.quiet_since = Some(run);
            }
            Event::StepClaimed(_) => {
                let in_the_quiet = state.remembered.quiet_since.is_some_and(|since| since != run);
                state.remembered.moved_in_the_quiet |= in_the_quiet;
                let earlier = self.asks[run].takes_back.map(|other| &state.runs[other].execution.state);
                let early = earlier.is_some_and(|earlier| !earlier.exists() || earlier.is_running());
                let past = &mut state.runs[run].past;
                past.claim_before_the_end |= early;
                past.passed_over |= self.failing.is_some() && past.responsible == 0;
            }
            Event::ManualStepDecided(decided) if decided.done => {
                let step = number_of(&decided.step);
                self.takes_place(state, run, step);
            }
            _ => {}
        }
    }

    /// By the gate of its own type, as two people have set it.
    fn is_let_pass(&self, state: &State, run: usize) -> bool {
        self.asks[run].kind == self.asks[0].kind && is_open_gate(state.gate.state.level)
    }

    fn takes_place(&self, state: &mut State, run: usize, step: usize) {
        let approved = effect_is_approved(self, state, run, step);
        let in_order = effect_is_in_order(state, run, step);
        let run = &mut state.runs[run];
        run.effects[step] = (run.effects[step] + 1).min(2);
        run.past.effect_not_approved |= !approved;
        run.past.effect_too_early |= !in_order;
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
            self.takes_place(state, run, step);
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
        Deed::Open { run }
        | Deed::Approve { run, .. }
        | Deed::Override { run, .. }
        | Deed::Confirm { run, .. }
        | Deed::AskPerson { run, .. }
        | Deed::Overdue { run, .. }
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
        // They are about no request, and write nothing that is.
        Deed::EndDelegation { .. } | Deed::ProposeGate { .. } | Deed::DecideGate { .. } | Deed::Acknowledge => 0,
    }
}

fn spend(state: &mut State, deed: Deed) {
    match deed {
        Deed::Stop { .. } => state.left.stops -= 1,
        Deed::Pause { .. } => state.left.pauses -= 1,
        Deed::Overdue { .. } => state.left.failures -= 1,
        Deed::EndDelegation { .. } => state.left.returns -= 1,
        Deed::ProposeGate { .. } => state.left.proposals -= 1,
        Deed::TakeOver { run, .. } if state.owner_lives(run) => state.left.takeovers -= 1,
        _ => {}
    }
}

fn send(scenario: &Scenario, state: &mut State, deed: Deed, outcome: Outcome) {
    let run = run_of(deed);
    if let Some(event) = &outcome.beside {
        append_beside(state, event);
    }
    remember_deed(scenario, state, deed);
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

fn append_beside(state: &mut State, event: &Beside) {
    match event {
        Beside::Reservation(event) => {
            if matches!(event.event, Some(reservation_event::Event::CoolDownAcknowledged(_))) {
                state.remembered.quiet_since = None;
                state.remembered.was_acknowledged = true;
            }
            state.reservation.append(event);
        }
        Beside::Gate(event) => {
            if let Some(gate_event::Event::Approved(approved)) = &event.event {
                let proposer = state.gate.state.pending.as_ref().and_then(|p| Person::behind(p.actor.as_ref()));
                let decider = Person::behind(approved.actor.as_ref());
                state.remembered.gate_changed_alone |= proposer.is_none() || proposer == decider;
            }
            state.gate.append(event);
            state.remembered.gate_was_lowered |= is_open_gate(state.gate.state.level);
        }
        Beside::Delegation(deputy, event) => state.delegations[*deputy].append(event),
    }
}

/// What somebody did, at the moment at which it was decided: a log that is wrong does not change that.
fn remember_deed(scenario: &Scenario, state: &mut State, deed: Deed) {
    match deed {
        Deed::Open { run } => {
            state.runs[run].past.open_gate_when_opened = scenario.is_let_pass(state, run);
        }
        Deed::Approve { run, person, how } => {
            let has_its_login = !scenario.step_up || is_made_for_it(how, state.hour);
            let past = &mut state.runs[run].past;
            past.yes_without_login |= !has_its_login;
            if has_its_login {
                past.said_yes |= person.bit();
            }
            if how == How::ForAda {
                let deputy = DEPUTIES.iter().position(|deputy| *deputy == person);
                let held = deputy.is_some_and(|deputy| {
                    // Begun before everything, for one hour, until somebody ends it.
                    state.hour == 0 && state.delegations[deputy].state.ended.is_none()
                });
                past.decided_without_delegation |= !held;
            }
        }
        Deed::Override { run, person } => {
            let may = person != Person::Olga && person.roles().contains(&Role::ApproverIt);
            if may && scenario.failing == Some(FREE_DISK) {
                state.runs[run].past.responsible |= person.bit();
            }
        }
        Deed::Advance { run, .. } if state.runs[run].execution.state.view.prechecks.is_empty() => {
            state.runs[run].past.open_gate_when_checked = scenario.is_let_pass(state, run);
        }
        Deed::Start { run, .. } => {
            let breaks_glass = scenario.asks[run].breaks_glass;
            let of_its_type = scenario.asks[run].kind == scenario.asks[0].kind;
            let is_l3 = of_its_type && state.gate.state.level == Some(GateLevel::L3);
            state.runs[run].past.started_at_l3 |= is_l3 && !breaks_glass;
        }
        _ => {}
    }
}

/// A manual step is done by the word of somebody who holds its role, given while it waited.
fn remember_people(past: &mut Past, before: &execution::Execution, event: &Event, manual: Option<&str>) {
    let Some(manual) = manual else { return };
    match event {
        Event::ManualStepDecided(decided) => {
            let waits = before.step(&decided.step).is_some_and(|step| step.state() == StepState::Waiting);
            let may =
                Person::behind(decided.actor.as_ref()).is_some_and(|person| person.roles().contains(&Role::Operator));
            past.done_without_person |= decided.step != manual || !waits || !may;
        }
        Event::StepSucceeded(done) => past.done_without_person |= done.step == manual,
        Event::StepFailed(failed) => past.overdue |= failed.step == manual,
        _ => {}
    }
}

/// The words of the rule once more: now, or at most minutes ago, and with a second factor.
fn is_made_for_it(how: How, hour: u8) -> bool {
    match how {
        How::ByFirstLogin => hour == 0,
        How::ByPassword => false,
        How::InPerson | How::ForAnotherPlan | How::BySecondAccount | How::ForAda => true,
    }
}

/// What somebody would write who got at the log: right in everything but one thing.
fn forged(scenario: &Scenario, state: &State, run: usize) -> Option<RequestEvent> {
    let request = &state.runs[run].request.state;
    let opened = request.view.opened.as_ref().filter(|_| request.is_open())?;
    if scenario.step_up {
        // Ada's yes, without the login that it takes.
        let mut lax = (**request).clone();
        lax.view.opened.as_mut()?.policy.as_mut()?.step_up = false;
        let now = world::time(state.hour);
        return request::approve(&lax, &Person::Ada.actor(), &request::Yes::default(), now).ok().flatten();
    }
    if let Some(check) = scenario.failing {
        let overridden = CheckOverridden {
            check: check.into(),
            resource: RESOURCE.into(),
            actor: Some(Person::Ada.actor()),
            as_role: Role::ApproverIt.into(),
            ..CheckOverridden::default()
        };
        return Some(RequestEvent { event: Some(request_event::Event::CheckOverridden(overridden)) });
    }
    // A confirmation without the approvals.
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
