#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::given::{add, codes, document, findings, group, moves, now, person, phase, plan_of, resource, shop, tells};
use crate::aggregate::Aggregate;
use crate::inventory::TenantInventory;
use crate::pb::inventory::v1::{Document, Kind, document::Spec};
use crate::pb::plan::v1::{
    Action, Condition, DnsAction, DnsProbe, HttpAction, HttpProbe, PlanRef, PlanSpec, PlanStep, TcpProbe, WaitAction,
    action, condition, plan_event::Event,
};
use crate::pb::request::v1::RequestType;
use crate::plan::graph::before;
use crate::plan::unfold::{nodes, runs_for};
use crate::plan::{
    Direction, Plan, Publication, acts_as, built_in, errors, hash, publish, return_, reversed, scope, submit, undo_of,
    unfold,
};

const TYPES: [RequestType; 5] = [
    RequestType::Switchover,
    RequestType::Failover,
    RequestType::Failback,
    RequestType::Rotation,
    RequestType::LiveDrill,
];

/// A group of up to six, each depending on some before it, and a plan that keeps that order.
#[derive(Debug, Clone)]
struct World {
    /// Bit `n` of the entry `m`: member m depends on member n.
    depends_on: Vec<u8>,
    /// The phase of each member's move, made to respect the dependencies.
    phases: Vec<usize>,
    /// Further steps: phase, what they wait for, the types they are kept for.
    extra: Vec<(usize, u16, u8)>,
    /// How the steps of a phase are written down.
    backwards: bool,
}

fn world() -> impl Strategy<Value = World> {
    let member = (any::<u8>(), 0..3_usize);
    let extra = (0..4_usize, any::<u16>(), 0..32_u8);
    (prop::collection::vec(member, 1..=6), prop::collection::vec(extra, 0..8), any::<bool>()).prop_map(
        |(members, extra, backwards)| {
            let depends_on: Vec<u8> =
                members.iter().enumerate().map(|(index, (bits, _))| bits & ((1_u8 << index) - 1)).collect();
            let mut phases = Vec::new();
            for (index, (_, wished)) in members.iter().enumerate() {
                let needed = (0..index).filter(|other| depends_on[index] & (1 << other) != 0);
                let least = needed.map(|other| phases[other]).max().unwrap_or(0);
                phases.push((*wished).max(least));
            }
            World { depends_on, phases, extra, backwards }
        },
    )
}

impl World {
    fn inventory(&self) -> TenantInventory {
        let mut inventory = TenantInventory::default();
        let names: Vec<String> = (0..self.depends_on.len()).map(|index| format!("m{index}")).collect();
        let needs: Vec<Vec<&str>> = (0..names.len()).map(|index| self.needs(index, &names)).collect();
        for name in &names {
            add(&mut inventory, &document(Kind::Resource, name, 1, Spec::ResourceSpec(resource("agent"))));
        }
        let members: Vec<(&str, &[&str])> =
            names.iter().zip(&needs).map(|(name, needs)| (name.as_str(), needs.as_slice())).rev().collect();
        add(&mut inventory, &document(Kind::Group, "all", 1, Spec::GroupSpec(group(&members))));
        inventory
    }

