#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use jiff::SignedDuration;

use super::validate;
use crate::inventory::TenantInventory;
use crate::pb::common::v1::Role;
use crate::pb::inventory::v1::{
    ApprovalAll, ApprovalAny, ApprovalAtLeast, ApprovalExpression, ApprovalRule, ApproverGroup, AutonomyRule,
    BreakGlassRule, ChangeFreeze, Document, Escalation, Kind as DocumentKind, PolicySpec, WeeklyWindow,
    approval_expression::Kind, document::Spec,
};
use crate::time::{PbDuration, PbTimestamp, duration_to_pb, to_pb};

fn minutes(count: i64) -> Option<PbDuration> {
    Some(duration_to_pb(SignedDuration::from_mins(count)))
}

fn at(text: &str) -> Option<PbTimestamp> {
    Some(to_pb(text.parse().unwrap()))
}

fn fields(spec: PolicySpec) -> Vec<String> {
    let document = Document {
        kind: DocumentKind::Policy.into(),
        name: "p".into(),
        spec: Some(Spec::PolicySpec(spec)),
        ..Document::default()
    };
    let found = validate(&document, &TenantInventory::default());
    for fault in &found.faults {
        assert!(!fault.next_action.is_empty() && !fault.limit.is_empty(), "{fault:?}");
    }
    found.faults.into_iter().map(|fault| fault.field).collect()
}

fn of_rule(rule: ApprovalRule) -> Vec<String> {
    fields(PolicySpec { approvals: vec![rule], ..PolicySpec::default() })
}

fn part(kind: Kind) -> ApprovalExpression {
    ApprovalExpression { kind: Some(kind) }
}

fn it() -> ApprovalExpression {
    part(Kind::Role(Role::ApproverIt.into()))
}

fn of_expression(kind: Kind) -> Vec<String> {
    of_rule(ApprovalRule { expression: Some(part(kind)), ..ApprovalRule::default() })
}

fn at_least(count: u32, of: Vec<ApprovalExpression>) -> Kind {
    Kind::AtLeast(ApprovalAtLeast { count, of })
}

#[test]
fn an_expression_can_be_met() {
    let bea = || part(Kind::Person("https://idp.example.org|bea".into()));
    let good = Kind::All(ApprovalAll {
        of: vec![it(), part(Kind::Any(ApprovalAny { of: vec![bea(), it()] })), part(at_least(2, vec![bea(), it()]))],
    });
    assert!(of_expression(good).is_empty());

    let at = "spec.approvals[0].expression";
    let group = |name: &str, people: &[&str]| {
        let people = people.iter().map(|id| (*id).to_owned()).collect();
        Kind::Group(ApproverGroup { name: name.into(), people })
    };
    for (kind, field) in [
        (Kind::Role(Role::Operator.into()), "role"),
        (Kind::Role(77), "role"),
        (Kind::Person("bea".into()), "person"),
        (Kind::Person("https://idp.example.org|".into()), "person"),
        (group(" ", &["https://idp.example.org|bea"]), "group.name"),
        (group("owners", &[]), "group.people"),
        (group("owners", &["bea"]), "group.people[0]"),
        (Kind::All(ApprovalAll { of: vec![] }), "all"),
        (Kind::Any(ApprovalAny { of: vec![it(), ApprovalExpression { kind: None }] }), "any[1]"),
        (at_least(0, vec![it()]), "atLeast.count"),
        (at_least(2, vec![it()]), "atLeast.count"),
    ] {
        assert_eq!(of_expression(kind.clone()), [format!("{at}.{field}")], "{kind:?}");
    }
}

#[test]
fn an_expression_stays_readable() {
    let wide = Kind::Any(ApprovalAny { of: vec![it(); 60] });
    assert_eq!(of_expression(wide), ["spec.approvals[0].expression"]);
    let deep = (0..6).fold(it(), |inner, _| part(Kind::All(ApprovalAll { of: vec![inner] })));
    assert_eq!(of_expression(deep.kind.unwrap()), ["spec.approvals[0].expression"]);
}

#[test]
fn escalations_come_one_after_the_other_while_the_request_lives() {
    let of = |afters: &[i64], expires_after: Option<PbDuration>| {
        let escalations =
            afters.iter().map(|after| Escalation { after: minutes(*after), ..Escalation::default() }).collect();
        of_rule(ApprovalRule { escalations, expires_after, ..ApprovalRule::default() })
    };
    assert!(of(&[10, 30, 239], None).is_empty());
    assert_eq!(of(&[30, 10], None), ["spec.approvals[0].escalations[1].after"]);
    assert_eq!(of(&[0], None), ["spec.approvals[0].escalations[0].after"]);
    // The default life of a request is 4 h.
    assert_eq!(of(&[240], None), ["spec.approvals[0].escalations[0].after"]);
    assert!(of(&[240], minutes(300)).is_empty());
    assert_eq!(of(&[1, 2, 3, 4, 5, 6], None), ["spec.approvals[0].escalations"]);

    let unknown = Escalation { after: minutes(5), routes: vec!["nowhere".into()] };
    let rule = ApprovalRule { escalations: vec![unknown], ..ApprovalRule::default() };
    assert_eq!(of_rule(rule), ["spec.approvals[0].escalations[0].routes[0]"]);
}

