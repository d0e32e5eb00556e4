#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use super::given::{add, document, group, moves, phase, plan_of, shop, shop_plan, tells};
use crate::pb::inventory::v1::{Kind, document::Spec};
use crate::pb::plan::v1::{Action, DnsAction, HttpAction, action};
use crate::pb::request::v1::RequestType;
use crate::plan::{Direction, PlannedStep, built_in, direction, scope, undo_of, unfold};

fn shown(steps: &[PlannedStep]) -> Vec<String> {
    steps.iter().map(|step| format!("{} after [{}]", step.id, step.after.join(" "))).collect()
}

#[test]
fn a_group_has_its_members_in_dependency_order() {
    let inventory = shop();
    let scope = scope(&inventory, "shop", "").unwrap();
    assert_eq!(scope.member_names(), "orders-db, ledger, cart");
    assert_eq!(scope.name(), "group shop");
}

#[test]
fn what_is_not_there_is_no_scope() {
    let mut inventory = shop();
    for (group, resource, code) in [
        ("", "", "FIELD_INVALID"),
        ("shop", "cart", "FIELD_INVALID"),
        ("none", "", "SCOPE_UNKNOWN"),
        ("", "none", "SCOPE_UNKNOWN"),
    ] {
        assert_eq!(scope(&inventory, group, resource).unwrap_err().code, code, "{group}/{resource}");
    }
    for (spec, code) in [
        (group(&[("gone", &[])]), "GROUP_MEMBER_UNKNOWN"),
        (group(&[]), "GROUP_EMPTY"),
        (group(&[("cart", &["ledger"]), ("ledger", &["cart"]), ("orders-db", &[])]), "GROUP_CYCLE"),
    ] {
        add(&mut inventory, &document(Kind::Group, "bad", 1, Spec::GroupSpec(spec)));
        let refusal = scope(&inventory, "bad", "").unwrap_err();
        assert_eq!(refusal.code, code);
        assert!(
            !refusal.field.is_empty() && !refusal.limit.is_empty() && !refusal.next_action.is_empty(),
            "{refusal:?}"
        );
    }
    assert!(scope(&inventory, "bad", "").unwrap_err().value.contains("cart"), "the circle is named");
}

#[test]
fn the_built_in_plan_moves_side_by_side_what_is_independent() {
    let mut inventory = shop();
    let spec = group(&[("cart", &["orders-db", "ledger"]), ("ledger", &[]), ("orders-db", &[])]);
    add(&mut inventory, &document(Kind::Group, "shop", 1, Spec::GroupSpec(spec)));
    let scope = scope(&inventory, "shop", "").unwrap();
    let plan = built_in(&scope, RequestType::Switchover);
    let steps = unfold(&plan, RequestType::Switchover, Direction::AsWritten, &scope).unwrap();
    assert_eq!(
        shown(&steps),
        ["move-ledger after []", "move-orders-db after []", "move-cart after [move-orders-db move-ledger]"]
    );
    assert_eq!(direction(&plan, "ams"), Ok(Direction::AsWritten));
    assert_eq!(direction(&plan, "fra"), Ok(Direction::Reversed));
    assert_eq!(direction(&plan, "par").unwrap_err().code, "SITE_UNKNOWN");
    assert_eq!(direction(&plan, "").unwrap_err().code, "SITE_UNKNOWN");
}

#[test]
fn phases_run_one_after_the_other() {
    let inventory = shop();
    let scope = scope(&inventory, "shop", "").unwrap();
    let steps = unfold(&shop_plan(), RequestType::Failover, Direction::AsWritten, &scope).unwrap();
    assert_eq!(
        shown(&steps),
        ["tell after []", "orders after [tell]", "ledger after [orders]", "cart after [ledger]", "done after [cart]"]
    );
    assert_eq!(steps[1].phase, "data");
    assert_eq!(steps[1].resource.as_deref(), Some("orders-db"));
    assert_eq!(steps[0].resource, None);
}