    fn needs<'n>(&self, index: usize, names: &'n [String]) -> Vec<&'n str> {
        (0..index)
            .filter(|other| self.depends_on[index] & (1 << other) != 0)
            .map(|other| names[other].as_str())
            .collect()
    }

    fn plan(&self) -> PlanSpec {
        let mut phases: Vec<Vec<PlanStep>> = vec![Vec::new(); 4];
        let ids: Vec<String> = (0..self.depends_on.len()).map(|index| format!("move-{index}")).collect();
        for (index, id) in ids.iter().enumerate() {
            let needs = self.needs(index, &ids);
            phases[self.phases[index]].push(moves(id, &needs, &format!("m{index}")));
        }
        let mut known: Vec<(String, usize)> = Vec::new();
        for (index, (at, waits, kept_for)) in self.extra.iter().enumerate() {
            let id = format!("extra-{index}");
            let moves = ids.iter().enumerate().map(|(index, id)| (id.clone(), self.phases[index]));
            let earlier = moves.chain(known.iter().cloned()).enumerate();
            let after: Vec<String> = earlier
                .filter(|(bit, (_, phase))| phase <= at && waits & (1 << (bit % 16)) != 0)
                .map(|(_, (id, _))| id)
                .collect();
            let mut step = tells(&id, &[]);
            step.after = after;
            // Half of them are kept for some types.
            if *kept_for >= 16 {
                step.only_for = TYPES
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| kept_for & (1 << bit) != 0)
                    .map(|(_, kind)| crate::request::type_name(*kind).to_owned())
                    .collect();
            }
            phases[*at].push(step);
            known.push((id, *at));
        }
        let named = phases.into_iter().enumerate().filter(|(_, steps)| !steps.is_empty());
        let phases = named.map(|(index, mut steps)| {
            if self.backwards {
                steps.reverse();
            }
            phase(&format!("phase-{index}"), steps)
        });
        plan_of("all", phases.collect())
    }
}

/// Everything the text says must be before `id`, whether it runs or not.
fn before_in_text(spec: &PlanSpec, id: &str) -> BTreeSet<String> {
    let steps: Vec<(&str, Vec<&str>)> = spec
        .phases
        .iter()
        .flat_map(|phase| &phase.steps)
        .map(|step| (step.id.as_str(), step.after.iter().map(String::as_str).collect()))
        .collect();
    let mut found: BTreeSet<String> = before(&steps, id).into_iter().map(str::to_owned).collect();
    let own = spec.phases.iter().position(|phase| phase.steps.iter().any(|step| step.id == id)).unwrap();
    found.extend(spec.phases[..own].iter().flat_map(|phase| &phase.steps).map(|step| step.id.clone()));
    found
}

fn kind() -> impl Strategy<Value = (RequestType, Direction)> {
    (prop::sample::select(TYPES.to_vec()), prop::sample::select(vec![Direction::AsWritten, Direction::Reversed]))
}

