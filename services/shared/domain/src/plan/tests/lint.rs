//! What the plans under testing/plans do not show: the borders of rules, and that no secret is repeated.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use super::given::{
    add, codes, document, findings, minutes, moves, phase, plan_of, resource, shop, shop_plan, step, tells,
};
use crate::pb::common::v1::{Environment, Role, Tier};
use crate::pb::inventory::v1 as pb;
use crate::pb::inventory::v1::{
    ApprovalAll, ApprovalAny, ApprovalAtLeast, ApprovalExpression, ApprovalRequirement, Kind, approval_expression,
    document::Spec,
};
use crate::pb::plan::v1::{
    Action, Condition, FailurePolicy, HttpAction, LintSeverity, PlanSpec, PlanStep, TcpProbe, action, condition,
};
use crate::pb::request::v1::{ApprovalPolicy, RequestType};
use crate::plan::{Code, MAX_PHASES, MAX_STEPS, Surroundings, critical_path, describe, errors, lint};

fn with(spec: PlanSpec, step: PlanStep) -> PlanSpec {
    let mut spec = spec;
    spec.phases[0].steps.push(step);
    spec
}

fn http(method: &str, url: &str) -> PlanStep {
    let call = HttpAction { method: method.into(), url: url.into(), ..HttpAction::default() };
    let done = Condition {
        kind: Some(condition::Kind::Tcp(TcpProbe { address: "10.0.0.1:443".into(), ..TcpProbe::default() })),
        ..Condition::default()
    };
    PlanStep {
        no_undo_because: "nothing is kept".into(),
        postchecks: vec![done],
        ..step("call", &[], action::Kind::Http(call))
    }
}

fn found(spec: &PlanSpec) -> Vec<String> {
    codes(&findings(spec, &shop())).into_iter().map(str::to_owned).filter(|code| code != "CONTACT_MISSING").collect()
}

#[test]
fn a_sound_plan_has_nothing_to_correct() {
    assert!(found(&shop_plan()).is_empty(), "{:?}", findings(&shop_plan(), &shop()));
}

#[test]
fn a_secret_in_an_address_is_found_and_never_repeated() {
    for address in [
        "https://ada:hunter2@lb.example/switch",
        "https://hunter2@lb.example/switch",
        "https://lb.example/switch?token=hunter2",
        "https://lb.example/switch?site=ams&api_key=hunter2",
        "https://lb.example/switch?X-Amz-Signature=hunter2",
        "https://lb.example?access-token=hunter2#part",
    ] {
        let all = findings(&with(shop_plan(), http("POST", address)), &shop());
        assert_eq!(
            errors(&all).iter().map(|lint| lint.code.as_str()).collect::<Vec<_>>(),
            ["HTTP_SECRET_IN_URL"],
            "{address}"
        );
        assert!(all.iter().all(|lint| !describe(lint).contains("hunter2")), "{address}");
    }
    for address in ["https://lb.example/switch?site=ams&empty_token=", "http://[::1]:8080/x", "https://lb.example:443"]
    {
        assert!(found(&with(shop_plan(), http("POST", address))).is_empty(), "{address}");
    }
    for address in [
        "",
        "lb.example",
        "ftp://lb.example/",
        "https:///x",
        "https://lb.example:0/",
        "https://lb example/",
        "https://[::1/",
    ] {
        assert_eq!(found(&with(shop_plan(), http("POST", address))), ["HTTP_INCOMPLETE"], "{address}");
    }
}

#[test]
fn a_secret_where_its_name_belongs_is_not_repeated() {
    let mut call = http("POST", "https://lb.example/switch");
    if let Some(Action { kind: Some(action::Kind::Http(http)) }) = &mut call.action {
        http.token_ref = "hunter2".into();
    }
    let all = findings(&with(shop_plan(), call), &shop());
    assert_eq!(codes(&errors(&all).into_iter().cloned().collect::<Vec<_>>()), ["SECRET_UNRESOLVED"]);
    assert!(all.iter().all(|lint| !describe(lint).contains("hunter2")));
}

#[test]
fn a_token_travels_encrypted() {
    for (address, expected) in [
        ("http://lb.example/x", vec!["HTTP_UNENCRYPTED"]),
        ("https://lb.example/x", vec![]),
        ("http://127.0.0.1:8080/x", vec![]),
        ("http://127.0.0.1.example/x", vec!["HTTP_UNENCRYPTED"]),
    ] {
        let mut call = http("POST", address);
        if let Some(Action { kind: Some(action::Kind::Http(http)) }) = &mut call.action {
            http.token_ref = "file:lb".into();
        }
        assert_eq!(found(&with(shop_plan(), call)), expected, "{address}");
    }
}

#[test]
fn what_only_reads_needs_no_undo_and_no_postcheck() {
    let bare =
        |method| PlanStep { postchecks: vec![], no_undo_because: String::new(), ..http(method, "https://x.example/") };
    assert!(found(&with(shop_plan(), bare("GET"))).is_empty());
    assert_eq!(found(&with(shop_plan(), bare("POST"))), ["MISSING_UNDO", "NO_POSTCHECK"]);
}

