//! What the services put around the rules: read the newest state, ask the rule, append what it decided. The rules are
//! the product's own; this is `services/approval` and `services/executor` with everything left out that decides nothing.

use std::{borrow::Cow, collections::BTreeMap};

use muster_domain::{
    Refusal,
    execution::{self, Begin, ClaimRefused, Execution, Next},
    gate::{self, Gate, Proposal},
    pb::{
        common::v1::{Actor, ActorKind, Role},
        execution::v1::{
            Check, CheckOutcome, CheckPhase, ExecutionEvent, ExecutionFailed, ExecutionStarted, ExecutionState,
            ExecutionStopped, ExecutionSucceeded, ReservationEvent,
        },
        request::v1::{GateEvent, GateLevel, RequestEvent, RequestState, RequestType},
    },
    request::{self, Earlier, Login, StartTerms, Witness, Yes},
};

use crate::{
    deeds::{Deed, How},
    flaws::Flaw,
    logs::{Beside, Entry},
    state::{Scenario, State, Work, Writer, name_of},
    world::{self, ANNOUNCE, DEPUTIES, Ground, IDEMPOTENT, Person, RESOURCE, STEPS, id_of_run},
};

/// What a deed comes to, at this moment.
#[derive(Default)]
pub(crate) struct Outcome {
    pub entry: Option<Entry>,
    /// Written beside it, or alone, and at once: a reservation is taken before the checks that tell of it.
    pub beside: Option<Beside>,
    /// What the process knows from here on.
    pub work: Option<(usize, usize, usize, Work)>,
}

impl Scenario {
    /// `None`: refused, or already so.
    pub(crate) fn decide(&self, state: &State, deed: Deed) -> Option<Outcome> {
        match deed {
            Deed::Open { .. }
            | Deed::Approve { .. }
            | Deed::Override { .. }
            | Deed::Start { .. }
            | Deed::Review { .. }
            | Deed::Expire { .. }
            | Deed::Remind { .. } => {
                self.of_request(state, deed).map(|entry| Outcome { entry: Some(entry), ..Outcome::default() })
            }
            Deed::Stop { run } | Deed::Pause { run } | Deed::Resume { run } => {
                let execution = &state.runs[run].execution.state;
                let (oscar, now) = (Person::Oscar.actor(), world::time(0));
                written(match deed {
                    Deed::Stop { .. } => execution::request_stop(execution, &oscar, "looks wrong", now),
                    Deed::Pause { .. } => execution::request_pause(execution, &oscar, "wait", now),
                    _ => execution::resume(execution, &oscar, "", now),
                })
            }
            Deed::Confirm { run, step, person, done } => {
                let mut actor = person.actor();
                if self.has(Flaw::RoleFromTheCall) {
                    actor.roles.push(Role::Operator.into());
                }
                let execution = &state.runs[run].execution.state;
                written(execution::decide_manual(execution, &actor, STEPS[step], done, "seen", world::time(0)))
            }
            Deed::EndDelegation { deputy } => {
                let ended = request::end_delegation(
                    &state.delegations[deputy].state,
                    &Person::Ada.actor(),
                    world::time(state.hour),
                );
                Some(beside(Beside::Delegation(deputy, ended.ok()??)))
            }
            Deed::ProposeGate { .. } | Deed::DecideGate { .. } => {
                Some(beside(Beside::Gate(self.of_gate(state, deed)?)))
            }
            Deed::Acknowledge => {
                let oscar = Person::Oscar.actor();
                let held = &state.reservation.state;
                let event = execution::acknowledge_cool_down(held, RESOURCE, &oscar, "healthy", world::time(0));
                Some(beside(Beside::Reservation(event.ok()??)))
            }
            Deed::Begin { executor, run } => self.start_run(state, executor, run),
            Deed::TakeOver { executor, run } => {
                let me = name_of(executor, state.executors[executor].life);
                written(execution::take_over(&state.runs[run].execution.state, &me, "", world::time(0)))
            }
            Deed::Advance { executor, run } => self.advance(state, executor, run),
            Deed::Claim { executor, run, step } => self.claim(state, executor, run, step, false),
            Deed::AskPerson { executor, run, step } => self.ask_person(state, executor, run, step),
            Deed::Overdue { executor, run, step } => {
                let Run { execution, me, .. } = Run::of(state, executor, run);
                written(execution::fail_step(execution, &me, STEPS[step], "nobody confirmed it", world::time(0)))
            }
            Deed::Settle { executor, run, step } => self.settle(state, executor, run, step),
            Deed::Report { executor, run, step } => self.report(state, executor, run, step),
            Deed::Release { run } => self.release(state, run).map(|event| beside(Beside::Reservation(event))),
        }
    }

