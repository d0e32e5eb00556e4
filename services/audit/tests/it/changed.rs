//! Configuration history: field by field, from what to what.

use jiff::Timestamp;
use muster_domain::{
    inventory::{self, Declared, document_id},
    pb::{
        audit::v1::{ConfigurationChange, ListConfigurationChangesRequest},
        common::v1::PageRequest,
        inventory::v1::{Document, Kind, PolicySpec, ResourceSpec, ThresholdOverrides, document::Spec},
    },
};
use uuid::Uuid;

use crate::{
    given::seconds,
    world::{World, meta},
};

const TENANT: &str = "changed";

async fn declare(world: &World, kind: Kind, name: &str, spec: Spec) {
    let document = Document {
        kind: kind.into(),
        tenant: TENANT.into(),
        name: name.into(),
        spec: Some(spec),
        ..Default::default()
    };
    let decide = |declared: &Declared| -> Result<_, std::convert::Infallible> {
        Ok(inventory::declare(declared, &document, "ada", Timestamp::now()))
    };
    let meta = meta("ada", Uuid::now_v7(), None);
    world
        .log
        .decide::<Declared, _>(&TENANT.parse().unwrap(), &document_id(kind, name).unwrap(), &meta, decide)
        .await
        .unwrap();
}

fn resource(breach_seconds: i64, owner: &str) -> Spec {
    let thresholds = ThresholdOverrides { rpo_breach: seconds(breach_seconds), ..Default::default() };
    Spec::ResourceSpec(ResourceSpec { thresholds: Some(thresholds), owner: owner.into(), ..Default::default() })
}

pub(crate) async fn each_field_from_what_to_what(world: &mut World) {
    declare(world, Kind::Resource, "orders-db", resource(60, "shop")).await;
    declare(world, Kind::Policy, "changes", Spec::PolicySpec(PolicySpec::default())).await;
    declare(world, Kind::Resource, "orders-db", resource(3_600, "shop team")).await;
    let id = document_id(Kind::Resource, "orders-db").unwrap();
    let retire = |declared: &Declared| inventory::retire(declared, "gone");
    let by_ada = meta("ada", Uuid::now_v7(), None);
    let tenant = TENANT.parse().unwrap();
    let newest = world.log.decide::<Declared, _>(&tenant, &id, &by_ada, retire).await.unwrap().sequence;

    let vera = world.person(TENANT, "vera", &["viewer"]);
    let list = async |ask: ListConfigurationChangesRequest| {
        let ask = ListConfigurationChangesRequest { tenant: TENANT.into(), min_version: newest, ..ask };
        vera.client().list_configuration_changes(vera.request(ask)).await.unwrap().into_inner()
    };
    let of_thresholds =
        list(ListConfigurationChangesRequest { field: "THRESHOLDS".into(), ..Default::default() }).await.changes;
    assert_eq!(
        of_thresholds.iter().map(told).collect::<Vec<_>>(),
        [
            ("orders-db", "spec.thresholds.rpoBreach", "60s", "3600s", "changed"),
            ("orders-db", "spec.thresholds.rpoBreach", "", "60s", "declared"),
        ]
    );
    assert_eq!((of_thresholds[0].document_version, of_thresholds[0].actor.clone().unwrap().name.as_str()), (2, "ada"));
    let policies = list(ListConfigurationChangesRequest { kind: "policy".into(), ..Default::default() }).await.changes;
    assert!(policies.iter().all(|change| change.name == "changes") && !policies.is_empty());
    let named =
        ListConfigurationChangesRequest { kind: "resource".into(), name: "orders-db".into(), ..Default::default() };
    let all = list(named).await.changes;
    assert_eq!(told(&all[0]), ("orders-db", "", "", "gone", "retired"), "newest first");

    let mut paged = Vec::new();
    let mut token = String::new();
    loop {
        let page = Some(PageRequest { page_size: 1, page_token: token });
        let named = ListConfigurationChangesRequest { kind: "resource".into(), page, ..Default::default() };
        let answer = list(named).await;
        paged.extend(answer.changes);
        token = answer.page.unwrap().next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all, "page by page it is the same list");
}

fn told(change: &ConfigurationChange) -> (&str, &str, &str, &str, &str) {
    (&change.name, &change.field, &change.from, &change.to, &change.what)
}