#[test]
fn a_missing_undo_is_worse_for_tier_1() {
    let mut inventory = shop();
    let bare = PlanStep { no_undo_because: String::new(), ..http("POST", "https://x.example/") };
    let severity = |inventory: &_| {
        let all = findings(&with(shop_plan(), bare.clone()), inventory);
        all.iter().find(|lint| lint.code == "MISSING_UNDO").unwrap().severity()
    };
    assert_eq!(severity(&inventory), LintSeverity::Error);
    for name in ["orders-db", "ledger", "cart"] {
        let spec = pb::ResourceSpec { tier: Tier::Tier2.into(), ..resource("agent") };
        add(&mut inventory, &document(Kind::Resource, name, 1, Spec::ResourceSpec(spec)));
    }
    assert_eq!(severity(&inventory), LintSeverity::Warning);
    // One critical member makes the plan critical.
    add(&mut inventory, &document(Kind::Resource, "cart", 1, Spec::ResourceSpec(resource("agent"))));
    assert_eq!(severity(&inventory), LintSeverity::Error);
}

#[test]
fn a_failure_that_takes_back_needs_something_that_takes_back() {
    let risky = PlanStep { on_failure: FailurePolicy::Undo.into(), ..http("POST", "https://x.example/") };
    assert_eq!(found(&with(shop_plan(), risky.clone())), ["UNDO_IMPOSSIBLE"]);
    assert!(found(&with(shop_plan(), PlanStep { idempotent: true, ..risky.clone() })).is_empty());
    let with_undo = PlanStep { undo: http("DELETE", "https://x.example/").action, ..risky };
    assert!(found(&with(shop_plan(), with_undo)).is_empty());
}

fn role(role: Role) -> ApprovalExpression {
    ApprovalExpression { kind: Some(approval_expression::Kind::Role(role.into())) }
}

fn all(of: Vec<ApprovalExpression>) -> ApprovalExpression {
    ApprovalExpression { kind: Some(approval_expression::Kind::All(ApprovalAll { of })) }
}

fn any(of: Vec<ApprovalExpression>) -> ApprovalExpression {
    ApprovalExpression { kind: Some(approval_expression::Kind::Any(ApprovalAny { of })) }
}

fn at_least(count: u32, of: Vec<ApprovalExpression>) -> ApprovalExpression {
    ApprovalExpression { kind: Some(approval_expression::Kind::AtLeast(ApprovalAtLeast { count, of })) }
}

#[test]
fn tier_1_needs_somebody_from_the_business_however_the_policy_says_it() {
    use Role::{ApproverBusiness as Business, ApproverIt as It};
    let required = |role: Role, count| ApprovalPolicy {
        require: vec![ApprovalRequirement { role: role.into(), count }],
        ..ApprovalPolicy::default()
    };
    let expressed = |expression| ApprovalPolicy { expressions: vec![expression], ..ApprovalPolicy::default() };
    for (policy, asks) in [
        (ApprovalPolicy::default(), false),
        (required(Business, 1), true),
        (required(Business, 0), false),
        (required(It, 5), false),
        (expressed(role(Business)), true),
        (expressed(all(vec![role(It), role(Business)])), true),
        (expressed(any(vec![role(It), role(Business)])), false),
        (expressed(any(vec![role(Business), all(vec![role(It), role(Business)])])), true),
        (expressed(any(vec![])), false),
        (expressed(at_least(2, vec![role(It), role(Business)])), true),
        (expressed(at_least(1, vec![role(It), role(Business)])), false),
        (expressed(at_least(2, vec![role(It), role(It), role(Business)])), false),
        (expressed(at_least(0, vec![role(Business)])), false),
    ] {
        let lookup = |_: Tier, _: Environment, _: RequestType| policy.clone();
        let inventory = shop();
        let found = lint(
            &shop_plan(),
            &Surroundings {
                inventory: &inventory,
                policy: &lookup,
                commands: None,
                secret_resolves: &|_: &str| Some(true),
            },
        );
        assert_eq!(!codes(&found).contains(&"NO_BUSINESS_APPROVER"), asks, "{policy:?}");
    }
}

#[test]
fn what_cannot_be_looked_up_here_is_said_and_not_called_wrong() {
    let inventory = shop();
    let policy = |_: Tier, _: Environment, _: RequestType| ApprovalPolicy {
        require: vec![ApprovalRequirement { role: Role::ApproverBusiness.into(), count: 1 }],
        ..ApprovalPolicy::default()
    };
    let command = crate::pb::plan::v1::CommandAction { name: "flush".into(), ..Default::default() };
    let spec = with(
        shop_plan(),
        PlanStep { action: Some(Action { kind: Some(action::Kind::Command(command)) }), ..http("POST", "") },
    );
    let blind =
        Surroundings { inventory: &inventory, policy: &policy, commands: None, secret_resolves: &|_: &str| None };
    let all = lint(&spec, &blind);
    assert!(errors(&all).is_empty(), "{all:?}");
    let unchecked: Vec<_> = all.iter().filter(|lint| lint.code == Code::NotChecked.name()).collect();
    assert_eq!(unchecked.len(), 2);
    assert!(unchecked[0].text.contains("call") && unchecked[1].text.contains("file:exec"), "{unchecked:?}");
    assert!(unchecked.iter().all(|lint| lint.severity() == LintSeverity::Info));
}