    /// Gives the resource back. After a failover that succeeded the quiet begins first.
    fn release(&self, state: &State, run: usize) -> Option<ReservationEvent> {
        let (held, id) = (&state.reservation.state, id_of_run(run));
        let failed_over = self.asks[run].kind == RequestType::Failover
            && state.runs[run].execution.state.view.state() == ExecutionState::Succeeded;
        let quiet = (failed_over && !self.has(Flaw::CoolDownForgotten))
            .then(|| execution::begin_cool_down(held, RESOURCE, &id, None, world::time(0)))
            .flatten();
        quiet.or_else(|| execution::release(held, RESOURCE, &id))
    }

    fn of_gate(&self, state: &State, deed: Deed) -> Option<GateEvent> {
        let (gate, now) = (&state.gate.state, world::time(0));
        let decided = match deed {
            Deed::ProposeGate { to } => {
                let change_id = format!("c-{}", state.left.proposals);
                let proposal = Proposal {
                    change_id: &change_id,
                    kind: self.asks[0].kind,
                    plan: "",
                    to: to.gate(),
                    reason: "it has proved itself",
                };
                gate::propose(gate, &proposal, &[], None, &Person::Gus.actor(), now)
            }
            Deed::DecideGate { person, approve, second_account } => {
                let mut actor = person.actor();
                if second_account {
                    actor.id.push_str("-2");
                }
                let change_id = gate.pending.as_ref()?.change_id.clone();
                if approve {
                    gate::approve(gate, &change_id, &[], None, "", &actor, now)
                } else {
                    gate::reject(gate, &change_id, "not yet", &actor, now)
                }
            }
            _ => Ok(None),
        };
        decided.ok().flatten()
    }

    /// What was decided about requests of that run's type. Nothing was about any type but the first request's.
    pub(crate) fn gate_of(&self, state: &State, run: usize) -> Gate {
        let of_its_type = self.asks[run].kind == self.asks[0].kind;
        if of_its_type || self.has(Flaw::GateOfTheMove) { (*state.gate.state).clone() } else { Gate::default() }
    }

    fn effective_gate(&self, state: &State, run: usize) -> gate::Effective {
        world::effective_gate(self.asks[run].kind, self.stakes, &self.gate_of(state, run))
    }

    fn open(&self, state: &State, run: usize) -> Option<RequestEvent> {
        let ask = &self.asks[run];
        let earlier = match ask.takes_back {
            Some(number) => {
                let taken_back = &state.runs[number];
                let opened = taken_back.request.state.view.opened.clone()?;
                Some(match self.has(Flaw::EarlierNotAwaited) {
                    true => Earlier { opened },
                    false => Earlier::of(&taken_back.request.state, &taken_back.execution.state).ok()?,
                })
            }
            None => None,
        };
        let gate = self.gate_of(state, run);
        let ground = Ground { ask, stakes: self.stakes, gate: &gate, earlier: earlier.as_ref(), step_up: self.step_up };
        let declared = &self.declared[usize::from(state.changed)];
        world::open(&state.runs[run].request.state, &id_of_run(run), &ground, declared)
    }

    fn of_request(&self, state: &State, deed: Deed) -> Option<Entry> {
        let now = world::time(state.hour);
        let decided = match deed {
            Deed::Open { run } => Ok(self.open(state, run)),
            Deed::Approve { run, person, how } => self.approve(state, run, person, how),
            Deed::Override { run, person } => {
                let mut actor = person.actor();
                if self.has(Flaw::OverrideRoleFromTheCall) {
                    actor.roles.push(Role::ApproverIt.into());
                }
                let (request, check) = (&state.runs[run].request.state, self.failing?);
                request::override_check(request, &actor, check, RESOURCE, "it grows tonight", now)
            }
            Deed::Start { run, person } => {
                let request = &state.runs[run].request.state;
                let phrase = request.view.opened.as_ref()?.confirmation_phrase.clone();
                let mut gate = self.effective_gate(state, run);
                if self.has(Flaw::GateNotAskedAtTheStart) {
                    gate.level = gate.level.min(GateLevel::L2);
                }
                let gate = (!self.has(Flaw::GateOfTheOpening)).then_some(gate);
                let terms = StartTerms { gate, ..StartTerms::default() };
                request::start(request, &person.actor(), &phrase, &terms, now)
            }
            Deed::Review { run, person } => {
                let run = &state.runs[run];
                let runs = !run.execution.state.exists() || run.execution.state.is_running();
                request::review(&run.request.state, runs, &person.actor(), true, "it was needed", now)
            }
            Deed::Expire { run } => Ok(request::expire(&state.runs[run].request.state, now)),
            Deed::Remind { run } => Ok(request::review_overdue(&state.runs[run].request.state, now)),
            _ => Ok(None),
        };
        decided.ok().flatten().map(|event| Entry::Request(Box::new(event)))
    }

