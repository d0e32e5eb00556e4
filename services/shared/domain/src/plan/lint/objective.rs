//! How long the plan takes at worst, against how long it may take.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::Judged;
use super::code::Code;
use super::findings::Findings;
use super::shape::{served, within_limits};
use crate::inventory::TenantInventory;
use crate::pb::plan::v1::{PlanSpec, action::Kind};
use crate::plan::Direction;
use crate::plan::unfold::{PlannedStep, chosen};
use crate::request::type_name;
use crate::time::{duration_from_pb, humane};

/// The longest way through the plan, if every step took all the time it is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CriticalPath {
    pub total: SignedDuration,
    /// Ids of the steps along it, first to last.
    pub steps: Vec<String>,
    /// The type of run that takes longest.
    pub request_type: String,
    /// Steps along it that have no limit and are counted as nothing.
    pub unlimited: usize,
    /// The plan's RTO; where it has none, the longest of what it moves.
    pub objective: Option<SignedDuration>,
}

impl CriticalPath {
    /// "23 min along stop-app, move-orders-db (switchover); the objective is 30 min"
    pub fn text(&self) -> String {
        let objective = match self.objective {
            Some(objective) => format!("the objective is {}", humane(objective)),
            None => "there is no objective".to_owned(),
        };
        let unlimited = match self.unlimited {
            0 => String::new(),
            n => format!(", {n} of them without a timeout and not counted"),
        };
        let (total, steps) = (humane(self.total), self.steps.join(", "));
        format!("{total} along {steps} ({}){unlimited}; {objective}", self.request_type)
    }
}

/// The longest over all types of runs that the plan serves. `None`: it has no steps, too many, or they have no order.
///
/// A move counts with its step's timeout, or else with the RTO of its resource.
pub fn critical_path(spec: &PlanSpec, inventory: &TenantInventory) -> Option<CriticalPath> {
    if !within_limits(&mut Findings::default(), spec) {
        return None;
    }
    of(&Judged::new(spec, inventory))
}

fn of(judged: &Judged<'_>) -> Option<CriticalPath> {
    let members = || judged.scope.iter().flat_map(|scope| &scope.members);
    let rto_of = |resource: &str| {
        let member = members().find(|member| member.document.name == resource);
        member.and_then(|member| duration_from_pb(member.spec.rto.as_ref()))
    };
    let objective = duration_from_pb(judged.spec.rto.as_ref())
        .or_else(|| members().filter_map(|member| duration_from_pb(member.spec.rto.as_ref())).max());
    let limit = |step: &PlannedStep| {
        duration_from_pb(step.definition.timeout.as_ref()).or_else(|| rto_of(step.resource.as_deref()?))
    };
    let paths = served(judged.spec).into_iter().filter_map(|kind| {
        let steps = chosen(judged.spec, kind, Direction::AsWritten).ok()?;
        let (total, along) = longest(&steps, &limit)?;
        let unlimited = |step: &&PlannedStep| along.contains(&step.id) && limit(step).is_none() && !is_message(step);
        let unlimited = steps.iter().filter(unlimited).count();
        Some(CriticalPath { total, steps: along, request_type: type_name(kind).to_owned(), unlimited, objective })
    });
    // The first of equals: the order in which people read the types.
    paths.reduce(|longest, path| if path.total > longest.total { path } else { longest })
}

/// `steps` are in an order in which each comes after all it waits for.
fn longest(
    steps: &[PlannedStep],
    limit: &impl Fn(&PlannedStep) -> Option<SignedDuration>,
) -> Option<(SignedDuration, Vec<String>)> {
    let mut ends: BTreeMap<&str, (SignedDuration, Option<&str>)> = BTreeMap::new();
    for step in steps {
        let before = step.after.iter().filter_map(|id| Some((ends.get(id.as_str())?.0, id.as_str()))).max();
        let own = limit(step).unwrap_or_default().max(SignedDuration::ZERO);
        let end = before.map(|(end, _)| end).unwrap_or_default().saturating_add(own);
        ends.insert(&step.id, (end, before.map(|(_, id)| id)));
    }
    let (last, (total, _)) = ends.iter().max_by_key(|(_, (end, _))| *end)?;
    let mut along = vec![(*last).to_owned()];
    let mut at = *last;
    while let Some((_, Some(before))) = ends.get(at) {
        along.insert(0, (*before).to_owned());
        at = before;
    }
    Some((*total, along))
}

/// Handed over and not waited for.
fn is_message(step: &PlannedStep) -> bool {
    matches!(step.definition.action.as_ref().and_then(|action| action.kind.as_ref()), Some(Kind::Notify(_)))
}

pub(super) fn judge(found: &mut Findings, judged: &Judged<'_>) {
    if judged.spec.rto.is_none() {
        found.add(
            Code::NoObjective,
            "",
            "a test is measured against the plan's own objective",
            "no rto",
            "the time in which everything is back",
            "write `rto`; until then the longest RTO of what it moves is assumed",
        );
        return;
    }
    let Some(path) = of(judged) else { return };
    if let Some(objective) = path.objective.filter(|objective| path.total > *objective) {
        found.add(
            Code::RtoExceeded,
            "",
            "if every step takes all the time it is allowed, the objective still holds",
            &path.text(),
            &humane(objective),
            "shorten timeouts along this way, let steps run side by side, or raise the objective",
        );
    }
}