#[test]
fn what_does_not_run_this_time_keeps_its_place_in_the_order() {
    let inventory = shop();
    let scope = scope(&inventory, "shop", "").unwrap();
    let mut plan = shop_plan();
    // first -> skipped -> last, and a whole phase that is skipped in between.
    let mut skipped = tells("skipped", &["first"]);
    skipped.only_for = vec!["failback".into()];
    plan.phases[0].steps = vec![tells("last", &["skipped"]), skipped, tells("first", &[])];
    let mut only_back = tells("only-back", &[]);
    only_back.only_for = vec!["failback".into()];
    plan.phases.insert(1, phase("back", vec![only_back]));

    let there = unfold(&plan, RequestType::Switchover, Direction::AsWritten, &scope).unwrap();
    assert_eq!(shown(&there)[..3], ["first after []", "last after [first]", "orders after [last]"]);
    let back = unfold(&plan, RequestType::Failback, Direction::Reversed, &scope).unwrap();
    assert_eq!(
        shown(&back)[..5],
        [
            "first after []",
            "skipped after [first]",
            "last after [skipped]",
            "only-back after [last]",
            "orders after [only-back]"
        ]
    );
}

#[test]
fn a_drill_goes_the_way_of_what_it_rehearses() {
    let inventory = shop();
    let scope = scope(&inventory, "shop", "").unwrap();
    let mut plan = shop_plan();
    for (id, kind) in
        [("over", "switchover"), ("back", "failback"), ("drill", "live-drill"), ("table", "tabletop-drill")]
    {
        let mut step = tells(id, &[]);
        step.only_for = vec![kind.into()];
        plan.phases[0].steps.push(step);
    }
    let extra = |kind, direction| -> Vec<String> {
        let steps = unfold(&plan, kind, direction, &scope).unwrap();
        let first = steps.into_iter().filter(|step| step.phase == "before" && step.id != "tell");
        first.map(|step| step.id).collect()
    };
    assert_eq!(extra(RequestType::LiveDrill, Direction::AsWritten), ["over", "drill"]);
    assert_eq!(extra(RequestType::LiveDrill, Direction::Reversed), ["back", "drill"]);
    assert_eq!(extra(RequestType::TabletopDrill, Direction::AsWritten), ["over", "table"]);
    assert_eq!(extra(RequestType::Failover, Direction::AsWritten), [""; 0]);
}

#[test]
fn a_plan_that_serves_failovers_only_is_rehearsed_as_one() {
    let inventory = shop();
    let scope = scope(&inventory, "shop", "").unwrap();
    let mut plan = shop_plan();
    plan.types = vec!["failover".into()];
    plan.phases[0].steps[0].only_for = vec!["failover".into()];
    let steps = unfold(&plan, RequestType::TabletopDrill, Direction::AsWritten, &scope).unwrap();
    assert_eq!(steps[0].id, "tell");
    let refused = unfold(&plan, RequestType::Switchover, Direction::AsWritten, &scope).unwrap_err();
    assert_eq!((refused.code.as_str(), refused.limit.as_str()), ("PLAN_TYPE_NOT_SERVED", "failover"));
    let refused = unfold(&plan, RequestType::Rollback, Direction::AsWritten, &scope).unwrap_err();
    assert_eq!(refused.code, "PLAN_TYPE_NOT_SERVED");
}

#[test]
fn a_plan_that_was_overtaken_by_its_group_does_not_run() {
    let plan = shop_plan();
    let misfit = |change: &dyn Fn(&mut crate::inventory::TenantInventory)| {
        let mut inventory = shop();
        change(&mut inventory);
        let scope = scope(&inventory, "shop", "").unwrap();
        let refusal = unfold(&plan, RequestType::Failover, Direction::AsWritten, &scope).unwrap_err();
        assert_eq!(refusal.code, "PLAN_DOES_NOT_FIT");
        refusal.value
    };
    let change_group = |members: &'static [(&'static str, &'static [&'static str])]| {
        move |inventory: &mut crate::inventory::TenantInventory| {
            add(inventory, &document(Kind::Group, "shop", 1, Spec::GroupSpec(group(members))));
        }
    };
    // A member that the plan does not move.
    let four = change_group(&[("cart", &[]), ("ledger", &[]), ("orders-db", &[]), ("search", &[])]);
    let value = misfit(&|inventory| {
        let search = super::given::resource("agent");
        add(inventory, &document(Kind::Resource, "search", 1, Spec::ResourceSpec(search)));
        four(inventory);
    });
    assert_eq!(value, "search: 0 times");
    // A member that is none any more.
    assert_eq!(misfit(&change_group(&[("ledger", &[]), ("orders-db", &[])])), "step cart moves cart");
    // An order that the plan does not keep.
    let value = misfit(&change_group(&[("cart", &[]), ("ledger", &[]), ("orders-db", &["cart"])]));
    assert_eq!(value, "step orders does not wait for the move of cart");
    // A resource that is somewhere else by now.
    let value = misfit(&|inventory| {
        let moved = crate::pb::inventory::v1::ResourceSpec { dr_site: "par".into(), ..super::given::resource("agent") };
        add(inventory, &document(Kind::Resource, "cart", 1, Spec::ResourceSpec(moved)));
    });
    assert_eq!(value, "cart is at fra and par");
}