    fn approve(&self, state: &State, run: usize, person: Person, how: How) -> Result<Option<RequestEvent>, Refusal> {
        let request = &state.runs[run].request.state;
        let mut actor = person.actor();
        let other = world::plan_hash(&self.declared[1]);
        let plan_hash = if how == How::ForAnotherPlan { &other } else { "" };
        let mut yes = Yes { plan_hash, login: self.login(how, state.hour), ..Yes::default() };
        match how {
            How::InPerson | How::ForAnotherPlan | How::ByFirstLogin | How::ByPassword => {}
            How::BySecondAccount => actor.id.push_str("-2"),
            How::ForAda if self.has(Flaw::DeputyUnnamed) => actor.roles.push(Role::ApproverIt.into()),
            How::ForAda => {
                let deputy = DEPUTIES.iter().position(|deputy| *deputy == person).unwrap();
                let delegation = &state.delegations[deputy].state;
                let begun = world::delegation(person);
                yes.delegation = Some(if self.has(Flaw::DelegationFromMemory) { &begun } else { delegation });
                return request::approve(request, &actor, &yes, world::time(state.hour));
            }
        }
        request::approve(request, &actor, &yes, world::time(state.hour))
    }

    /// As the token says it. Where nobody asks for a login it makes no difference, and is left out.
    fn login(&self, how: How, hour: u8) -> Login {
        let new = Login { at: Some(world::time(hour)), second_factor: true };
        match how {
            _ if !self.step_up => Login::default(),
            _ if self.has(Flaw::LoginTakenForNew) => new,
            How::ByFirstLogin => Login { at: Some(world::time(0)), ..new },
            How::ByPassword => Login { second_factor: false, ..new },
            _ => new,
        }
    }

    /// Nothing begins that nobody confirmed. The steps are compiled from what is declared now.
    fn start_run(&self, state: &State, executor: usize, run: usize) -> Option<Outcome> {
        let Run { request, execution, .. } = Run::of(state, executor, run);
        request.view.opened.as_ref().filter(|_| request.view.state() == RequestState::Confirmed)?;
        let text = world::plan_hash(&self.declared[usize::from(state.changed)]);
        let taken_back = self.asks[run].takes_back;
        // What a rollback does is the way back of the first step; before the end of the other run there is nothing.
        let is_early = taken_back.is_some_and(|other| !has_ended(state, other)) && !self.has(Flaw::EarlierNotAwaited);
        let count = if is_early {
            0
        } else if taken_back.is_some() {
            1
        } else {
            self.steps
        };
        let started = ExecutionStarted {
            request_id: id_of_run(run),
            steps: world::steps(count, self.shape, &text, self.has(Flaw::ArrowLost)),
            executor: name_of(executor, state.executors[executor].life),
            ..ExecutionStarted::default()
        };
        let outcome = written(execution::start(execution, Begin { started }))?;
        let hold = execution::reserve(&state.reservation.state, RESOURCE, &id_of_run(run), world::time(0));
        Some(Outcome { beside: hold.ok().flatten().map(Beside::Reservation), ..outcome })
    }

    fn advance(&self, state: &State, executor: usize, run: usize) -> Option<Outcome> {
        let Run { execution, me, .. } = Run::of(state, executor, run);
        let now = world::time(0);
        let first = execution::next(execution).into_iter().next()?;
        written(match first {
            Next::Precheck => return self.precheck(state, executor, run),
            Next::MarkBefore => execution::record_markers(execution, &me, CheckPhase::Before, Vec::new(), Vec::new()),
            Next::MarkAfter => execution::record_markers(execution, &me, CheckPhase::After, Vec::new(), Vec::new()),
            Next::Postcheck => {
                execution::record_checks(execution, &me, CheckPhase::After, vec![check("healthy", true)], now)
            }
            Next::BeginUndo(_) => execution::begin_undo(execution, &me, now),
            Next::Succeed => execution::succeed(execution, &me, ExecutionSucceeded::default()),
            Next::EndStopped(_) => execution::stop(execution, &me, ExecutionStopped::default()),
            Next::EndUnready(_) | Next::EndFailedStep(_) | Next::EndUnhealthy(_) | Next::EndUnplanned => {
                execution::fail(execution, &me, ExecutionFailed::default())
            }
            Next::Run(_) | Next::Settle(_) | Next::AwaitPerson(_) | Next::AwaitResume => Ok(None),
        })
    }

