//! What holds in every state, and what happens in some: the names are what a counterexample is called by.

use muster_domain::{
    pb::{
        common::v1::Role,
        execution::v1::{ExecutionState, StepState},
        request::v1::RequestState,
    },
    request::{review_due, was_broken},
    time::from_pb,
};
use stateright::{Model, Property};

use crate::{
    deeds::{Action, Deed},
    state::{Run, Scenario, State},
    world::{AFTER, ANNOUNCE, FREEZE, IDEMPOTENT, PROMOTE, Person, UNDO_FREEZE},
};

pub(crate) const APPROVED: &str = "no effect without the approvals and the confirmation of this plan";
pub(crate) const ONCE: &str = "no effect twice unless the step may run twice";
pub(crate) const STOP_IS_FINAL: &str = "no claim after a stop or an end";
pub(crate) const END_IS_FINAL: &str = "no event changes how a run ended";
pub(crate) const REVIEW_OWED: &str = "a broken glass ends in a review or an alarm";
pub(crate) const OWNER_ONLY: &str = "no claim by an executor that was replaced";
pub(crate) const IN_ORDER: &str = "a step runs only after its predecessors";
pub(crate) const ALONE: &str = "a run that claims holds the resource, and no other does";
pub(crate) const DIFFERENT_PEOPLE: &str = "the requester fills no place and nobody fills two";
pub(crate) const NO_RETURN: &str = "nothing is taken back past the point of no return";
pub(crate) const COMES_TO_AN_END: &str = "a run comes to an end, or waits for a person";

pub(crate) const SUCCEEDS: &str = "a run succeeds";
pub(crate) const SUCCEEDS_AFTER_TAKEOVER: &str = "a run is taken over and succeeds";
pub(crate) const SUCCEEDS_AFTER_PAUSE: &str = "a run is paused and succeeds";
pub(crate) const STOPPED_MIDWAY: &str = "a run is stopped in the middle";
pub(crate) const NOT_KNOWN: &str = "a run ends because nobody can tell what a step did";
pub(crate) const TOLERATED: &str = "a step fails, the run goes on and succeeds";
pub(crate) const TAKEN_BACK: &str = "a run fails and is taken back";
pub(crate) const RACED: &str = "an append loses its version";
pub(crate) const REVIEWED: &str = "a run through a broken glass is reviewed";
pub(crate) const OVERDUE: &str = "a review is overdue and comes late";
pub(crate) const LAPSED: &str = "a request lapses";
pub(crate) const FORGERY_FAILS: &str = "a forged confirmation ends with nothing touched";
pub(crate) const CHANGE_FAILS: &str = "a changed resource ends the run with nothing touched";
pub(crate) const ONE_AFTER_THE_OTHER: &str = "two runs succeed, one after the other";

pub(crate) fn all() -> Vec<Property<Scenario>> {
    let mut all = always();
    all.extend(sometimes());
    all
}

fn always() -> Vec<Property<Scenario>> {
    vec![
        Property::always(APPROVED, |_, state: &State| !any(state, |run| run.past.effect_not_approved)),
        Property::always(ONCE, |_, state| !any(state, ran_twice)),
        Property::always(STOP_IS_FINAL, |_, state| !any(state, |run| run.past.claim_after_stop)),
        Property::always(END_IS_FINAL, |_, state| !any(state, outcome_changed)),
        Property::always(REVIEW_OWED, |scenario, state| {
            let owes = |run: &Run| was_broken(&run.request.state.view) && !is_settled(run);
            !any(state, |run| owes(run) && review_due(&run.request.state.view).is_none())
                && (!any(state, owes) || scenario.can_go_on(state))
        }),
        Property::always(OWNER_ONLY, |_, state| !any(state, |run| run.past.claim_by_replaced)),
        Property::always(IN_ORDER, |_, state| !any(state, |run| run.past.effect_too_early)),
        Property::always(ALONE, |_, state| !any(state, |run| run.past.ran_without_hold) && alone(state)),
        Property::always(DIFFERENT_PEOPLE, |_, state| !any(state, |run| !people_are_different(run))),
        Property::always(NO_RETURN, |_, state| {
            !any(state, |run| run.effects[UNDO_FREEZE] > 0 && run.effects[PROMOTE] > 0)
        }),
        Property::always(COMES_TO_AN_END, |scenario, state| {
            !any(state, |run| run.execution.state.is_running()) || scenario.can_go_on(state)
        }),
    ]
}