#[test]
fn a_plan_of_something_else_is_refused() {
    let inventory = shop();
    let cart = scope(&inventory, "", "cart").unwrap();
    let refusal = unfold(&shop_plan(), RequestType::Failover, Direction::AsWritten, &cart).unwrap_err();
    assert_eq!((refusal.code.as_str(), refusal.limit.as_str()), ("PLAN_DOES_NOT_FIT", "group shop"));
}

#[test]
fn a_text_that_is_no_graph_does_not_unfold() {
    let inventory = shop();
    let scope = scope(&inventory, "shop", "").unwrap();
    for (phases, what) in [
        (vec![phase("p", vec![moves("a", &["b"], "cart"), moves("b", &["a"], "ledger")])], "a, b wait for each other"),
        (vec![phase("p", vec![tells("a", &["a"])])], "a wait for each other"),
        (vec![phase("p", vec![tells("a", &["z"])])], "a waits for z"),
        (vec![phase("p", vec![tells("a", &[]), tells("a", &[])])], "a twice"),
        (vec![phase("p", vec![tells("a", &["b"])]), phase("q", vec![tells("b", &[])])], "a, b wait for each other"),
        (vec![], "none for a switchover"),
    ] {
        let refusal =
            unfold(&plan_of("shop", phases), RequestType::Switchover, Direction::AsWritten, &scope).unwrap_err();
        assert_eq!(refusal.code, "PLAN_INVALID");
        assert_eq!(refusal.value, what);
    }
}

#[test]
fn the_way_back_has_the_values_of_the_way_back() {
    let dns = |from: &str, to: &str| {
        action::Kind::Dns(DnsAction {
            from_values: vec![from.into()],
            to_values: vec![to.into()],
            ..Default::default()
        })
    };
    let mut step = super::given::step("dns", &[], dns("10.0.0.1", "10.9.0.1"));
    let values = |action: Option<Action>| match action.and_then(|action| action.kind) {
        Some(action::Kind::Dns(dns)) => (dns.from_values[0].clone(), dns.to_values[0].clone()),
        other => panic!("no DNS action: {other:?}"),
    };
    let (fra, ams) = ("10.0.0.1".to_owned(), "10.9.0.1".to_owned());
    assert_eq!(values(crate::plan::reversed(&step).action), (ams.clone(), fra.clone()));
    // Without an undo of its own, a record gets back what it had before the step, whichever way the run went.
    assert_eq!(values(undo_of(&step, Direction::AsWritten)), (ams.clone(), fra.clone()));
    assert_eq!(values(undo_of(&step, Direction::Reversed)), (fra, ams));

    let http = |url: &str, reverse: &str| Action {
        kind: Some(action::Kind::Http(HttpAction {
            url: url.into(),
            reverse_url: reverse.into(),
            ..Default::default()
        })),
    };
    step.undo = Some(http("https://fra/undo", "https://ams/undo"));
    assert_eq!(undo_of(&step, Direction::AsWritten), Some(http("https://fra/undo", "https://ams/undo")));
    assert_eq!(undo_of(&step, Direction::Reversed), Some(http("https://ams/undo", "https://fra/undo")));
    // The other way is the same way when nothing is said.
    step.undo = Some(http("https://both/undo", ""));
    assert_eq!(undo_of(&step, Direction::Reversed), Some(http("https://both/undo", "")));

    assert_eq!(undo_of(&moves("m", &[], "cart"), Direction::AsWritten), None, "its platform takes it back");
    assert_eq!(undo_of(&tells("t", &[]), Direction::AsWritten), None);
}
