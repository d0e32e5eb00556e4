//! Everything that somebody may do next. Whether it is right is not asked here: the rules refuse what is not.

use muster_domain::{
    execution::{self, Next, id_of},
    pb::{execution::v1::StepState, request::v1::GateLevel},
};

use crate::{
    flaws::Flaw,
    state::{EXECUTORS, Scenario, State, Work, number_of},
    world::{ANNOUNCE, DEPUTIES, DNS, LAST_HOUR, PEOPLE, PROMOTE, Person, STEPS},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    /// Olga asks for it.
    Open {
        run: usize,
    },
    Approve {
        run: usize,
        person: Person,
        how: How,
    },
    /// Somebody takes the responsibility for the check that says no.
    Override {
        run: usize,
        person: Person,
    },
    /// Ada is back, or the deputy does not want to any more.
    EndDelegation {
        deputy: usize,
    },
    ProposeGate {
        to: Level,
    },
    DecideGate {
        person: Person,
        approve: bool,
        second_account: bool,
    },
    Start {
        run: usize,
        person: Person,
    },
    Review {
        run: usize,
        person: Person,
    },
    /// The timers of the request, at any time: they may be late, and they may come twice.
    Expire {
        run: usize,
    },
    Remind {
        run: usize,
    },
    Stop {
        run: usize,
    },
    Pause {
        run: usize,
    },
    Resume {
        run: usize,
    },
    /// Somebody says what became of a manual step.
    Confirm {
        run: usize,
        step: usize,
        person: Person,
        done: bool,
    },
    /// Somebody has looked at the system after a failover.
    Acknowledge,
    Begin {
        executor: usize,
        run: usize,
    },
    TakeOver {
        executor: usize,
        run: usize,
    },
    /// What the owner does by itself between the steps: checks, markers, the way back, the end.
    Advance {
        executor: usize,
        run: usize,
    },
    Claim {
        executor: usize,
        run: usize,
        step: usize,
    },
    /// The claimed step is for a person.
    AskPerson {
        executor: usize,
        run: usize,
        step: usize,
    },
    /// The time of a manual step is over.
    Overdue {
        executor: usize,
        run: usize,
        step: usize,
    },
    /// The step has a claim and nobody works on it.
    Settle {
        executor: usize,
        run: usize,
        step: usize,
    },
    /// Writes down what came back.
    Report {
        executor: usize,
        run: usize,
        step: usize,
    },
    Release {
        run: usize,
    },
}

/// In which way somebody says yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum How {
    InPerson,
    ForAnotherPlan,
    BySecondAccount,
    /// Ada is away, and they have her place.
    ForAda,
    /// By the login of the beginning, with a second factor.
    ByFirstLogin,
    /// By a new login, without a second factor.
    ByPassword,
}

/// The levels that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Level {
    L1,
    L2,
    L3,
}

impl Level {
    const ALL: [Self; 3] = [Self::L1, Self::L2, Self::L3];