fn sometimes() -> Vec<Property<Scenario>> {
    vec![
        Property::sometimes(SUCCEEDS, |_, state: &State| any(state, succeeded)),
        Property::sometimes(SUCCEEDS_AFTER_TAKEOVER, |_, state| {
            any(state, |run| run.past.taken_over && succeeded(run))
        }),
        Property::sometimes(SUCCEEDS_AFTER_PAUSE, |_, state| any(state, |run| run.past.was_paused && succeeded(run))),
        Property::sometimes(STOPPED_MIDWAY, |_, state| {
            any(state, |run| {
                has_ended(run, ExecutionState::Stopped)
                    && run.step_state(FREEZE) == StepState::Succeeded
                    && run.execution.state.next_step().is_some_and(|step| step.state() == StepState::Pending)
            })
        }),
        Property::sometimes(NOT_KNOWN, |_, state| {
            any(state, |run| has_ended(run, ExecutionState::Stopped) && run.step_state(ANNOUNCE) == StepState::Running)
        }),
        Property::sometimes(TOLERATED, |_, state| {
            let tolerated =
                |run: &Run| run.execution.state.view.steps.iter().any(|s| s.state() == StepState::Tolerated);
            any(state, |run| succeeded(run) && tolerated(run))
        }),
        Property::sometimes(TAKEN_BACK, |_, state| {
            any(state, |run| has_ended(run, ExecutionState::Failed) && run.step_state(FREEZE) == StepState::Undone)
        }),
        Property::sometimes(RACED, |_, state: &State| {
            state.on_its_way.as_ref().is_some_and(|entry| entry.outdated && !entry.repeated)
        }),
        Property::sometimes(REVIEWED, |_, state| {
            any(state, |run| succeeded(run) && run.request.state.view.review.is_some())
        }),
        Property::sometimes(OVERDUE, |_, state| {
            any(state, |run| run.request.state.view.review_overdue.is_some() && run.request.state.view.review.is_some())
        }),
        Property::sometimes(LAPSED, |_, state| {
            any(state, |run| run.request.state.view.state() == RequestState::Expired)
        }),
        Property::sometimes(FORGERY_FAILS, |_, state| {
            any(state, |run| {
                untouched_failure(run)
                    && run.request.state.view.approvals.is_empty()
                    && !was_broken(&run.request.state.view)
            })
        }),
        Property::sometimes(CHANGE_FAILS, |_, state: &State| {
            state.changed && any(state, |run| untouched_failure(run) && run.request.state.view.approvals.len() == 2)
        }),
        Property::sometimes(ONE_AFTER_THE_OTHER, |_, state: &State| {
            state.runs.len() > 1 && state.runs.iter().all(succeeded)
        }),
    ]
}

impl Scenario {
    /// Something can still happen that has a consequence, besides a review that nobody has to write.
    fn can_go_on(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        let by_itself =
            |action: &Action| !matches!(action, Action::Do(Deed::Review { .. }) | Action::Send(Deed::Review { .. }));
        actions.into_iter().filter(by_itself).any(|action| self.next_state(state, action).is_some())
    }
}

fn any(state: &State, holds: impl Fn(&Run) -> bool) -> bool {
    state.runs.iter().any(holds)
}

fn has_ended(run: &Run, how: ExecutionState) -> bool {
    run.execution.state.view.state() == how
}

fn succeeded(run: &Run) -> bool {
    has_ended(run, ExecutionState::Succeeded)
}

