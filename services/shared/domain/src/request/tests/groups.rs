//! Requests about groups, by plans, of every type: what they are about, where they go, and what is refused at once.

use super::*;
use crate::pb::execution::v1::{ExecutionState, StepView};
use crate::pb::plan::v1::{PlanSpec, plan_spec};

fn named(name: &str, tier: Tier, environment: Environment) -> inv::Document {
    let mut document = resource(tier);
    document.name = name.into();
    if let Some(inv::document::Spec::ResourceSpec(spec)) = &mut document.spec {
        spec.set_environment(environment);
    }
    document
}

fn shop() -> Vec<inv::Document> {
    vec![
        named("cart", Tier::Tier3, Environment::Staging),
        named("orders-db", Tier::Tier1, Environment::Production),
        group("shop", &["cart", "orders-db"]),
    ]
}

fn of_shop() -> OpenRequest {
    OpenRequest { resource: String::new(), group: "shop".into(), ..command() }
}

#[test]
fn a_group_counts_as_its_most_critical_member_and_binds_all_of_them() {
    let request = Facts::of(shop()).opened(&of_shop());
    let opened = request.view.opened.unwrap();
    assert_eq!((opened.tier(), opened.environment()), (Tier::Tier1, Environment::Production));
    assert_eq!((opened.group.as_str(), opened.resource.as_str(), scope_name(&opened)), ("shop", "", "shop"));
    assert_eq!(resources(&opened), ["cart", "orders-db"]);
    assert!(opened.members.iter().all(|member| member.resource_version == 3 && member.from_site == "fra"));
    assert_eq!(opened.confirmation_phrase, "switchover shop from fra to ams");
    assert_eq!(opened.policy.unwrap().require.len(), 2);
    let plan = opened.plan.unwrap();
    assert_eq!((plan.name.as_str(), plan.version, plan.hash.len()), ("", 0, 64));
}

#[test]
fn every_type_has_its_direction_and_its_phrase() {
    let facts = Facts::of(vec![resource(Tier::Tier1)]);
    let open = |kind, target: &str| {
        let decision = facts.open(&OpenRequest { kind, target_site: target.into(), ..command() }, &olga());
        decision.map(|event| match event.unwrap().event {
            Some(Event::Opened(opened)) => {
                let approvals = opened.policy.unwrap().require.len();
                (opened.from_site, opened.target_site, opened.confirmation_phrase, approvals)
            }
            _ => panic!("not opened"),
        })
    };
    let was = |from: &str, target: &str, phrase: &str, approvals: usize| {
        Ok((from.into(), target.into(), phrase.into(), approvals))
    };
    use RequestType::*;
    assert_eq!(open(Failback, ""), was("ams", "fra", "failback orders-db from ams to fra", 2));
    assert_eq!(open(Failback, "ams").unwrap_err().code, "FAILBACK_TARGET");
    assert_eq!(open(Rotation, "ams"), was("fra", "ams", "rotation orders-db from fra to ams", 2));
    assert_eq!(open(Rotation, "").unwrap_err().field, "target_site");
    assert_eq!(open(LiveDrill, ""), was("fra", "ams", "live-drill orders-db from fra to ams and back", 2));
    assert_eq!(open(TabletopDrill, ""), was("fra", "ams", "tabletop-drill orders-db", 1));
    assert_eq!(open(ReadinessDrill, "fra"), was("ams", "fra", "readiness-drill orders-db", 1));
    assert_eq!(open(IsolatedDrill, "").unwrap_err().code, "NO_ISOLATED_DRILL");
}

#[test]
fn members_that_live_elsewhere_do_not_move_together() {
    let mut documents = shop();
    if let Some(inv::document::Spec::ResourceSpec(spec)) = &mut documents[0].spec {
        spec.primary_site = "lon".into();
    }
    let refused = Facts::of(documents).open(&of_shop(), &olga()).unwrap_err();
    assert_eq!((refused.code.as_str(), refused.field.as_str()), ("SITES_DIFFER", "target_site"));
}

