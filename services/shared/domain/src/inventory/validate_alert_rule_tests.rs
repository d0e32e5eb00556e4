use super::*;
use crate::pb::inventory::v1::{
    Document, DocumentDeclared, InventoryEvent, NotificationRouteSpec, document::Spec, inventory_event::Event,
};
use crate::time::duration_to_pb;

fn with_route(name: &str) -> TenantInventory {
    let mut inventory = TenantInventory::default();
    let document = Document {
        kind: Kind::NotificationRoute.into(),
        name: name.into(),
        spec: Some(Spec::NotificationRouteSpec(NotificationRouteSpec::default())),
        ..Document::default()
    };
    let declared = DocumentDeclared { document: Some(document), changes: vec![] };
    inventory.apply(&InventoryEvent { event: Some(Event::Declared(declared)) });
    inventory
}

fn faults(rule: &AlertRule) -> Vec<String> {
    let mut found = Finding::default();
    alert_rule(&mut found, "alerts[0]", rule, &with_route("boss"));
    found.faults.into_iter().map(|fault| fault.field).collect()
}

fn minutes(m: i64) -> Option<crate::time::PbDuration> {
    Some(duration_to_pb(SignedDuration::from_mins(m)))
}

fn step(after: i64, route: &str) -> EscalationStep {
    EscalationStep { after: minutes(after), routes: vec![route.into()] }
}

#[test]
fn a_rule_that_says_everything_is_fine() {
    let rule = AlertRule {
        tiers: vec![Tier::Tier1.into()],
        environments: vec![Environment::Production.into()],
        kinds: vec!["visibility.*".into()],
        severity: "warning".into(),
        hold: minutes(2),
        renotify_every: minutes(15),
        without_resolved: true,
        runbook_url: "https://wiki.example/blind#dba".into(),
        escalate: vec![step(15, "boss"), step(60, "boss")],
    };
    assert!(faults(&rule).is_empty(), "{:?}", faults(&rule));
    assert!(faults(&AlertRule::default()).is_empty());
}

#[test]
fn each_mistake_is_named_where_it_is() {
    let rule = |change: &dyn Fn(&mut AlertRule)| {
        let mut rule = AlertRule::default();
        change(&mut rule);
        faults(&rule).join(" ")
    };
    assert_eq!(rule(&|r| r.kinds = vec!["request.*".into()]), "alerts[0].kinds");
    assert_eq!(rule(&|r| r.severity = "loud".into()), "alerts[0].severity");
    assert_eq!(rule(&|r| r.hold = minutes(6)), "alerts[0].hold");
    assert_eq!(
        rule(&|r| r.renotify_every = Some(duration_to_pb(SignedDuration::from_secs(5)))),
        "alerts[0].renotifyEvery"
    );
    for url in ["http://wiki", "https://", "https://user:secret@wiki/x", "javascript:alert(1)", "https://a b"] {
        assert_eq!(rule(&|r| r.runbook_url = url.into()), "alerts[0].runbookUrl", "{url}");
    }
    assert_eq!(rule(&|r| r.escalate = vec![step(5, "nobody")]), "alerts[0].escalate[0].routes");
    assert_eq!(rule(&|r| r.escalate = vec![step(5, "boss"), step(5, "boss")]), "alerts[0].escalate[1].after");
    assert_eq!(
        rule(&|r| r.escalate = vec![EscalationStep::default()]),
        "alerts[0].escalate[0].after alerts[0].escalate[0].routes"
    );
    assert_eq!(rule(&|r| r.escalate = (1..=11).map(|m| step(m, "boss")).collect()), "alerts[0].escalate");
}

#[test]
fn a_breach_of_tier_one_is_never_held_back() {
    let held = |kinds: &[&str]| AlertRule {
        tiers: vec![Tier::Tier1.into()],
        kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
        hold: minutes(1),
        ..AlertRule::default()
    };
    assert_eq!(faults(&held(&[])), ["alerts[0].hold"]);
    assert_eq!(faults(&held(&["rpo.breached", "visibility.lost"])), ["alerts[0].hold"]);
    assert!(faults(&held(&["visibility.lost"])).is_empty());
    // Other tiers, too: said, since what people expect of tier 1 is not what happens.
    let mut found = Finding::default();
    alert_rule(&mut found, "alerts[0]", &AlertRule { hold: minutes(1), ..AlertRule::default() }, &with_route("boss"));
    assert_eq!((found.faults.len(), found.warnings.len()), (0, 1));
}
