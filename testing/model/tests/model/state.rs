//! One state of the world: the logs, what executors hold in memory, what happened at the target, and what the properties
//! have to remember of the way here.

use std::sync::Arc;

use muster_domain::{
    execution::{Execution, Reservation},
    inventory::TenantInventory,
    pb::{
        execution::v1::{ExecutionState, StepState},
        plan::v1::FailurePolicy,
    },
    request::{self, Request, StartTerms},
};

use crate::{
    flaws::Flaw,
    logs::{Entry, Logged},
    world::{self, Person, STEPS},
};

pub(crate) const EXECUTORS: usize = 2;

/// How often things may happen at all. Zero: never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Executor processes that die and come back with another name and no memory.
    pub crashes: u8,
    pub takeovers: u8,
    /// Appends that are on their way while others write.
    pub delays: u8,
    /// Calls that fail, or do not say what became of them.
    pub failures: u8,
    pub stops: u8,
    pub pauses: u8,
    /// Times that the resource is declared again.
    pub plan_changes: u8,
    /// Hours that pass.
    pub hours: u8,
    /// Confirmations that nobody gave, written by somebody who got at the log.
    pub forgeries: u8,
}

/// What is modelled, and how far.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub budget: Budget,
    /// Requests on the one resource, each with break-glass or without.
    pub requests: &'static [bool],
    /// Approvals and the start are past.
    pub confirmed: bool,
    pub steps: usize,
    /// What happens after `dns` failed.
    pub dns_fails: FailurePolicy,
    pub flaw: Option<Flaw>,
    pub declared: [Arc<TenantInventory>; 2],
    /// What starts are judged by besides the request: nothing was decided about gates and freezes.
    pub terms: Arc<StartTerms>,
}

impl Scenario {
    pub(crate) fn new(requests: &'static [bool], confirmed: bool, steps: usize, budget: Budget) -> Self {
        Self {
            budget,
            requests,
            confirmed,
            steps,
            dns_fails: FailurePolicy::Continue,
            flaw: None,
            declared: [Arc::new(world::inventory(3)), Arc::new(world::inventory(4))],
            terms: Arc::default(),
        }
    }

    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    pub(crate) fn begin(&self) -> State {
        let runs = self.requests.iter().enumerate().map(|(run, glass)| Run {
            request: Logged::of(self.request(run, *glass)),
            execution: Logged::of(Execution::default()),
            effects: [0; STEPS.len()],
            past: Past::default(),
        });
        State {
            hour: 0,
            changed: false,
            left: self.budget,
            executors: vec![
                Executor { life: 0, work: vec![[Work::None; STEPS.len()]; self.requests.len()] };
                EXECUTORS
            ],
            reservation: Logged::of(Reservation::default()),
            runs: runs.collect(),
            on_its_way: None,
        }
    }

    fn request(&self, run: usize, glass: bool) -> Request {
        use muster_domain::Aggregate;
        let mut request = world::opened(&format!("r-{run}"), glass, &self.declared[0]);
        if !self.confirmed {
            return request;
        }
        let now = world::time(0);
        let approvers: &[Person] = if glass { &[] } else { &[Person::Ada, Person::Ben] };
        for person in approvers {
            let event = request::approve(&request, &person.actor(), &request::Yes::default(), now).unwrap().unwrap();
            request.evolve(&event);
        }
        let phrase = request.view.opened.clone().unwrap().confirmation_phrase;
        let event = request::start(&request, &Person::Oscar.actor(), &phrase, &self.terms, now).unwrap().unwrap();
        request.evolve(&event);
        request
    }
}

#[derive(Debug, Clone, PartialEq, Hash)]
pub(crate) struct State {
    pub hour: u8,
    /// The resource was declared again.
    pub changed: bool,
    pub left: Budget,
    pub executors: Vec<Executor>,
    pub reservation: Logged<Reservation>,
    pub runs: Vec<Run>,
    pub on_its_way: Option<OnItsWay>,
}

impl State {
    pub(crate) fn owner_lives(&self, run: usize) -> bool {
        let owner = &self.runs[run].execution.state.executor;
        self.executors.iter().enumerate().any(|(number, executor)| *owner == name_of(number, executor.life))
    }
}

/// One process. Its name is new with each life.
#[derive(Debug, Clone, PartialEq, Hash)]
pub(crate) struct Executor {
    pub life: u8,
    /// Of each run and each step, what this process has under way.
    pub work: Vec<[Work; STEPS.len()]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    None,
    /// The claim is on its way to the log.
    Claiming,
    /// The log has the claim; the target was not called yet, however late it is.
    Claimed,
    /// The call came back.
    Done,
    Failed,
    /// The call came back without saying what became of it.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Hash)]
pub(crate) struct Run {
    pub request: Logged<Request>,
    pub execution: Logged<Execution>,
    /// How often each step took effect at the target.
    pub effects: [u8; STEPS.len()],
    pub past: Past,
}

/// What properties need to know of the way to a state; nobody in the model looks at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Past {
    pub effect_not_approved: bool,
    pub effect_too_early: bool,
    pub claim_after_stop: bool,
    pub claim_by_replaced: bool,
    pub ran_without_hold: bool,
    pub taken_over: bool,
    pub was_paused: bool,
    /// The first end that was written.
    pub end: Option<ExecutionState>,
}

/// An append that has not arrived, in the version that it names.
#[derive(Debug, Clone, PartialEq, Hash)]
pub(crate) struct OnItsWay {
    pub run: usize,
    pub entry: Entry,
    pub writer: Writer,
    /// Somebody else has written that version meanwhile.
    pub outdated: bool,
    /// It arrived once already; networks repeat themselves.
    pub repeated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Writer {
    Person,
    /// A process in one of its lives, and the step it writes about.
    Executor {
        number: usize,
        life: u8,
        step: Option<usize>,
    },
}

impl Run {
    pub(crate) fn step_state(&self, step: usize) -> StepState {
        self.execution.state.step(STEPS[step]).map_or(StepState::Unspecified, |view| view.state())
    }
}

/// "executor-0.1": the second life of the first.
pub(crate) fn name_of(number: usize, life: u8) -> String {
    format!("executor-{number}.{life}")
}

pub(crate) fn number_of(step: &str) -> usize {
    STEPS.iter().position(|name| *name == step).unwrap()
}