#[test]
fn where_everything_runs_already_nothing_is_moved() {
    let seen = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "ams".to_owned())).collect();
    let facts = |names: &[&str]| Facts { seen_at: seen(names), ..Facts::of(shop()) };
    assert_eq!(facts(&["cart", "orders-db"]).open(&of_shop(), &olga()).unwrap_err().code, "ALREADY_AT_TARGET");
    assert!(facts(&["cart"]).open(&of_shop(), &olga()).is_ok(), "half of it still has to move");
    let back = OpenRequest { kind: RequestType::Failback, target_site: String::new(), ..of_shop() };
    assert!(facts(&["cart", "orders-db"]).open(&back, &olga()).is_ok());
    let drill = OpenRequest { kind: RequestType::ReadinessDrill, ..of_shop() };
    assert!(facts(&["cart", "orders-db"]).open(&drill, &olga()).is_ok(), "a drill moves nothing");
}

#[test]
fn a_drill_without_a_target_is_about_the_side_where_the_system_does_not_run() {
    use RequestType::*;
    let of_orders = |kind, site: &str| {
        let facts = Facts {
            seen_at: [("orders-db".to_owned(), site.to_owned())].into(),
            ..Facts::of(vec![with_isolated_drill(resource(Tier::Tier1))])
        };
        let ask = OpenRequest { kind, target_site: String::new(), ..command() };
        facts.opened(&ask).view.opened.unwrap()
    };
    for kind in [ReadinessDrill, IsolatedDrill, LiveDrill, Rotation] {
        for (runs_at, other) in [("fra", "ams"), ("ams", "fra")] {
            let opened = of_orders(kind, runs_at);
            assert_eq!((opened.from_site.as_str(), opened.target_site.as_str()), (runs_at, other), "{kind:?}");
        }
    }
    let opened = of_orders(LiveDrill, "ams");
    assert_eq!(opened.confirmation_phrase, "live-drill orders-db from ams to fra and back");
    // Talked through as it is written; home is home; and where it was seen under other declarations says nothing.
    assert_eq!(of_orders(TabletopDrill, "ams").target_site, "ams");
    assert_eq!(of_orders(Failback, "ams").target_site, "fra");
    assert_eq!(of_orders(ReadinessDrill, "lon").target_site, "ams");
}

#[test]
fn why_a_target_was_chosen_is_said() {
    let documents = shop();
    let inventory = inventory(&documents);
    let scope = plan::scope(&inventory, "shop", "").unwrap();
    let at = |seen: &[(&str, &str)]| -> BTreeMap<String, String> {
        seen.iter().map(|(name, site)| ((*name).to_owned(), (*site).to_owned())).collect()
    };
    let chosen = |kind, asked: &str, seen: &[(&str, &str)]| {
        sites(kind, &scope, asked, &at(seen)).map(|sites| (sites.target, sites.chosen))
    };
    use RequestType::*;
    assert_eq!(chosen(ReadinessDrill, "", &[]), Ok(("ams".into(), Chosen::Unseen)));
    assert_eq!(chosen(ReadinessDrill, "ams", &[("cart", "ams")]), Ok(("ams".into(), Chosen::Named)));
    assert_eq!(chosen(Failback, "", &[]), Ok(("fra".into(), Chosen::ByType)));
    // One of two members was seen: as good as it gets.
    let opposite = || Chosen::OppositeOf("ams".into());
    assert_eq!(chosen(LiveDrill, "", &[("cart", "ams")]), Ok(("fra".into(), opposite())));
    assert_eq!(opposite().words(), "it runs at ams, so this is about the other site");
    let between = chosen(LiveDrill, "", &[("cart", "ams"), ("orders-db", "fra")]).unwrap_err();
    assert_eq!((between.code.as_str(), between.field.as_str()), ("SITES_DIFFER", "target_site"));
    assert_eq!(between.value, "cart runs at ams, orders-db at fra");
    assert!(chosen(LiveDrill, "ams", &[("cart", "ams"), ("orders-db", "fra")]).is_ok(), "named, it is no guess");
}