    /// Is this what people approved, now, and alone?
    fn precheck(&self, state: &State, executor: usize, run: usize) -> Option<Outcome> {
        let Run { request, execution, me } = Run::of(state, executor, run);
        let opened = request.view.opened.as_ref()?;
        let declared = &self.declared[usize::from(state.changed)];
        let reserved = execution::reserve(&state.reservation.state, RESOURCE, &id_of_run(run), world::time(0));
        let ignores_others = self.has(Flaw::ReservationIgnored) || self.has(Flaw::EarlierNotAwaited);
        let mut checks = vec![
            check(
                "approvals",
                self.has(Flaw::ProofSkipped) || request::proven_by(request, &self.witness(state, run)).is_ok(),
            ),
            check(
                "as_approved",
                self.has(Flaw::PlanNotCompared) || request::as_approved(opened, declared, None).is_ok(),
            ),
            check("resource_is_free", ignores_others || reserved.is_ok()),
        ];
        if execution::blocking(&checks).is_empty() {
            checks.extend(self.of_target(request));
        }
        let outcome = written(execution::record_checks(execution, &me, CheckPhase::Before, checks, world::time(0)))?;
        Some(Outcome { beside: reserved.ok().flatten().map(Beside::Reservation), ..outcome })
    }

    /// What the platform says, with what people took the responsibility for.
    fn of_target(&self, request: &request::Request) -> Option<Check> {
        let mut said = [Check { resource: RESOURCE.into(), ..check(self.failing?, false) }];
        let confirmed = request.view.confirmed.as_ref()?;
        request::apply_overrides(&mut said, confirmed);
        let [mut said] = said;
        if self.has(Flaw::AnyCheckOverridden) && confirmed.overrides.iter().any(|decided| decided.check == said.name) {
            said.overridden = "somebody".into();
        }
        Some(said)
    }

    /// Read from the log again: the delegations that approvals name, and the gate.
    fn witness(&self, state: &State, run: usize) -> Witness {
        let named = state.delegations.iter().filter_map(|delegation| {
            let id = delegation.state.delegated.as_ref()?.delegation_id.clone();
            Some((id, (*delegation.state).clone()))
        });
        let mut gate = self.effective_gate(state, run);
        if self.has(Flaw::GateOfTheOpening) {
            gate.level = state.runs[run].request.state.view.opened.as_ref().map_or(gate.level, |opened| opened.gate());
        }
        Witness { delegations: named.collect(), gate: Some(gate) }
    }

