#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::pb::common::v1::{Environment, Role, Tier};
use crate::pb::inventory::v1 as pb;
use crate::pb::inventory::v1::notification_route_spec::Channel;
use crate::time::duration_to_pb;

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn document(kind: Kind, name: &str, spec: Spec) -> Document {
    Document { kind: kind.into(), tenant: "acme".into(), name: name.into(), spec: Some(spec), ..Default::default() }
}

fn add(inventory: &mut TenantInventory, document: &Document) {
    if let Some(event) = declare(&Declared::default(), document, "ada", now()) {
        inventory.apply(&event);
    }
}

fn base() -> TenantInventory {
    let mut inventory = TenantInventory::default();
    for site in ["fra", "ams"] {
        add(&mut inventory, &document(Kind::Site, site, Spec::SiteSpec(pb::SiteSpec::default())));
    }
    inventory
}

fn resource() -> ResourceSpec {
    let node = |name: &str, site: &str, port| pb::PostgresqlNode {
        name: name.into(),
        site: site.into(),
        host: "127.0.0.1".into(),
        port,
        agent: name.into(),
    };
    let credential = |user: &str| Some(pb::Credential { user: user.into(), password_ref: format!("file:{user}") });
    ResourceSpec {
        tier: Tier::Tier1.into(),
        environment: Environment::Production.into(),
        owner: "orders".into(),
        primary_site: "fra".into(),
        dr_site: "ams".into(),
        rpo: Some(duration_to_pb(SignedDuration::from_secs(10))),
        rto: Some(duration_to_pb(SignedDuration::from_secs(300))),
        platform: Some(pb::resource_spec::Platform::Postgresql(pb::PostgresqlTarget {
            nodes: vec![node("a", "fra", 5001), node("b", "ams", 5002)],
            monitor: credential("mon"),
            execute: credential("exec"),
            replication: credential("repl"),
            tls: pb::TlsMode::Disable.into(),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn faults(spec: ResourceSpec) -> Vec<String> {
    let found = validate(&document(Kind::Resource, "orders-db", Spec::ResourceSpec(spec)), &base());
    for fault in &found.faults {
        assert!(!fault.next_action.is_empty() && !fault.limit.is_empty(), "{fault:?}");
    }
    found.faults.into_iter().map(|fault| fault.field).collect()
}

fn target(spec: &mut ResourceSpec) -> &mut pb::PostgresqlTarget {
    match spec.platform.as_mut() {
        Some(pb::resource_spec::Platform::Postgresql(target)) => target,
        _ => panic!("not a PostgreSQL resource"),
    }
}

#[test]
fn a_sound_resource_has_no_faults() {
    assert!(faults(resource()).is_empty());
}

#[test]
fn each_fault_names_its_field() {
    type Break = fn(&mut ResourceSpec);
    let cases: &[(&str, Break)] = &[
        ("spec.rpo", |s| s.rpo = Some(duration_to_pb(SignedDuration::from_secs(-5)))),
        ("spec.rpo", |s| s.rpo = None),
        ("spec.rto", |s| s.rto = Some(duration_to_pb(SignedDuration::ZERO))),
        ("spec.tier", |s| s.tier = 0),
        ("spec.tier", |s| s.tier = 77),
        ("spec.environment", |s| s.environment = 0),
        ("spec.owner", |s| s.owner = " ".into()),
        ("spec.drSite", |s| s.dr_site = "mars".into()),
        ("spec.drSite", |s| s.dr_site = "fra".into()),
        ("spec.postgresql.nodes", |s| {
            target(s).nodes.pop();
        }),
        ("spec.postgresql.nodes[1].host", |s| target(s).nodes[1].port = 5001),
        ("spec.postgresql.nodes[1].host", |s| {
            target(s).nodes[1].port = 5001;
            target(s).nodes[1].host = "localhost".into();
        }),
        ("spec.postgresql.nodes[1].site", |s| target(s).nodes[1].site = "fra".into()),
        ("spec.postgresql.nodes[0].port", |s| target(s).nodes[0].port = 70_000),
        ("spec.postgresql.nodes[0].host", |s| target(s).nodes[0].host = "a b;rm".into()),
        ("spec.postgresql.tls", |s| target(s).nodes[0].host = "db.example.org".into()),
        ("spec.postgresql.monitor", |s| target(s).monitor = None),
        ("spec.postgresql.replication", |s| target(s).replication = None),
        ("spec.postgresql.execute.user", |s| target(s).execute.as_mut().unwrap().user = "mon".into()),
        ("spec.postgresql.monitor.passwordRef", |s| {
            target(s).monitor.as_mut().unwrap().password_ref = "hunter2".into()
        }),
        ("spec.postgresql.monitor.passwordRef", |s| {
            target(s).monitor.as_mut().unwrap().password_ref = "file:../../etc/shadow".into()
        }),
        ("spec", |s| s.platform = None),
        ("spec.thresholds.rpoWarning", |s| {
            s.thresholds = Some(pb::ThresholdOverrides {
                rpo_warning: Some(duration_to_pb(SignedDuration::from_secs(60))),
                ..Default::default()
            });
        }),
        ("spec.thresholds.rpoBreach", |s| {
            s.thresholds = Some(pb::ThresholdOverrides {
                rpo_breach: Some(duration_to_pb(SignedDuration::from_secs(60))),
                ..Default::default()
            });
        }),
        ("spec.thresholds.staleAfter", |s| {
            let d = |s| Some(duration_to_pb(SignedDuration::from_secs(s)));
            s.thresholds = Some(pb::ThresholdOverrides { stale_after: d(30), lost_after: d(20), ..Default::default() });
        }),
    ];
    for (field, break_it) in cases {
        let mut spec = resource();
        break_it(&mut spec);
        let found = faults(spec);
        assert!(found.iter().any(|f| f == field), "expected a fault at {field}, found {found:?}");
    }
}

/// The same servers as `orders-db`, declared once more.
#[test]
fn a_second_name_is_no_easier_way_to_move_a_server() {
    let mut inventory = base();
    add(&mut inventory, &document(Kind::Resource, "orders-db", Spec::ResourceSpec(resource())));
    let judged = |spec: ResourceSpec| validate(&document(Kind::Resource, "copy", Spec::ResourceSpec(spec)), &inventory);

    let alike = judged(resource());
    assert!(alike.faults.is_empty() && alike.warnings.iter().any(|text| text.contains("orders-db")), "{alike:?}");

    let mut easier = resource();
    easier.tier = Tier::Tier3.into();
    let found = judged(easier.clone()).faults;
    assert_eq!(found.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), ["spec.tier"]);
    assert!(found[0].value.contains("tier 3") && found[0].value.contains("orders-db"), "{found:?}");
    assert_eq!(found[0].limit, "tier 1, production");

    let mut elsewhere = resource();
    elsewhere.environment = Environment::Test.into();
    assert_eq!(judged(elsewhere).faults[0].field, "spec.environment");

    // By another name of the host: its agent is the same hand.
    let mut by_agent = easier.clone();
    for (node, port) in target(&mut by_agent).nodes.iter_mut().zip([6001, 6002]) {
        node.port = port;
    }
    assert_eq!(judged(by_agent.clone()).faults.len(), 1);
    for node in &mut target(&mut by_agent).nodes {
        node.agent = format!("other-{}", node.agent);
    }
    assert!(judged(by_agent).faults.is_empty(), "other servers");

    // What cannot be moved needs nobody's leave.
    target(&mut easier).execute = None;
    target(&mut easier).replication = None;
    assert!(judged(easier).faults.is_empty());
}

#[test]
fn a_secret_typed_as_reference_is_not_repeated() {
    let mut spec = resource();
    target(&mut spec).monitor.as_mut().unwrap().password_ref = "hunter2".into();
    let found = validate(&document(Kind::Resource, "x", Spec::ResourceSpec(spec)), &base());
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[test]
fn applying_the_same_again_changes_nothing_and_a_change_names_its_field() {
    let before = document(Kind::Resource, "orders-db", Spec::ResourceSpec(resource()));
    let mut declared = Declared::default();
    declared.evolve(&declare(&declared, &before, "ada", now()).unwrap());
    assert_eq!(declared.document.as_ref().unwrap().version, 1);
    assert!(declare(&declared, &before, "ada", now()).is_none());

    let mut spec = resource();
    spec.rpo = Some(duration_to_pb(SignedDuration::from_secs(20)));
    let after = document(Kind::Resource, "orders-db", Spec::ResourceSpec(spec));
    let event = declare(&declared, &after, "ada", now()).unwrap();
    let Some(Event::Declared(changed)) = &event.event else { panic!("declared") };
    let change = &changed.changes[0];
    assert_eq!(
        (changed.changes.len(), change.field.as_str(), change.from.as_str(), change.to.as_str()),
        (1, "spec.rpo", "10s", "20s")
    );
}

#[test]
fn the_changes_of_a_new_document_are_its_fields_and_nothing_else() {
    let site = document(Kind::Site, "fra", Spec::SiteSpec(pb::SiteSpec { region: "eu".into(), ..Default::default() }));
    let fields: Vec<String> = changes(None, &site).into_iter().map(|change| change.field).collect();
    assert_eq!(fields, ["spec.region"]);
}

#[test]
fn retired_is_kept_and_can_be_declared_again() {
    let site = document(Kind::Site, "fra", Spec::SiteSpec(pb::SiteSpec::default()));
    let mut declared = Declared::default();
    assert_eq!(retire(&declared, "x").unwrap_err().code, "DOCUMENT_NOT_FOUND");
    declared.evolve(&declare(&declared, &site, "ada", now()).unwrap());
    declared.evolve(&retire(&declared, "closed").unwrap().unwrap());
    assert!(declared.document.as_ref().unwrap().retired);
    assert!(retire(&declared, "closed").unwrap().is_none());
    let again = declare(&declared, &site, "ada", now()).unwrap();
    declared.evolve(&again);
    let document = declared.document.unwrap();
    assert_eq!((document.retired, document.version), (false, 3));
}

#[test]
fn groups_need_their_members_and_an_order() {
    let mut inventory = base();
    for name in ["db", "queue"] {
        add(&mut inventory, &document(Kind::Resource, name, Spec::ResourceSpec(resource())));
    }
    let member = |resource: &str, needs: &[&str]| pb::GroupMember {
        resource: resource.into(),
        depends_on: needs.iter().map(|n| (*n).to_owned()).collect(),
    };
    let fields = |members: Vec<pb::GroupMember>| -> Vec<String> {
        let spec = Spec::GroupSpec(pb::GroupSpec { members, ..Default::default() });
        validate(&document(Kind::Group, "shop", spec), &inventory).faults.into_iter().map(|f| f.field).collect()
    };
    assert!(fields(vec![member("db", &[]), member("queue", &["db"])]).is_empty());
    assert_eq!(fields(vec![member("db", &["queue"]), member("queue", &["db"])]), ["spec.members"]);
    assert_eq!(fields(vec![member("nope", &[])]), ["spec.members[0].resource"]);
    assert_eq!(fields(vec![]), ["spec.members"]);
}

#[test]
fn policies_and_routes_name_their_faults() {
    let policy = |role: Role, count| {
        let rule = pb::ApprovalRule {
            require: vec![pb::ApprovalRequirement { role: role.into(), count }],
            ..Default::default()
        };
        let spec = Spec::PolicySpec(PolicySpec { approvals: vec![rule], ..Default::default() });
        validate(&document(Kind::Policy, "p", spec), &base()).faults.len()
    };
    assert_eq!(policy(Role::ApproverIt, 2), 0);
    assert_eq!(policy(Role::ApproverIt, 0), 1);
    assert_eq!(policy(Role::Operator, 1), 1);

    let route = |url: &str, to: &[&str]| {
        let channel = if to.is_empty() {
            Channel::Webhook(pb::WebhookChannel { url: url.into(), secret_ref: "file:hook".into() })
        } else {
            Channel::Email(pb::EmailChannel { to: to.iter().map(|t| (*t).to_owned()).collect() })
        };
        let spec = Spec::NotificationRouteSpec(NotificationRouteSpec { channel: Some(channel), ..Default::default() });
        validate(&document(Kind::NotificationRoute, "r", spec), &base()).faults.len()
    };
    assert_eq!(route("https://hooks.example.org/x", &[]), 0);
    assert_eq!(route("http://hooks.example.org/x", &[]), 1);
    assert_eq!(route("https://user:pw@hooks.example.org/x", &[]), 1);
    assert_eq!(route("", &["a@example.org"]), 0);
    assert_eq!(route("", &["a@example.org\r\nBcc: x@y"]), 1);
}
