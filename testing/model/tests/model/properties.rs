//! What holds in every state, and what happens in some: the names are what a counterexample is called by.

use muster_domain::{
    pb::{
        common::v1::Role,
        execution::v1::{ExecutionState, StepState},
        request::v1::{RequestApproved, RequestState},
    },
    request::{review_due, was_broken},
    time::from_pb,
};
use stateright::{Model, Property};

use crate::{
    deeds::{Action, Deed},
    state::{Run, Scenario, State},
    world::{AFTER, ANNOUNCE, FREEZE, IDEMPOTENT, PROMOTE, Person, SAME_SYSTEM, UNDO_FREEZE},
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
pub(crate) const DEPUTY: &str = "who decides for somebody away holds a delegation at that time";
pub(crate) const BY_A_PERSON: &str = "a manual step is done by the word of a person of its role alone";
pub(crate) const GATE_BY_TWO: &str = "a gate is changed by two people";
pub(crate) const PEOPLE_ACT: &str = "nothing is started at gate L3";
pub(crate) const QUIET: &str = "after a failover nothing moves before somebody has looked";
pub(crate) const AFTER_ITS_END: &str = "a run is taken back after its end";
pub(crate) const BY_LOGIN: &str = "where the policy asks for it, a yes takes a login made for it";
pub(crate) const RESPONSIBLE: &str =
    "no step while a check says no, but by the word of another Approver-IT about a check that has such a word";
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
pub(crate) const BY_HAND: &str = "a run with a manual step succeeds";
pub(crate) const NOBODY_ANSWERS: &str = "a manual step is overdue, and the run ends";
pub(crate) const BY_A_DEPUTY: &str = "a run succeeds that a deputy has approved";
pub(crate) const TOO_LATE_FOR_A_DEPUTY: &str = "a delegation ends before the run, and the run succeeds";
pub(crate) const LET_PASS: &str = "a gate lets a run pass that nobody had to approve";
pub(crate) const GATE_CLOSED: &str = "a gate is raised, and what it let pass ends with nothing touched";
pub(crate) const IN_THE_QUIET: &str = "a run ends with nothing touched, because nobody has looked";
pub(crate) const LOOKED_AT: &str = "somebody has looked, and the next run succeeds";
pub(crate) const ROLLED_BACK: &str = "a run is taken back by approvals of its own";
pub(crate) const NO_LOGIN_FAILS: &str = "a yes in the log without the login it takes ends with nothing touched";
pub(crate) const OVERRIDDEN: &str = "a run succeeds past a check that somebody took the responsibility for";
pub(crate) const SAID_NO: &str = "a check says no, and the run ends with nothing touched";
pub(crate) const OVERRIDE_FAILS: &str = "an override of what nobody may override ends with nothing touched";
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
        Property::always(DEPUTY, |_, state| !any(state, |run| run.past.decided_without_delegation)),
        Property::always(BY_A_PERSON, |_, state| !any(state, |run| run.past.done_without_person)),
        Property::always(GATE_BY_TWO, |_, state: &State| !state.remembered.gate_changed_alone),
        Property::always(PEOPLE_ACT, |_, state| !any(state, |run| run.past.started_at_l3)),
        Property::always(QUIET, |_, state: &State| !state.remembered.moved_in_the_quiet),
        Property::always(AFTER_ITS_END, |_, state| !any(state, |run| run.past.claim_before_the_end)),
        Property::always(BY_LOGIN, |_, state| !any(state, |run| run.past.yes_without_login)),
        Property::always(RESPONSIBLE, |_, state| !any(state, |run| run.past.passed_over)),
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
        Property::sometimes(BY_HAND, |_, state| {
            any(state, |run| succeeded(run) && !run.execution.state.view.manual_decisions.is_empty())
        }),
        Property::sometimes(NOBODY_ANSWERS, |_, state| {
            any(state, |run| run.past.overdue && run.execution.state.exists() && !run.execution.state.is_running())
        }),
        Property::sometimes(BY_A_DEPUTY, |_, state| any(state, |run| succeeded(run) && by_a_deputy(run))),
        Property::sometimes(TOO_LATE_FOR_A_DEPUTY, |_, state: &State| {
            state.hour > 0 && any(state, |run| succeeded(run) && by_a_deputy(run))
        }),
        Property::sometimes(LET_PASS, |_, state: &State| {
            state.remembered.gate_was_lowered
                && any(state, |run| succeeded(run) && run.request.state.view.approvals.is_empty())
        }),
        Property::sometimes(GATE_CLOSED, |_, state| {
            any(state, |run| {
                untouched_failure(run) && run.past.open_gate_when_opened && !run.past.open_gate_when_checked
            })
        }),
        Property::sometimes(IN_THE_QUIET, |_, state: &State| {
            state.remembered.quiet_since.is_some() && any(state, untouched_failure)
        }),
        Property::sometimes(LOOKED_AT, |_, state: &State| {
            state.remembered.was_acknowledged && state.runs.len() > 1 && state.runs.iter().all(succeeded)
        }),
        Property::sometimes(ROLLED_BACK, |scenario: &Scenario, state: &State| {
            let mut runs = state.runs.iter().zip(scenario.asks);
            runs.any(|(run, ask)| ask.takes_back.is_some() && succeeded(run) && run.past.said_yes != 0)
        }),
        Property::sometimes(NO_LOGIN_FAILS, |scenario: &Scenario, state: &State| {
            let lacks_it = |run: &Run| run.request.state.view.approvals.iter().any(|yes| yes.stepped_up_at.is_none());
            scenario.step_up && any(state, |run| untouched_failure(run) && lacks_it(run))
        }),
        Property::sometimes(OVERRIDDEN, |scenario: &Scenario, state: &State| {
            scenario.failing.is_some() && any(state, succeeded)
        }),
        Property::sometimes(SAID_NO, |scenario: &Scenario, state: &State| {
            scenario.failing.is_some()
                && any(state, |run| untouched_failure(run) && run.request.state.view.overrides.is_empty())
        }),
        Property::sometimes(OVERRIDE_FAILS, |scenario: &Scenario, state: &State| {
            scenario.failing == Some(SAME_SYSTEM)
                && any(state, |run| untouched_failure(run) && !run.request.state.view.overrides.is_empty())
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
    let involved = |yes: &RequestApproved| voice(yes).0;
    let people: Vec<_> = view.approvals.iter().flat_map(involved).map(Some).collect();
    let requester = Person::behind(view.opened.as_ref().and_then(|opened| opened.requester.as_ref()));
    let twice = people.iter().enumerate().any(|(place, person)| people[..place].contains(person));
    !twice && !people.contains(&requester)
}

fn by_a_deputy(run: &Run) -> bool {
    run.request.state.view.approvals.iter().any(|yes| yes.on_behalf_of.is_some())
}

/// Everybody who is used up by a yes, and the roles that it can count for.
fn voice(yes: &RequestApproved) -> (Vec<Person>, Vec<Role>) {
    let who = Person::behind(yes.approver.as_ref());
    match (who, Person::behind(yes.on_behalf_of.as_ref())) {
        (Some(deputy), Some(away)) => {
            let role = Some(yes.as_role()).filter(|role| away.roles().contains(role));
            (vec![deputy, away], role.into_iter().collect())
        }
        (Some(who), None) => (vec![who], who.roles()),
        (None, _) => (Vec::new(), Vec::new()),
    }
}

/// Different people, none of them the requester, fill every place, by a yes that was said to this request and this plan.
fn places_are_filled(run: &Run, hash: &str, needs: &[Role]) -> bool {
    let said = |yes: &&RequestApproved| {
        let who = Person::behind(yes.approver.as_ref());
        yes.plan_hash == hash && who.is_some_and(|who| run.past.said_yes & who.bit() != 0)
    };
    let voices: Vec<_> = run.request.state.view.approvals.iter().filter(said).map(voice).collect();
    fill(needs, &voices, &mut vec![Person::Olga])
}

fn fill(needs: &[Role], voices: &[(Vec<Person>, Vec<Role>)], used: &mut Vec<Person>) -> bool {
    let Some((role, rest)) = needs.split_first() else { return true };
    voices.iter().any(|(people, roles)| {
        if !roles.contains(role) || people.iter().any(|person| used.contains(person)) {
            return false;
        }
        let before = used.len();
        used.extend(people);
        let filled = fill(rest, voices, used);
        used.truncate(before);
        filled
    })
}

/// Judged from the events, without the rules that are checked: the text that runs is the one that was confirmed, and
/// either the people said yes to it whom its type needs, or the gate of its type let it pass when it was opened and still
/// when it was checked, or the glass was broken in its time by an operator.
pub(crate) fn effect_is_approved(scenario: &Scenario, state: &State, run: usize, step: usize) -> bool {
    let (ask, run) = (&scenario.asks[run], &state.runs[run]);
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
    let let_pass = run.past.open_gate_when_opened && run.past.open_gate_when_checked;
    let_pass || places_are_filled(run, hash, ask.needs(scenario.stakes))
}

/// By the arrows as they were approved; the log says how the predecessors came out.
pub(crate) fn effect_is_in_order(state: &State, run: usize, step: usize) -> bool {
    let done = |before: &usize| {
        matches!(state.runs[run].step_state(*before), StepState::Succeeded | StepState::Tolerated | StepState::Undone)
    };
    AFTER[step].iter().all(done)
}
