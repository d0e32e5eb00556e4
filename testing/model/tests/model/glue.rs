//! What the services put around the rules: read the newest state, ask the rule, append what it decided. The rules are
//! the product's own; this is `services/approval` and `services/executor` with everything left out that decides nothing.

use std::{borrow::Cow, collections::BTreeMap};

use muster_domain::{
    execution::{self, Begin, ClaimRefused, Execution, Next},
    pb::{
        common::v1::{Actor, ActorKind},
        execution::v1::{
            Check, CheckOutcome, CheckPhase, ExecutionEvent, ExecutionFailed, ExecutionStarted, ExecutionStopped,
            ExecutionSucceeded,
        },
        request::v1::RequestState,
    },
    request::{self, Witness, Yes},
};

use crate::{
    deeds::Deed,
    flaws::Flaw,
    logs::{Entry, Hold},
    state::{Scenario, State, Work, Writer, name_of},
    world::{self, ANNOUNCE, IDEMPOTENT, RESOURCE, STEPS},
};

/// What a deed comes to, at this moment.
#[derive(Default)]
pub(crate) struct Outcome {
    pub entry: Option<Entry>,
    /// Written beside it, at once: a reservation is taken before the checks that tell of it.
    pub hold: Hold,
    /// What the process knows from here on.
    pub work: Option<(usize, usize, usize, Work)>,
}

impl Scenario {
    /// `None`: refused, or already so.
    pub(crate) fn decide(&self, state: &State, deed: Deed) -> Option<Outcome> {
        match deed {
            Deed::Approve { .. }
            | Deed::Start { .. }
            | Deed::Review { .. }
            | Deed::Expire { .. }
            | Deed::Remind { .. } => {
                self.of_request(state, deed).map(|entry| Outcome { entry: Some(entry), ..Outcome::default() })
            }
            Deed::Stop { run } | Deed::Pause { run } | Deed::Resume { run } => {
                let execution = &state.runs[run].execution.state;
                let (oscar, now) = (world::Person::Oscar.actor(), world::time(0));
                written(match deed {
                    Deed::Stop { .. } => execution::request_stop(execution, &oscar, "looks wrong", now),
                    Deed::Pause { .. } => execution::request_pause(execution, &oscar, "wait", now),
                    _ => execution::resume(execution, &oscar, "", now),
                })
            }
            Deed::Begin { executor, run } => self.start_run(state, executor, run),
            Deed::TakeOver { executor, run } => {
                let me = name_of(executor, state.executors[executor].life);
                written(execution::take_over(&state.runs[run].execution.state, &me, "", world::time(0)))
            }
            Deed::Advance { executor, run } => self.advance(state, executor, run),
            Deed::Claim { executor, run, step } => self.claim(state, executor, run, step, false),
            Deed::Settle { executor, run, step } => self.settle(state, executor, run, step),
            Deed::Report { executor, run, step } => self.report(state, executor, run, step),
            Deed::Release { run } => {
                let hold = execution::release(&state.reservation.state, RESOURCE, &id_of_run(run))?;
                Some(Outcome { hold: Some(hold), ..Outcome::default() })
            }
        }
    }

    fn of_request(&self, state: &State, deed: Deed) -> Option<Entry> {
        let now = world::time(state.hour);
        let decided = match deed {
            Deed::Approve { run, person, other_plan, second_account } => {
                let mut actor = person.actor();
                if second_account {
                    actor.id.push_str("-2");
                }
                let other = world::plan_hash(&self.declared[1]);
                let yes = Yes { plan_hash: if other_plan { &other } else { "" }, ..Yes::default() };
                request::approve(&state.runs[run].request.state, &actor, &yes, now)
            }
            Deed::Start { run, person } => {
                let request = &state.runs[run].request.state;
                let phrase = request.view.opened.as_ref()?.confirmation_phrase.clone();
                request::start(request, &person.actor(), &phrase, &self.terms, now)
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

    /// Nothing begins that nobody confirmed. The steps are compiled from what is declared now.
    fn start_run(&self, state: &State, executor: usize, run: usize) -> Option<Outcome> {
        let Run { request, execution, .. } = Run::of(state, executor, run);
        request.view.opened.as_ref().filter(|_| request.view.state() == RequestState::Confirmed)?;
        let text = world::plan_hash(&self.declared[usize::from(state.changed)]);
        let started = ExecutionStarted {
            request_id: id_of_run(run),
            steps: world::steps(self.steps, self.dns_fails, &text, self.has(Flaw::ArrowLost)),
            executor: name_of(executor, state.executors[executor].life),
            ..ExecutionStarted::default()
        };
        let outcome = written(execution::start(execution, Begin { started }))?;
        let hold = execution::reserve(&state.reservation.state, RESOURCE, &id_of_run(run), world::time(0));
        Some(Outcome { hold: hold.ok().flatten(), ..outcome })
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
        let checks = vec![
            check(
                "approvals",
                self.has(Flaw::ProofSkipped) || request::proven_by(request, &Witness::default()).is_ok(),
            ),
            check(
                "as_approved",
                self.has(Flaw::PlanNotCompared) || request::as_approved(opened, declared, None).is_ok(),
            ),
            check("resource_is_free", self.has(Flaw::ReservationIgnored) || reserved.is_ok()),
        ];
        let outcome = written(execution::record_checks(execution, &me, CheckPhase::Before, checks, world::time(0)))?;
        Some(Outcome { hold: reserved.ok().flatten(), ..outcome })
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

    /// The log says that it was claimed; the target says whether it took effect.
    fn settle(&self, state: &State, executor: usize, run: usize, step: usize) -> Option<Outcome> {
        let Run { execution, me, .. } = Run::of(state, executor, run);
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

fn id_of_run(run: usize) -> String {
    format!("r-{run}")
}

/// Who writes, and about which step.
pub(crate) fn writer(state: &State, deed: Deed) -> Writer {
    let of = |number: usize, step: Option<usize>| Writer::Executor { number, life: state.executors[number].life, step };
    match deed {
        Deed::Begin { executor, .. } | Deed::TakeOver { executor, .. } | Deed::Advance { executor, .. } => {
            of(executor, None)
        }
        Deed::Claim { executor, step, .. }
        | Deed::Settle { executor, step, .. }
        | Deed::Report { executor, step, .. } => of(executor, Some(step)),
        _ => Writer::Person,
    }
}