fn untouched_failure(run: &Run) -> bool {
    has_ended(run, ExecutionState::Failed) && run.effects.iter().all(|effects| *effects == 0)
}

fn ran_twice(run: &Run) -> bool {
    run.effects.iter().zip(IDEMPOTENT).any(|(effects, idempotent)| *effects > 1 && !idempotent)
}

fn outcome_changed(run: &Run) -> bool {
    let view = &run.execution.state.view;
    let ends = [view.succeeded.is_some(), view.failed.is_some(), view.stopped.is_some()];
    ends.into_iter().filter(|end| *end).count() > 1 || run.past.end.is_some_and(|end| end != view.state())
}

fn is_settled(run: &Run) -> bool {
    run.request.state.view.review.is_some() || run.request.state.view.review_overdue.is_some()
}

/// No two runs are between their first claim and their end.
fn alone(state: &State) -> bool {
    let acting = |run: &&Run| run.execution.state.is_running() && run.execution.state.has_touched();
    state.runs.iter().filter(acting).count() <= 1
}

fn people_are_different(run: &Run) -> bool {
    let view = &run.request.state.view;
    let people: Vec<_> = view.approvals.iter().map(|yes| Person::behind(yes.approver.as_ref())).collect();
    let requester = Person::behind(view.opened.as_ref().and_then(|opened| opened.requester.as_ref()));
    let twice = people.iter().enumerate().any(|(place, person)| people[..place].contains(person));
    !twice && !people.contains(&requester)
}

/// Judged from the events, without the rules that are checked: the text that runs is the one that was confirmed, and
/// either an Approver-IT and an Approver-Business said yes to it, or the glass was broken in its time by an operator.
pub(crate) fn effect_is_approved(state: &State, run: usize, step: usize) -> bool {
    let run = &state.runs[run];
    let view = &run.request.state.view;
    let (Some(opened), Some(confirmed)) = (&view.opened, &view.confirmed) else { return false };
    let hash = opened.plan.as_ref().map(|plan| plan.hash.as_str()).unwrap_or_default();
    let texts = &run.execution.state.view.steps;
    // What takes a step back belongs to the text of that step.
    let compiled = |title: &str| step == UNDO_FREEZE || title == hash;
    let is_this_text = texts.iter().all(|view| view.step.as_ref().is_some_and(|step| compiled(&step.title)));
    if hash.is_empty() || !is_this_text || confirmed.phrase != opened.confirmation_phrase {
        return false;
    }
    if confirmed.break_glass {
        let until = opened.break_glass.as_ref().and_then(|glass| from_pb(glass.until.as_ref()));
        let at = from_pb(confirmed.confirmed_at.as_ref());
        let by = Person::behind(confirmed.actor.as_ref());
        return until.zip(at).is_some_and(|(until, at)| at < until)
            && by.is_some_and(|person| person.roles().contains(&Role::Operator));
    }
    let yes = |role: Role| {
        let said = view.approvals.iter().filter(move |yes| yes.plan_hash == hash);
        let people: Vec<Person> = said.filter_map(|yes| Person::behind(yes.approver.as_ref())).collect();
        people.into_iter().filter(move |person| person.roles().contains(&role) && *person != Person::Olga)
    };
    yes(Role::ApproverIt).any(|it| yes(Role::ApproverBusiness).any(|business| business != it))
}

/// By the arrows as they were approved; the log says how the predecessors came out.
pub(crate) fn effect_is_in_order(state: &State, run: usize, step: usize) -> bool {
    let done = |before: &usize| {
        matches!(state.runs[run].step_state(*before), StepState::Succeeded | StepState::Tolerated | StepState::Undone)
    };
    AFTER[step].iter().all(done)
}

/// For reading a counterexample.
pub(crate) fn told(actions: &[Action]) -> String {
    actions.iter().map(|action| format!("  {action:?}\n")).collect()
}
