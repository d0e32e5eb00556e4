//! What the plan moves, against what it is for: every member once, in the group's order, between its two sites.

use std::collections::BTreeMap;

use super::Judged;
use super::code::Code;
use super::findings::Findings;
use super::shape::served;
use crate::inventory::platform::{capabilities, credentials, needs_agents, nodes as servers, platform_name};
use crate::pb::inventory::v1::ResourceSpec;
use crate::pb::plan::v1::PlanSpec;
use crate::pb::request::v1::RequestType;
use crate::plan::scope::{Member, Scope};
use crate::plan::unfold::{PlannedStep, chosen, nodes};
use crate::plan::{Direction, graph};
use crate::request::type_name;

pub(super) fn judge(found: &mut Findings, judged: &Judged<'_>) {
    let Some(scope) = &judged.scope else { return };
    sites(found, judged.spec, scope);
    moves(found, judged, scope);
    for member in &scope.members {
        let name = &member.document.name;
        let step = judged.mover(name).map(|step| step.id.as_str()).unwrap_or_default();
        if let Some((value, limit, next)) = cannot_be_moved(member.spec) {
            found.add(Code::CannotAct, step, "what is moved can be moved", &format!("{name}: {value}"), limit, next);
        }
        if let Some((value, limit)) = not_offered(judged.spec, member.spec) {
            let next = "take the type out of the plan's `types`, or the resource out of the scope";
            found.add(
                Code::CannotAct,
                step,
                "a platform does what it offers",
                &format!("{name}: {value}"),
                &limit,
                next,
            );
        }
    }
}

fn sites(found: &mut Findings, spec: &PlanSpec, scope: &Scope<'_>) {
    let written = format!("from {} to {}", spec.from_site, spec.to_site);
    let elsewhere = scope.members.iter().find(|member| !at_both_sites(spec, member.spec));
    if let Some(Member { document, spec, .. }) = elsewhere {
        found.add(
            Code::SitesWrong,
            "",
            "a plan goes between the two sites of everything that it moves",
            &format!("the plan {written}, {} is at {} and {}", document.name, spec.primary_site, spec.dr_site),
            &format!("from {} to {}", spec.primary_site, spec.dr_site),
            "correct `fromSite` and `toSite`, or take the resource out of the group",
        );
        return;
    }
    // A plan for the way back alone may be written that way round.
    let only_back = served(spec) == [RequestType::Failback];
    if !only_back && scope.members.iter().all(|member| member.spec.primary_site == spec.to_site) {
        found.add(
            Code::SitesSwapped,
            "",
            "a plan is written from the primary site to the other one; the way back swaps both",
            &written,
            &format!("from {} to {}", spec.to_site, spec.from_site),
            "swap `fromSite` and `toSite`, and the two sides of every DNS record and URL",
        );
    }
}

fn at_both_sites(plan: &PlanSpec, resource: &ResourceSpec) -> bool {
    let (from, to) = (plan.from_site.as_str(), plan.to_site.as_str());
    let theirs = (resource.primary_site.as_str(), resource.dr_site.as_str());
    from != to && (theirs == (from, to) || theirs == (to, from))
}

/// What is wrong with the moves, and the types of runs in which it is.
type Faults = BTreeMap<(Code, String, String, String), Vec<&'static str>>;