proptest! {
    #[test]
    fn a_run_has_every_step_once_in_an_order_that_respects_the_text(world in world(), (kind, direction) in kind()) {
        let (inventory, spec) = (world.inventory(), world.plan());
        let scope = scope(&inventory, "all", "").unwrap();
        let steps = unfold(&spec, kind, direction, &scope).unwrap();

        let types = acts_as(&spec, kind, direction);
        let text: BTreeSet<&str> = spec.phases.iter().flat_map(|phase| &phase.steps)
            .filter(|step| runs_for(step, &types)).map(|step| step.id.as_str()).collect();
        let ids: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
        prop_assert_eq!(ids.len(), text.len());
        prop_assert_eq!(&ids.iter().copied().collect::<BTreeSet<_>>(), &text);

        // Acyclic: each waits only for what is listed before it.
        for (index, step) in steps.iter().enumerate() {
            for waited_for in &step.after {
                prop_assert!(ids[..index].contains(&waited_for.as_str()), "{} before {}", step.id, waited_for);
            }
        }
        // Neither more nor less than the text says.
        let graph = nodes(&steps);
        for step in &steps {
            let real: BTreeSet<String> = before(&graph, &step.id).into_iter().map(str::to_owned).collect();
            let written: BTreeSet<String> =
                before_in_text(&spec, &step.id).into_iter().filter(|id| text.contains(id.as_str())).collect();
            prop_assert_eq!(real, written, "before {}", &step.id);
        }
    }

    #[test]
    fn each_move_comes_after_the_moves_it_depends_on(world in world(), (kind, direction) in kind(), own in any::<bool>()) {
        let inventory = world.inventory();
        let scope = scope(&inventory, "all", "").unwrap();
        let spec = if own { world.plan() } else { built_in(&scope, kind) };
        let steps = unfold(&spec, kind, direction, &scope).unwrap();
        let graph = nodes(&steps);
        let of = |resource: &str| steps.iter().find(|step| step.resource.as_deref() == Some(resource)).unwrap();
        prop_assert_eq!(steps.iter().filter(|step| step.resource.is_some()).count(), scope.members.len());
        for member in &scope.members {
            let earlier = before(&graph, &of(&member.document.name).id);
            for needed in &member.depends_on {
                prop_assert!(earlier.contains(of(needed).id.as_str()));
            }
        }
    }

    #[test]
    fn what_the_linter_lets_pass_runs(world in world(), broken in 0..7_usize, at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let (inventory, mut spec) = (world.inventory(), world.plan());
        let ids: Vec<String> = spec.phases.iter().flat_map(|phase| &phase.steps).map(|step| step.id.clone()).collect();
        let other = other.get(&ids).clone();
        let chosen = at.index(ids.len());
        let step = spec.phases.iter_mut().flat_map(|phase| &mut phase.steps).nth(chosen).unwrap();
        match broken {
            0 => {}
            1 => step.after.push(other),
            2 => step.after.clear(),
            3 => step.id = other,
            4 => step.action = moves("x", &[], "m0").action,
            5 => step.only_for = vec!["switchover".into()],
            _ => step.action = tells("x", &[]).action,
        }
        let errors = errors(&findings(&spec, &inventory)).len();
        let scope = scope(&inventory, "all", "").unwrap();
        for kind in TYPES {
            for direction in [Direction::AsWritten, Direction::Reversed] {
                let run = unfold(&spec, kind, direction, &scope);
                prop_assert!(errors > 0 || run.is_ok(), "no error, and {:?}", run);
            }
        }
    }

    #[test]
    fn a_valid_plan_has_no_error(world in world()) {
        let all = findings(&world.plan(), &world.inventory());
        prop_assert!(errors(&all).is_empty(), "{:?}", codes(&all));
    }

    #[test]
    fn turning_twice_is_not_turning(step in any_step()) {
        prop_assert_eq!(reversed(&reversed(&step)), step.clone());
        // What is filled in already is taken back as it is.
        prop_assert_eq!(undo_of(&reversed(&step), Direction::AsWritten), undo_of(&step, Direction::Reversed));
    }

    #[test]
    fn the_same_has_the_same_hash_and_any_change_another(world in world(), change in 0..9_usize) {
        let (inventory, spec) = (world.inventory(), world.plan());
        let document = |name: &str, spec: &PlanSpec| document(Kind::Plan, name, 1, Spec::PlanSpec(spec.clone()));
        let original = hash(Some(&document("p", &spec)), &scope(&inventory, "all", "").unwrap());
        prop_assert_eq!(&hash(Some(&document("p", &spec.clone())), &scope(&inventory.clone(), "all", "").unwrap()), &original);

        let (mut changed_inventory, mut changed, mut name) = (inventory, spec, "p");
        match change {
            0 => name = "q",
            1 => changed.notes = "x".into(),
            2 => changed.phases[0].steps[0].after.push("x".into()),
            3 => changed.phases[0].steps[0].idempotent = true,
            4 => changed.types.push("failover".into()),
            5 => changed.phases[0].name.push('x'),
            6 => changed.rto = None,
            7 => {
                let mut spec = resource("agent");
                spec.labels.insert("any".into(), "change".into());
                add(&mut changed_inventory, &super::given::document(Kind::Resource, "m0", 1, Spec::ResourceSpec(spec)));
            }
            _ => {
                let spec = changed_inventory.get(Kind::Group, "all").and_then(|document| document.spec.clone());
                let Some(Spec::GroupSpec(mut spec)) = spec else { return Ok(()) };
                spec.display_name.push('x');
                add(&mut changed_inventory, &super::given::document(Kind::Group, "all", 1, Spec::GroupSpec(spec)));
            }
        }
        let other = hash(Some(&document(name, &changed)), &scope(&changed_inventory, "all", "").unwrap());
        prop_assert_ne!(other.hash, original.hash);
    }

    #[test]
    fn nobody_publishes_what_they_submitted_or_wrote(commands in prop::collection::vec((0..3_usize, 0..4_usize, 1..4_u64), 1..40)) {
        let people = ["ada", "olga", "ingo", "bea"];
        let author = |version: u64| people[(version as usize) % people.len()];
        let mut plan = Plan::default();
        for (command, who, version) in commands {
            let text = PlanRef { name: "p".into(), version, hash: format!("hash {version}") };
            let actor = person(people[who]);
            let document = Document { declared_by: author(version).into(), version, ..Document::default() };
            let decision = match command {
                0 => submit(&plan, &text, version, vec![], &actor, now()),
                1 => return_(&plan, "no", &actor, now()),
                _ => publish(&plan, Publication { newest: &text, document: &document, hash: &text.hash, findings: vec![], note: "" }, &actor, now()),
            };
            let Ok(Some(event)) = decision else { continue };
            if let Some(Event::Published(published)) = &event.event {
                let submitted = plan.submitted.clone().unwrap();
                prop_assert_ne!(&submitted.actor.unwrap().id, &actor.id);
                prop_assert_ne!(author(version), actor.id.as_str());
                prop_assert_eq!(submitted.plan, published.plan.clone());
            }
            plan.evolve(&event);
        }
    }
}