#[test]
fn a_plan_of_nothing_has_one_finding_for_it() {
    let spec = PlanSpec { scope: None, ..shop_plan() };
    assert_eq!(found(&spec), ["SCOPE_UNKNOWN"]);
    assert_eq!(found(&plan_of("shop", vec![])), ["EMPTY_PLAN"]);
}

#[test]
fn limits_hold_to_the_step() {
    let filler = |count: usize| -> Vec<PlanStep> { (0..count).map(|n| tells(&format!("tell-{n}"), &[])).collect() };
    let mut spec = shop_plan();
    let own = spec.phases.iter().map(|phase| phase.steps.len()).sum::<usize>();
    spec.phases[0].steps.extend(filler(MAX_STEPS - own));
    assert!(found(&spec).is_empty());
    spec.phases[0].steps.push(tells("one-more", &[]));
    assert_eq!(found(&spec), ["TOO_MANY_STEPS"]);

    let mut spec = shop_plan();
    let more = |n: usize| phase(&format!("phase-{n}"), vec![tells(&format!("step-{n}"), &[])]);
    spec.phases.extend((spec.phases.len()..MAX_PHASES).map(more));
    assert!(found(&spec).is_empty());
    spec.phases.push(more(MAX_PHASES));
    assert_eq!(found(&spec), ["TOO_MANY_PHASES"]);
}

#[test]
fn one_resource_may_be_moved_differently_for_different_types() {
    let only = |id: &str, types: &[&str]| PlanStep {
        only_for: types.iter().map(|name| (*name).into()).collect(),
        ..moves(id, &[], "cart")
    };
    let mut spec = shop_plan();
    spec.types = vec!["switchover".into(), "failback".into()];
    spec.phases[2].steps = vec![only("over", &["switchover"]), only("back", &["failback"])];
    assert!(found(&spec).is_empty());
    spec.phases[2].steps = vec![only("over", &["switchover"])];
    let all = findings(&spec, &shop());
    let missing = all.iter().find(|lint| lint.code == "MEMBER_NOT_MOVED").unwrap();
    assert!(missing.text.contains("cart is not, in a failback"), "{missing:?}");
}

#[test]
fn the_critical_path_is_the_longest_way_of_the_slowest_type() {
    let mut spec = shop_plan();
    let path = critical_path(&spec, &shop()).unwrap();
    // tell 1, orders 1, ledger 1, cart 1, done 1: each move has a timeout of its own here.
    assert_eq!(path.total, jiff::SignedDuration::from_mins(5));
    assert_eq!(path.steps, ["tell", "orders", "ledger", "cart", "done"]);
    // Without one, a move counts as long as its resource may take.
    spec.phases[2].steps[0].timeout = None;
    let path = critical_path(&spec, &shop()).unwrap();
    assert_eq!(path.total, jiff::SignedDuration::from_mins(14));
    assert!(path.text().contains("14 min along tell, orders, ledger, cart, done"), "{}", path.text());
    // A slow step of one type counts, one beside the longest way does not.
    let mut slow = tells("slow", &[]);
    slow.timeout = minutes(30);
    slow.only_for = vec!["failback".into()];
    spec.phases[2].steps.push(slow);
    let path = critical_path(&spec, &shop()).unwrap();
    assert_eq!((path.request_type.as_str(), path.total), ("failback", jiff::SignedDuration::from_mins(33)));

    spec.rto = minutes(33);
    assert!(found(&spec).is_empty());
    spec.rto = minutes(32);
    let all = findings(&spec, &shop());
    let exceeded = all.iter().find(|lint| lint.code == "RTO_EXCEEDED").unwrap();
    assert!(exceeded.text.contains("33 min") && exceeded.text.contains("32 min"), "{exceeded:?}");
    assert_eq!(critical_path(&plan_of("shop", vec![phase("p", vec![tells("a", &["a"])])]), &shop()), None);
}

#[test]
fn a_plan_for_the_way_back_alone_may_be_written_that_way() {
    let swapped = PlanSpec { from_site: "ams".into(), to_site: "fra".into(), ..shop_plan() };
    assert_eq!(found(&swapped), ["SITES_SWAPPED"]);
    assert!(found(&PlanSpec { types: vec!["failback".into()], ..swapped }).is_empty());
    let nowhere = PlanSpec { to_site: "fra".into(), ..shop_plan() };
    assert_eq!(found(&nowhere), ["SITES_WRONG"]);
}

#[test]
fn worst_first() {
    let mut spec = shop_plan();
    spec.owner.clear();
    spec.phases[0].steps[0].action = None;
    let severities: Vec<i32> = findings(&spec, &shop()).iter().map(|lint| lint.severity).collect();
    assert!(severities.is_sorted_by(|a, b| a >= b) && severities.len() == 3, "{severities:?}");
}