fn moves(found: &mut Findings, judged: &Judged<'_>, scope: &Scope<'_>) {
    for step in judged.steps() {
        let Some(resource) = crate::plan::unfold::moved(step) else { continue };
        if scope.member(resource).is_none() {
            found.add(
                Code::OutOfScope,
                &step.id,
                "a plan moves members of its scope and nothing else",
                resource,
                &scope.member_names(),
                "correct the resource, or add it to the group",
            );
        }
    }
    // An empty plan is a finding of its own.
    if judged.steps().next().is_none() {
        return;
    }
    let mut faults = Faults::new();
    for kind in served(judged.spec) {
        // A graph that cannot be followed has findings of its own.
        let Ok(steps) = chosen(judged.spec, kind, Direction::AsWritten) else { continue };
        for (code, step, value, limit) in faults_of(&steps, scope) {
            let types = faults.entry((code, step, value, limit)).or_default();
            types.push(type_name(kind));
        }
    }
    for ((code, step, value, limit), types) in faults {
        let value =
            if types.len() < served(judged.spec).len() { format!("{value}, in a {}", types.join(", ")) } else { value };
        let (rule, next) = match code {
            Code::MovedTwice => ("each member is moved once", "remove one of the moves, or keep each for other types"),
            Code::OrderContradictsGroup => (
                "a member is moved after those it depends on",
                "add that step to `after`, move it to an earlier phase, or correct the group's `dependsOn`",
            ),
            _ => ("each member of the scope is moved", "add its move, or take it out of the group"),
        };
        found.add(code, &step, rule, &value, &limit, next);
    }
}

fn faults_of(steps: &[PlannedStep], scope: &Scope<'_>) -> Vec<(Code, String, String, String)> {
    let mut faults = Vec::new();
    let nodes = nodes(steps);
    let movers = |resource: &str| -> Vec<&str> {
        steps.iter().filter(|step| step.resource.as_deref() == Some(resource)).map(|step| step.id.as_str()).collect()
    };
    for member in &scope.members {
        let name = member.document.name.as_str();
        let mine = movers(name);
        match mine.as_slice() {
            [] => faults.push((Code::MemberNotMoved, String::new(), format!("{name} is not"), "once".to_owned())),
            [step] => {
                let before = graph::before(&nodes, step);
                for needed in &member.depends_on {
                    let theirs = movers(needed);
                    if let [needed_step] = theirs.as_slice()
                        && !before.contains(needed_step)
                    {
                        let value = format!("{name} does not wait for the move of {needed}");
                        let limit = format!("after step {needed_step}");
                        faults.push((Code::OrderContradictsGroup, (*step).to_owned(), value, limit));
                    }
                }
            }
            [_, second, ..] => faults.push((
                Code::MovedTwice,
                (*second).to_owned(),
                format!("{name} by {}", mine.join(" and ")),
                "once in a run".to_owned(),
            )),
        }
    }
    faults
}

/// Value, limit, next action.
fn cannot_be_moved(spec: &ResourceSpec) -> Option<(String, &'static str, &'static str)> {
    let Some(platform) = &spec.platform else {
        return Some(("no platform".into(), "a platform", "declare its platform's block"));
    };
    if credentials(platform).execute.is_none() {
        return Some((
            "monitoring only, it has no `execute` account".into(),
            "an account that may change it",
            "add `execute` to the resource's manifest and apply it",
        ));
    }
    let without = servers(platform).into_iter().find(|node| node.agent.is_empty());
    match without {
        Some(node) if needs_agents(platform) => Some((
            format!("node {} has no host agent", node.name),
            "an agent on each node",
            "name an agent of the executor's configuration on that node",
        )),
        _ => None,
    }
}

/// A type of run that the plan serves and the member's platform does not offer.
fn not_offered(plan: &PlanSpec, member: &ResourceSpec) -> Option<(String, String)> {
    let platform = member.platform.as_ref()?;
    let offers = capabilities(platform);
    let missing = served(plan).into_iter().find(|kind| !offers.can(*kind))?;
    let offered: Vec<&str> = served(plan).into_iter().filter(|kind| offers.can(*kind)).map(type_name).collect();
    let value = format!("{} of {}", type_name(missing), platform_name(platform));
    Some((value, if offered.is_empty() { "none of the plan's types".to_owned() } else { offered.join(", ") }))
}

/// Whether the platform answers questions in SQL.
pub(super) fn speaks_sql(spec: &ResourceSpec) -> bool {
    spec.platform.as_ref().is_some_and(|platform| capabilities(platform).integrity_sql)
}