fn with_isolated_drill(mut document: inv::Document) -> inv::Document {
    if let Some(inv::document::Spec::ResourceSpec(spec)) = &mut document.spec {
        spec.isolated_drill = Some(inv::IsolatedDrill::default());
    }
    document
}

#[test]
fn a_plan_that_does_not_fit_is_refused_before_anybody_approves_it() {
    let spec = PlanSpec {
        scope: Some(plan_spec::Scope::Group("shop".into())),
        from_site: "fra".into(),
        to_site: "ams".into(),
        types: vec!["failback".into()],
        ..Default::default()
    };
    let document = inv::Document {
        kind: inv::Kind::Plan.into(),
        name: "move-shop".into(),
        version: 4,
        spec: Some(inv::document::Spec::PlanSpec(spec)),
        ..Default::default()
    };
    let facts = Facts { plan: Some(document), ..Facts::of(shop()) };
    assert_eq!(facts.open(&of_shop(), &olga()).unwrap_err().code, "PLAN_TYPE_NOT_SERVED");
    let back = OpenRequest { kind: RequestType::Failback, target_site: String::new(), ..of_shop() };
    assert_eq!(facts.open(&back, &olga()).unwrap_err().code, "PLAN_INVALID", "it has no steps");
}

fn run(request: &Request, state: ExecutionState, touched: bool) -> crate::execution::Execution {
    let mut execution = crate::execution::Execution::default();
    execution.view.request_id = request.view.request_id.clone();
    execution.view.set_state(state);
    execution.view.steps.push(StepView { attempts: touched.into(), ..Default::default() });
    execution
}

#[test]
fn a_rollback_goes_the_way_back_on_exactly_what_was_run() {
    let request = Facts::of(shop()).opened(&of_shop());
    for (state, touched) in
        [(ExecutionState::Running, true), (ExecutionState::Failed, false), (ExecutionState::Unspecified, false)]
    {
        assert_eq!(Earlier::of(&request, &run(&request, state, touched)).unwrap_err().code, "NOTHING_TO_ROLL_BACK");
    }
    let earlier = Earlier::of(&request, &run(&request, ExecutionState::Stopped, true)).unwrap();
    let ask = OpenRequest {
        request_id: "r-2".into(),
        kind: RequestType::Rollback,
        resource: String::new(),
        target_site: String::new(),
        rollback_of: "r-1".into(),
        ..command()
    };
    let facts = Facts { earlier: Some(earlier.clone()), ..Facts::of(shop()) };
    let opened = facts.opened(&ask).view.opened.unwrap();
    assert_eq!((opened.from_site.as_str(), opened.target_site.as_str()), ("ams", "fra"));
    assert_eq!(
        (opened.confirmation_phrase.as_str(), opened.rollback_of.as_str()),
        ("rollback shop from ams to fra", "r-1")
    );
    let elsewhere = OpenRequest { target_site: "ams".into(), ..ask.clone() };
    assert_eq!(facts.open(&elsewhere, &olga()).unwrap_err().code, "ROLLBACK_DIFFERS");
    let mut changed = shop();
    changed[0].version += 1;
    let facts = Facts { earlier: Some(earlier), ..Facts::of(changed) };
    assert_eq!(facts.open(&ask, &olga()).unwrap_err().code, "PLAN_CHANGED");

    let failover = OpenRequest { kind: RequestType::Failover, ..of_shop() };
    let request = Facts::of(shop()).opened(&failover);
    let refused = Earlier::of(&request, &run(&request, ExecutionState::Succeeded, true)).unwrap_err();
    assert_eq!((refused.code.as_str(), refused.value.as_str()), ("NOTHING_TO_ROLL_BACK", "failover"));
}