    pub(crate) fn gate(self) -> GateLevel {
        match self {
            Self::L1 => GateLevel::L1,
            Self::L2 => GateLevel::L2,
            Self::L3 => GateLevel::L3,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Read, decide and append with nothing in between.
    Do(Deed),
    /// Read and decide now; the append arrives later, or never.
    Send(Deed),
    Arrive,
    Lose,
    /// The target is called; `call` says what comes back.
    Perform {
        executor: usize,
        run: usize,
        step: usize,
        call: Call,
    },
    /// The process dies with all it knew; its successor has another name.
    Crash(usize),
    DeclareAgain,
    HourPasses,
    Forge {
        run: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Works,
    Fails,
    /// No answer: it took effect, or it did not.
    Vanishes {
        took_effect: bool,
    },
}

pub(crate) fn actions(scenario: &Scenario, state: &State, actions: &mut Vec<Action>) {
    let mut deeds = Vec::new();
    of_everybody(scenario, state, &mut deeds);
    for run in 0..state.runs.len() {
        of_request(scenario, state, run, &mut deeds);
        of_run(scenario, state, run, &mut deeds);
        for executor in 0..EXECUTORS {
            of_executor(scenario, state, executor, run, &mut deeds);
            performances(scenario, state, executor, run, actions);
        }
    }
    actions.extend(deeds.iter().copied().map(Action::Do));
    if state.on_its_way.is_none() && state.left.delays > 0 {
        actions.extend(deeds.iter().filter(|deed| can_be_late(**deed)).copied().map(Action::Send));
    }
    if state.on_its_way.is_some() {
        actions.extend([Action::Arrive, Action::Lose]);
    }
    if state.left.crashes > 0 {
        actions.extend((0..EXECUTORS).map(Action::Crash));
    }
    if state.left.plan_changes > 0 {
        actions.push(Action::DeclareAgain);
    }
    if state.left.hours > 0 && state.hour < LAST_HOUR {
        actions.push(Action::HourPasses);
    }
    if state.left.forgeries > 0 {
        actions.extend((0..state.runs.len()).map(|run| Action::Forge { run }));
    }
}

/// What is written at once has no way to be late on.
fn can_be_late(deed: Deed) -> bool {
    !matches!(
        deed,
        Deed::Begin { .. }
            | Deed::Release { .. }
            | Deed::Acknowledge
            | Deed::Open { .. }
            | Deed::EndDelegation { .. }
            | Deed::ProposeGate { .. }
            | Deed::DecideGate { .. }
    )
}

/// About what belongs to no single request.
fn of_everybody(scenario: &Scenario, state: &State, deeds: &mut Vec<Deed>) {
    if state.left.returns > 0 {
        deeds.extend((0..state.delegations.len()).map(|deputy| Deed::EndDelegation { deputy }));
    }
    if state.left.proposals > 0 {
        deeds.extend(Level::ALL.map(|to| Deed::ProposeGate { to }));
    }
    if state.gate.state.pending.is_some() {
        for person in [Person::Gus, Person::Ada] {
            deeds.push(Deed::DecideGate { person, approve: true, second_account: false });
        }
        deeds.push(Deed::DecideGate { person: Person::Gus, approve: false, second_account: false });
        if scenario.has(Flaw::GateBySecondAccount) {
            deeds.push(Deed::DecideGate { person: Person::Gus, approve: true, second_account: true });
        }
    }
    if state.reservation.state.cool_down.is_some() {
        deeds.push(Deed::Acknowledge);
    }
}

fn of_request(scenario: &Scenario, state: &State, run: usize, deeds: &mut Vec<Deed>) {
    let request = &state.runs[run].request.state;
    if !request.exists() {
        deeds.push(Deed::Open { run });
        return;
    }
    if request.is_open() {
        for person in PEOPLE {
            deeds.push(Deed::Start { run, person });
            deeds.push(Deed::Approve { run, person, how: How::InPerson });
            if scenario.has(Flaw::SecondAccount) {
                deeds.push(Deed::Approve { run, person, how: How::BySecondAccount });
            }
        }
        if scenario.ada_is_away {
            deeds.extend(DEPUTIES.map(|person| Deed::Approve { run, person, how: How::ForAda }));
        }
        if scenario.step_up {
            let hows = [How::ByFirstLogin, How::ByPassword];
            deeds.extend(hows.map(|how| Deed::Approve { run, person: Person::Ada, how }));
        }
        if scenario.failing.is_some() {
            // Olga asks and holds the role, Ada may, Ben does not hold it.
            deeds.extend([Person::Olga, Person::Ada, Person::Ben].map(|person| Deed::Override { run, person }));
        }
        deeds.push(Deed::Approve { run, person: Person::Ben, how: How::ForAnotherPlan });
        deeds.push(Deed::Expire { run });
    }
    if muster_domain::request::was_broken(&request.view) {
        deeds.extend(PEOPLE.map(|person| Deed::Review { run, person }));
        if !scenario.has(Flaw::NoReviewTimer) {
            deeds.push(Deed::Remind { run });
        }
    }
}

/// What people say to a run that is under way.
fn of_run(scenario: &Scenario, state: &State, run: usize, deeds: &mut Vec<Deed>) {
    let execution = &state.runs[run].execution.state;
    if !execution.is_running() {
        return;
    }
    if state.left.stops > 0 {
        deeds.push(Deed::Stop { run });
    }
    if execution.view.paused.is_some() {
        deeds.push(Deed::Resume { run });
    } else if state.left.pauses > 0 {
        deeds.push(Deed::Pause { run });
    }
    if scenario.shape.dns_is_manual {
        // Oscar is an operator, Ben is not.
        for (person, done) in [(Person::Oscar, true), (Person::Oscar, false), (Person::Ben, true)] {
            deeds.push(Deed::Confirm { run, step: DNS, person, done });
        }
    }
}

fn of_executor(scenario: &Scenario, state: &State, executor: usize, run: usize, deeds: &mut Vec<Deed>) {
    let execution = &state.runs[run].execution.state;
    let work = &state.executors[executor].work[run];
    let at_work = work.iter().any(|work| *work != Work::None);
    for (step, work) in work.iter().enumerate() {
        if matches!(work, Work::Done | Work::Failed | Work::Unknown) {
            deeds.push(Deed::Report { executor, run, step });
        }
        if *work == Work::Claimed && scenario.is_manual(step) {
            deeds.push(Deed::AskPerson { executor, run, step });
        }
    }
    if !execution.exists() {
        // Which of them begins makes no difference: they are alike.
        if executor == run % EXECUTORS {
            deeds.push(Deed::Begin { executor, run });
        }
        return;
    }
    if !execution.is_running() {
        // Whoever sees that it has ended, also twice.
        if executor == 0 {
            deeds.push(Deed::Release { run });
        }
        return;
    }
    // Always from a dead process; from a living one, whose lease was lost, as often as is modelled.
    let is_left_behind = !state.owner_lives(run) && !scenario.has(Flaw::NoSuccessor);
    if state.left.takeovers > 0 || is_left_behind {
        deeds.push(Deed::TakeOver { executor, run });
    }
    for next in execution::next(&scenario.heard(execution)) {
        match next {
            Next::Run(view) | Next::Settle(view) if work[number_of(id_of(view))] != Work::None => {}
            Next::Run(view) => deeds.push(Deed::Claim { executor, run, step: number_of(id_of(view)) }),
            // What others have left is looked at when nothing of the own is under way any more.
            Next::Settle(_) if execution.is_ending() && at_work => {}
            Next::Settle(view) => deeds.push(Deed::Settle { executor, run, step: number_of(id_of(view)) }),
            Next::AwaitPerson(view) if state.left.failures > 0 => {
                deeds.push(Deed::Overdue { executor, run, step: number_of(id_of(view)) });
            }
            Next::AwaitPerson(_) | Next::AwaitResume => {}
            _ if at_work => {}
            _ => deeds.push(Deed::Advance { executor, run }),
        }
    }
}

fn performances(scenario: &Scenario, state: &State, executor: usize, run: usize, actions: &mut Vec<Action>) {
    for step in 0..STEPS.len() {
        if state.executors[executor].work[run][step] != Work::Claimed || scenario.is_manual(step) {
            continue;
        }
        let mut calls = vec![Call::Works];
        if state.left.failures > 0 {
            match step {
                PROMOTE => calls.push(Call::Fails),
                DNS => calls.push(Call::Fails),
                ANNOUNCE => calls.extend([Call::Vanishes { took_effect: true }, Call::Vanishes { took_effect: false }]),
                _ => {}
            }
        }
        actions.extend(calls.into_iter().map(|call| Action::Perform { executor, run, step, call }));
    }
}

/// A claim that the log has and that no outcome follows yet.
pub(crate) fn is_claimed(state: &State, run: usize, step: usize) -> bool {
    state.runs[run].step_state(step) == StepState::Running
}
