//! What the executor puts around the rules of a group's run, as far as it decides anything.

use std::collections::BTreeMap;

use muster_domain::{
    execution::{self, Next, Reservation, id_of},
    pb::execution::v1::{
        Check, CheckOutcome, CheckPhase, ExecutionEvent, ExecutionFailed, ExecutionStopped, ExecutionSucceeded,
        ReservationEvent, StepState,
    },
};

use super::{
    Flaw, Group, State, Work,
    declared::{LEFT, MEMBERS, OTHER, RIGHT, member_of, names, step_of},
};
use crate::world;

impl Group {
    pub(super) fn advance(&self, state: &mut State, executor: usize) -> Option<()> {
        let (execution, me, now) = (state.view().clone(), state.name(executor), world::time(0));
        let first = execution::next(&execution).into_iter().next()?;
        let decided = match first {
            Next::Precheck => {
                let free = self.reserve(state);
                let outcome = if free { CheckOutcome::Passed } else { CheckOutcome::Failed };
                let check = Check { name: "resource_is_free".into(), outcome: outcome.into(), ..Check::default() };
                execution::record_checks(&execution, &me, CheckPhase::Before, vec![check], now)
            }
            Next::MarkBefore => execution::record_markers(&execution, &me, CheckPhase::Before, Vec::new(), Vec::new()),
            Next::MarkAfter => execution::record_markers(&execution, &me, CheckPhase::After, Vec::new(), Vec::new()),
            Next::Postcheck => {
                let healthy =
                    Check { name: "healthy".into(), outcome: CheckOutcome::Passed.into(), ..Check::default() };
                execution::record_checks(&execution, &me, CheckPhase::After, vec![healthy], now)
            }
            Next::Succeed => execution::succeed(&execution, &me, ExecutionSucceeded::default()),
            Next::EndStopped(_) => execution::stop(&execution, &me, ExecutionStopped::default()),
            Next::Settle(_) if execution.failed_step().is_none() => {
                execution::stop(&execution, &me, ExecutionStopped::default())
            }
            _ => execution::fail(&execution, &me, ExecutionFailed::default()),
        };
        self.append(state, &decided.ok().flatten()?);
        Some(())
    }

    /// The group and every member in one batch, or nothing.
    fn reserve(&self, state: &mut State) -> bool {
        let decided: Vec<_> = names()
            .iter()
            .zip(&state.reservations)
            .map(|(name, held)| execution::reserve(&held.state, name, &world::id_of_run(0), world::time(0)))
            .collect();
        let one_by_one = self.has(Flaw::TakenOneByOne);
        if !one_by_one && decided.iter().any(Result::is_err) {
            return false;
        }
        for (held, decided) in state.reservations.iter_mut().zip(decided) {
            if let Ok(Some(event)) = decided {
                held.append(&event);
            }
        }
        true
    }

    pub(super) fn settle(&self, state: &mut State, executor: usize, member: usize) -> Option<()> {
        if state.view().is_ending() {
            return self.settle_before_the_end(state, executor, member);
        }
        if state.moved[member] > 0 && !self.has(Flaw::TargetNotAsked) {
            return self.finish(state, executor, member);
        }
        self.claim(state, executor, member, true)
    }

    /// Every claim without an outcome is looked at. One that was carried out is written down first.
    fn settle_before_the_end(&self, state: &mut State, executor: usize, member: usize) -> Option<()> {
        let mut left: Vec<usize> = state.view().claimed().map(|view| member_of(id_of(view))).collect();
        left.retain(|other| *other == member || !self.has(Flaw::EndsAtTheFirst));
        if let Some(found) = left.into_iter().find(|member| state.moved[*member] > 0) {
            return self.finish(state, executor, found);
        }
        let (execution, me) = (state.view().clone(), state.name(executor));
        let decided = match execution.failed_step() {
            Some(_) => execution::fail(&execution, &me, ExecutionFailed::default()),
            None => execution::stop(&execution, &me, ExecutionStopped::default()),
        };
        self.append(state, &decided.ok().flatten()?);
        Some(())
    }

    fn finish(&self, state: &mut State, executor: usize, member: usize) -> Option<()> {
        let (me, step) = (state.name(executor), step_of(member));
        let decided = execution::finish_step(state.view(), &me, &step, "", BTreeMap::new(), true, world::time(0));
        let event = decided.ok().flatten()?;
        self.append(state, &event);
        Some(())
    }

    pub(super) fn claim(&self, state: &mut State, executor: usize, member: usize, again: bool) -> Option<()> {
        let mut heard = state.view().clone();
        if self.has(Flaw::StopNotHeard) {
            heard.view.stop_requested = None;
        }
        let me = state.name(executor);
        let event = execution::claim_step(&heard, &me, &step_of(member), again, world::time(0)).ok()?;
        let failed = MEMBERS.iter().enumerate().any(|(other, _)| state.step_state(other) == StepState::Failed);
        state.past.begun_after_the_stop |=
            state.view().view.stop_requested.is_some() || failed || !state.view().is_running();
        self.append(state, &event);
        state.executors[executor].work[member] = Work::Claimed;
        let under_way = |member: usize| state.step_state(member) == StepState::Running;
        state.past.side_by_side |= under_way(LEFT) && under_way(RIGHT);
        Some(())
    }

    pub(super) fn report(&self, state: &mut State, executor: usize, member: usize) {
        let (execution, me, step, now) = (state.view().clone(), state.name(executor), step_of(member), world::time(0));
        let decided = match state.executors[executor].work[member] {
            Work::Done => execution::finish_step(&execution, &me, &step, "", BTreeMap::new(), false, now),
            _ => execution::fail_step(&execution, &me, &step, "refused", now),
        };
        // Refused: it belongs to somebody else. Either way this process is through with it.
        if let Ok(Some(event)) = decided {
            self.append(state, &event);
        }
        state.executors[executor].work[member] = Work::None;
    }

    pub(super) fn append(&self, state: &mut State, event: &ExecutionEvent) {
        state.execution.append(event);
    }

    pub(super) fn give_back(&self, state: &mut State) {
        for (held, name) in state.reservations.iter_mut().zip(names()) {
            if let Some(event) = execution::release(&held.state, &name, &world::id_of_run(0)) {
                held.append(&event);
            }
        }
    }
}

pub(super) fn other(held: &Reservation, begins: bool) -> Option<ReservationEvent> {
    let name = MEMBERS[LEFT];
    match begins {
        true => execution::reserve(held, name, OTHER, world::time(0)).ok().flatten(),
        false => execution::release(held, name, OTHER),
    }
}