    /// The run as an executor has it in mind: what the log says, but for the flaw.
    pub(crate) fn heard<'a>(&self, execution: &'a Execution) -> Cow<'a, Execution> {
        let mut heard = Cow::Borrowed(execution);
        if self.has(Flaw::StopNotHeard) && execution.view.stop_requested.is_some() {
            heard.to_mut().view.stop_requested = None;
        }
        heard
    }

    /// Appending the claim is the lock on the step.
    fn claim(&self, state: &State, executor: usize, run: usize, step: usize, again: bool) -> Option<Outcome> {
        let Run { execution, mut me, .. } = Run::of(state, executor, run);
        let seen = self.heard(execution);
        if self.has(Flaw::OwnerImpersonated) {
            me.clone_from(&seen.executor);
        }
        let claimed: Result<ExecutionEvent, ClaimRefused> =
            execution::claim_step(&seen, &me, STEPS[step], again, world::time(0));
        let outcome = written(claimed.map(Some))?;
        Some(Outcome { work: Some((executor, run, step, Work::Claimed)), ..outcome })
    }

    /// Through with it: from here on it waits for a person.
    fn ask_person(&self, state: &State, executor: usize, run: usize, step: usize) -> Option<Outcome> {
        let Run { execution, me, .. } = Run::of(state, executor, run);
        let asked = written(execution::ask_person(execution, &me, STEPS[step], world::time(0)));
        Some(Outcome { work: Some((executor, run, step, Work::None)), ..asked.unwrap_or_default() })
    }

    /// The log says that it was claimed; the target says whether it took effect.
    fn settle(&self, state: &State, executor: usize, run: usize, step: usize) -> Option<Outcome> {
        let Run { execution, me, .. } = Run::of(state, executor, run);
        if self.is_manual(step) && self.has(Flaw::PersonNotAsked) {
            return finished(execution, &me, step);
        }
        if self.is_manual(step) && !execution.is_ending() {
            return self.ask_person(state, executor, run, step);
        }
        match self.look(state, run, step) {
            Seen::Done => finished(execution, &me, step),
            _ if execution.is_ending() => match execution.failed_step() {
                Some(_) => written(execution::fail(execution, &me, ExecutionFailed::default())),
                None => written(execution::stop(execution, &me, ExecutionStopped::default())),
            },
            Seen::NotDone => self.claim(state, executor, run, step, true),
            Seen::Unknown => given_up(execution),
        }
    }

    fn report(&self, state: &State, executor: usize, run: usize, step: usize) -> Option<Outcome> {
        let Run { execution, me, .. } = Run::of(state, executor, run);
        let outcome = match state.executors[executor].work[run][step] {
            Work::Done => finished(execution, &me, step),
            Work::Failed => written(execution::fail_step(execution, &me, STEPS[step], "refused", world::time(0))),
            Work::Unknown => match self.look(state, run, step) {
                Seen::Done => finished(execution, &me, step),
                Seen::NotDone | Seen::Unknown => given_up(execution),
            },
            Work::None | Work::Claiming | Work::Claimed => return None,
        };
        // Refused: it belongs to somebody else, or is known already. Either way this process is through with it.
        Some(Outcome { work: Some((executor, run, step, Work::None)), ..outcome.unwrap_or_default() })
    }

    fn look(&self, state: &State, run: usize, step: usize) -> Seen {
        match (step, state.runs[run].effects[step]) {
            _ if self.has(Flaw::TargetNotAsked) => Seen::NotDone,
            (ANNOUNCE, _) => Seen::Unknown,
            (_, 0) => Seen::NotDone,
            _ => Seen::Done,
        }
    }

    /// A platform's step that must not be done twice looks once more, holding the target's own lock.
    pub(crate) fn takes_effect(&self, effects: u8, step: usize) -> bool {
        let has_lock = !IDEMPOTENT[step] && step != ANNOUNCE;
        !has_lock || effects == 0 || self.has(Flaw::TargetWithoutLock)
    }
}

enum Seen {
    Done,
    NotDone,
    Unknown,
}

/// A run as a process reads it.
struct Run<'a> {
    request: &'a request::Request,
    execution: &'a Execution,
    me: String,
}

impl<'a> Run<'a> {
    fn of(state: &'a State, executor: usize, run: usize) -> Self {
        let me = name_of(executor, state.executors[executor].life);
        Self { request: &state.runs[run].request.state, execution: &state.runs[run].execution.state, me }
    }
}

fn finished(execution: &Execution, me: &str, step: usize) -> Option<Outcome> {
    written(execution::finish_step(execution, me, STEPS[step], "", BTreeMap::new(), false, world::time(0)))
}

/// What is not known is not guessed: the service itself asks to stop.
fn given_up(execution: &Execution) -> Option<Outcome> {
    let service = Actor { id: "service:executor".into(), kind: ActorKind::Service.into(), ..Actor::default() };
    written(execution::request_stop(execution, &service, "it cannot be told", world::time(0)))
}

fn written<E>(decided: Result<Option<ExecutionEvent>, E>) -> Option<Outcome> {
    decided.ok().flatten().map(|event| Outcome { entry: Some(Entry::Execution(Box::new(event))), ..Outcome::default() })
}

fn check(name: &str, passed: bool) -> Check {
    let outcome = if passed { CheckOutcome::Passed } else { CheckOutcome::Failed };
    Check { name: name.into(), outcome: outcome.into(), ..Check::default() }
}

fn has_ended(state: &State, run: usize) -> bool {
    let execution = &state.runs[run].execution.state;
    execution.exists() && !execution.is_running()
}

fn beside(event: Beside) -> Outcome {
    Outcome { beside: Some(event), ..Outcome::default() }
}

/// Who writes, and about which step.
pub(crate) fn writer(state: &State, deed: Deed) -> Writer {
    let of = |number: usize, step: Option<usize>| Writer::Executor { number, life: state.executors[number].life, step };
    match deed {
        Deed::Begin { executor, .. } | Deed::TakeOver { executor, .. } | Deed::Advance { executor, .. } => {
            of(executor, None)
        }
        Deed::Claim { executor, step, .. }
        | Deed::AskPerson { executor, step, .. }
        | Deed::Overdue { executor, step, .. }
        | Deed::Settle { executor, step, .. }
        | Deed::Report { executor, step, .. } => of(executor, Some(step)),
        _ => Writer::Person,
    }
}