#[test]
fn a_published_plan_can_be_reached_at_all() {
    // The property above would hold for rules that publish nothing.
    let (text, document) = (PlanRef { hash: "h".into(), version: 1, ..PlanRef::default() }, Document::default());
    let mut plan = Plan::default();
    plan.evolve(&submit(&plan, &text, 1, vec![], &person("olga"), now()).unwrap().unwrap());
    let publication = Publication { newest: &text, document: &document, hash: "h", findings: vec![], note: "read" };
    assert!(publish(&plan, publication, &person("ingo"), now()).unwrap().is_some());
    assert!(scope(&shop(), "shop", "").is_ok());
}

fn any_step() -> impl Strategy<Value = PlanStep> {
    let side = || prop::sample::select(vec!["", "fra", "ams"]).prop_map(str::to_owned);
    let sides = || prop::collection::vec(side(), 0..3);
    let probe = (0..3_usize, side(), side(), sides(), sides()).prop_map(|(which, here, there, values, others)| {
        let kind = match which {
            0 => condition::Kind::Http(HttpProbe { url: here, reverse_url: there, ..HttpProbe::default() }),
            1 => condition::Kind::Tcp(TcpProbe { address: here, reverse_address: there }),
            _ => condition::Kind::Dns(DnsProbe { values, reverse_values: others, ..DnsProbe::default() }),
        };
        Condition { kind: Some(kind), ..Condition::default() }
    });
    let call = (0..3_usize, side(), side(), sides(), sides(), probe.clone()).prop_map(
        |(which, here, there, from_values, to_values, until)| {
            let kind = match which {
                0 => action::Kind::Http(HttpAction { url: here, reverse_url: there, ..HttpAction::default() }),
                1 => action::Kind::Dns(DnsAction { from_values, to_values, ..DnsAction::default() }),
                _ => action::Kind::Wait(WaitAction { until: Some(until) }),
            };
            Action { kind: Some(kind) }
        },
    );
    (prop::option::of(call.clone()), prop::option::of(call), prop::collection::vec(probe, 0..3)).prop_map(
        |(action, undo, checks)| PlanStep {
            action,
            undo,
            prechecks: checks.clone(),
            postchecks: checks,
            ..PlanStep::default()
        },
    )
}