fn freeze() -> ChangeFreeze {
    ChangeFreeze {
        name: "year-end".into(),
        reason: "the books are closed".into(),
        from: at("2026-12-20T00:00:00Z"),
        until: at("2027-01-07T00:00:00Z"),
        ..ChangeFreeze::default()
    }
}

fn weekly() -> WeeklyWindow {
    WeeklyWindow { days: vec![1, 5], start: "22:00".into(), end: "05:00".into(), time_zone: "Europe/Berlin".into() }
}

fn of_freeze(change: impl FnOnce(&mut ChangeFreeze)) -> Vec<String> {
    let mut freeze = freeze();
    change(&mut freeze);
    fields(PolicySpec { freezes: vec![freeze], ..PolicySpec::default() })
}

#[test]
fn a_freeze_is_a_time_that_exists() {
    let at_field = |field: &str| vec![format!("spec.freezes[0]{field}")];
    assert!(of_freeze(|_| ()).is_empty());
    assert_eq!(of_freeze(|f| f.name = "Year end".into()), at_field(".name"));
    assert_eq!(of_freeze(|f| f.reason = " ".into()), at_field(".reason"));
    assert_eq!(of_freeze(|f| f.request_types = vec!["swichover".into()]), at_field(".requestTypes[0]"));
    assert_eq!(of_freeze(|f| f.until = f.from), at_field(".until"));
    assert_eq!(of_freeze(|f| f.until = at("2028-12-20T00:00:00Z")), at_field(".until"));
    assert_eq!(of_freeze(|f| f.until = None), at_field(""));
    assert_eq!(of_freeze(|f| f.weekly = Some(weekly())), at_field(""));

    let of_weekly = |change: fn(&mut WeeklyWindow)| {
        of_freeze(|f| {
            let mut window = weekly();
            change(&mut window);
            *f = ChangeFreeze { from: None, until: None, weekly: Some(window), ..f.clone() };
        })
    };
    assert!(of_weekly(|_| ()).is_empty());
    assert_eq!(of_weekly(|w| w.days.clear()), at_field(".weekly.days"));
    assert_eq!(of_weekly(|w| w.days = vec![1, 1]), at_field(".weekly.days"));
    assert_eq!(of_weekly(|w| w.days = vec![0]), at_field(".weekly.days"));
    assert_eq!(of_weekly(|w| w.days = vec![8]), at_field(".weekly.days"));
    assert_eq!(of_weekly(|w| w.start = "25:00".into()), at_field(".weekly.start"));
    assert_eq!(of_weekly(|w| w.end = "5:00".into()), at_field(".weekly.end"));
    assert_eq!(of_weekly(|w| w.end = "22:00".into()), at_field(".weekly.end"));
    assert_eq!(of_weekly(|w| w.time_zone = "Europe/Atlantis".into()), at_field(".weekly.timeZone"));

    let twice = PolicySpec { freezes: vec![freeze(), freeze()], ..PolicySpec::default() };
    assert_eq!(fields(twice), ["spec.freezes[1].name"]);
}

#[test]
fn the_single_rules_have_limits() {
    let autonomy = |clean_drills, within| {
        fields(PolicySpec { autonomy: Some(AutonomyRule { clean_drills, within }), ..PolicySpec::default() })
    };
    assert!(autonomy(3, minutes(60)).is_empty());
    assert_eq!(autonomy(0, minutes(60)), ["spec.autonomy.cleanDrills"]);
    assert_eq!(autonomy(51, minutes(60)), ["spec.autonomy.cleanDrills"]);
    assert_eq!(autonomy(3, None), ["spec.autonomy.within"]);
    assert_eq!(autonomy(3, minutes(0)), ["spec.autonomy.within"]);

    let glass = |role: Role, limit, review_within| {
        let rule = BreakGlassRule { roles: vec![role.into()], limit, review_within };
        fields(PolicySpec { break_glass: Some(rule), ..PolicySpec::default() })
    };
    assert!(glass(Role::Operator, minutes(60), minutes(60)).is_empty());
    assert_eq!(glass(Role::Viewer, None, None), ["spec.breakGlass.roles"]);
    assert_eq!(glass(Role::Admin, minutes(61), None), ["spec.breakGlass.limit"]);
    assert_eq!(glass(Role::Admin, None, minutes(60 * 24 * 15)), ["spec.breakGlass.reviewWithin"]);

    let cool_down = |length| fields(PolicySpec { cool_down: length, ..PolicySpec::default() });
    assert!(cool_down(minutes(60)).is_empty());
    assert_eq!(cool_down(minutes(0)), ["spec.coolDown"]);
    assert_eq!(fields(PolicySpec::default()), ["spec"]);
}
