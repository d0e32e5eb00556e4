//! One state of the world: the logs, what executors hold in memory, what happened at the target, and what the properties
//! have to remember of the way here.

use std::sync::Arc;

use muster_domain::{
    Aggregate,
    execution::{Execution, Reservation},
    gate::Gate,
    inventory::TenantInventory,
    pb::{
        execution::v1::{ExecutionState, StepState},
        plan::v1::FailurePolicy,
        request::v1::GateLevel,
    },
    request::{self, Delegation, Request, StartTerms},
};

use crate::{
    flaws::Flaw,
    logs::{Entry, Logged},
    world::{self, Ask, Begins, DEPUTIES, DNS, Ground, Person, STEPS, Shape, Stakes},
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
    /// Confirmations, approvals or overrides that nobody gave, written by somebody who got at the log.
    pub forgeries: u8,
    /// Changes of the gate that are asked for.
    pub proposals: u8,
    /// Delegations that are ended before their time.
    pub returns: u8,
}

/// What is modelled, and how far.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub budget: Budget,
    /// Requests on the one resource.
    pub asks: &'static [Ask],
    pub stakes: Stakes,
    pub steps: usize,
    pub shape: Shape,
    /// Ada is away, and three people may decide for her as far as the delegations go.
    pub ada_is_away: bool,
    /// Each approval takes a login made for it, with a second factor.
    pub step_up: bool,
    /// The check of the target that says no.
    pub failing: Option<&'static str>,
    /// The gate of the first request's type, as two people have set it before.
    pub gate: Gate,
    pub flaw: Option<Flaw>,
    pub declared: [Arc<TenantInventory>; 2],
}

impl Scenario {
    pub(crate) fn new(asks: &'static [Ask], stakes: Stakes, steps: usize, budget: Budget) -> Self {
        Self {
            budget,
            asks,
            stakes,
            steps,
            shape: Shape { dns_fails: FailurePolicy::Continue, dns_is_manual: false },
            ada_is_away: false,
            step_up: false,
            failing: None,
            gate: Gate::default(),
            flaw: None,
            declared: [3, 4].map(|version| Arc::new(world::inventory(version, stakes))),
        }
    }

    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    pub(crate) fn is_manual(&self, step: usize) -> bool {
        step == DNS && self.shape.dns_is_manual
    }

    pub(crate) fn begin(&self) -> State {
        let deputies: &[Person] = if self.ada_is_away { &DEPUTIES } else { &[] };
        State {
            hour: 0,
            changed: false,
            left: self.budget,
            executors: vec![Executor { life: 0, work: vec![[Work::None; STEPS.len()]; self.asks.len()] }; EXECUTORS],
            reservation: Logged::of(Reservation::default()),
            gate: Logged::of(self.gate.clone()),
            delegations: deputies.iter().map(|deputy| Logged::of(world::delegation(*deputy))).collect(),
            runs: (0..self.asks.len()).map(|run| self.run(run)).collect(),
            on_its_way: None,
            remembered: Remembered { gate_was_lowered: is_open_gate(self.gate.level), ..Remembered::default() },
        }
    }

    fn run(&self, run: usize) -> Run {
        let mut past = Past::default();
        let request = self.request(run, &mut past);
        Run {
            request: Logged::of(request),
            execution: Logged::of(Execution::default()),
            effects: [0; STEPS.len()],
            past,
        }
    }

    fn request(&self, run: usize, past: &mut Past) -> Request {
        let ask = &self.asks[run];
        let mut request = Request::default();
        if ask.begins == Begins::Later {
            return request;
        }
        let ground = Ground { ask, stakes: self.stakes, gate: &self.gate, earlier: None, step_up: self.step_up };
        request.evolve(&world::open(&request, &world::id_of_run(run), &ground, &self.declared[0]).unwrap());
        past.open_gate_when_opened = is_open_gate(self.gate.level);
        if ask.begins == Begins::Opened {
            return request;
        }
        let now = world::time(0);
        let enough = [Person::Ada, Person::Ben];
        let approvers = if ask.breaks_glass || request.view.missing.is_empty() && past.open_gate_when_opened {
            &[]
        } else {
            &enough[..ask.needs(self.stakes).len()]
        };
        for person in approvers {
            let event = request::approve(&request, &person.actor(), &request::Yes::default(), now).unwrap().unwrap();
            request.evolve(&event);
            past.said_yes |= person.bit();
        }
        let phrase = request.view.opened.clone().unwrap().confirmation_phrase;
        let terms = StartTerms::default();
        let event = request::start(&request, &Person::Oscar.actor(), &phrase, &terms, now).unwrap().unwrap();
        request.evolve(&event);
        request
    }
}

/// Below the default: nobody has to say yes.
pub(crate) fn is_open_gate(level: Option<GateLevel>) -> bool {
    matches!(level, Some(GateLevel::L0 | GateLevel::L1))
}

#[derive(Debug, Clone, PartialEq, Hash)]
pub(crate) struct State {
    pub hour: u8,
    /// The resource was declared again.
    pub changed: bool,
    pub left: Budget,
    pub executors: Vec<Executor>,
    pub reservation: Logged<Reservation>,
    /// Of the first request's type.
    pub gate: Logged<Gate>,
    /// Ada's, in the order of [`DEPUTIES`].
    pub delegations: Vec<Logged<Delegation>>,
    pub runs: Vec<Run>,
    pub on_its_way: Option<OnItsWay>,
    pub remembered: Remembered,
}

/// What properties need to know that belongs to no run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Remembered {
    /// One person alone, or somebody who may not, has changed the gate.
    pub gate_changed_alone: bool,
    pub gate_was_lowered: bool,
    /// The run whose failover nobody has looked at yet.
    pub quiet_since: Option<usize>,
    pub was_acknowledged: bool,
    pub moved_in_the_quiet: bool,
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
    /// Who said yes to this request as its policy asks, one bit each, whatever its log says about others.
    pub said_yes: u8,
    /// A yes counts that was said without the login it takes.
    pub yes_without_login: bool,
    /// Who took the responsibility for the check that says no, and may.
    pub responsible: u8,
    /// A step was claimed although a check says no for which nobody took the responsibility, or may.
    pub passed_over: bool,
    /// A yes for somebody who was away counts, and the delegation did not hold.
    pub decided_without_delegation: bool,
    /// A manual step is done without the word of a person of its role.
    pub done_without_person: bool,
    pub overdue: bool,
    /// The gate of its type let it pass when it was opened, and when it was checked before its first step.
    pub open_gate_when_opened: bool,
    pub open_gate_when_checked: bool,
    /// It was started although people alone act at that gate.
    pub started_at_l3: bool,
    /// It claimed a step before the run that it takes back had ended.
    pub claim_before_the_end: bool,
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
