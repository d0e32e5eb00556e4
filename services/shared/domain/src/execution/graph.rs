//! The order of a run: which step waits for which. A run without any order between its steps is linear, as every run was
//! before plans.

use std::collections::{BTreeMap, BTreeSet};

use super::id_of;
use crate::pb::execution::v1::{Step, StepState, StepView};
use crate::refusal::{Refusal, refusal};

/// Nothing is left to do for it, and what comes after it may begin.
pub(super) fn is_done(step: &StepView) -> bool {
    matches!(step.state(), StepState::Succeeded | StepState::Tolerated)
}

pub(super) fn find<'a>(steps: &'a mut [StepView], id: &str) -> Option<&'a mut StepView> {
    steps.iter_mut().find(|step| id_of(step) == id)
}

/// Steps that nobody has claimed and whose predecessors are all done.
pub(super) fn ready(steps: &[StepView]) -> impl Iterator<Item = &StepView> {
    steps.iter().filter(|step| step.state() == StepState::Pending && predecessors_done(steps, id_of(step)))
}

/// The predecessor that is not done yet.
pub(super) fn waits_for<'a>(steps: &'a [StepView], id: &str) -> Option<&'a str> {
    let index = steps.iter().position(|step| id_of(step) == id)?;
    if is_linear(steps) {
        return steps[..index].iter().find(|step| !is_done(step)).map(id_of);
    }
    let after = &steps[index].step.as_ref()?.after;
    let open = |id: &&String| !steps.iter().any(|step| id_of(step) == id.as_str() && is_done(step));
    after.iter().find(open).map(String::as_str)
}

fn predecessors_done(steps: &[StepView], id: &str) -> bool {
    waits_for(steps, id).is_none()
}

fn is_linear(steps: &[StepView]) -> bool {
    steps.iter().all(|step| step.step.as_ref().is_none_or(|step| step.after.is_empty()))
}

/// Every step that lies before each step, near or far.
pub(super) fn ancestors(steps: &[StepView]) -> BTreeMap<&str, BTreeSet<&str>> {
    let linear = is_linear(steps);
    let mut before: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // A sound graph of n steps has no path longer than n.
    for _ in 0..steps.len().max(1) {
        let mut grown = false;
        for (index, view) in steps.iter().enumerate() {
            let direct: Vec<&str> = match &view.step {
                Some(step) if !linear => step.after.iter().map(String::as_str).collect(),
                _ => steps[..index].iter().map(id_of).collect(),
            };
            let far: Vec<&str> = direct.iter().flat_map(|id| before.get(id).into_iter().flatten().copied()).collect();
            let known = before.entry(id_of(view)).or_default();
            let count = known.len();
            known.extend(direct.into_iter().chain(far));
            grown |= known.len() > count;
        }
        if !grown {
            break;
        }
    }
    before
}

/// Every id once, every predecessor there, and no step before itself: else the run could never come to an end.
pub(super) fn must_be_sound(steps: &[Step]) -> Result<(), Refusal> {
    let broken = |what: String| {
        Err(refusal(
            "PLAN_BROKEN",
            "the steps of a run form an order that can be followed to its end",
            what,
            "every id once, every predecessor in the run, no cycle",
            "look at the plan with `muster plan lint`",
        ))
    };
    let mut left: BTreeMap<&str, &[String]> = BTreeMap::new();
    for step in steps {
        if step.id.is_empty() || left.insert(&step.id, &step.after).is_some() {
            return broken(format!("the id '{}' is empty or there twice", step.id));
        }
    }
    for step in steps {
        if let Some(lost) = step.after.iter().find(|id| !left.contains_key(id.as_str())) {
            return broken(format!("{} waits for {lost}, which is not in the run", step.id));
        }
    }
    while !left.is_empty() {
        let free: Vec<&str> = left
            .iter()
            .filter(|(_, after)| after.iter().all(|id| !left.contains_key(id.as_str())))
            .map(|(id, _)| *id)
            .collect();
        if free.is_empty() {
            return broken(format!("a cycle through {}", left.keys().copied().collect::<Vec<_>>().join(", ")));
        }
        for id in free {
            left.remove(id);
        }
    }
    Ok(())
}
