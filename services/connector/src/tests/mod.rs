//! The collector with an observer that a test controls, and the messages on a real log.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

mod collecting;
mod messages;

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::pb::{
    inventory::v1::{
        Credential, Document, DocumentDeclared, DocumentRetired, InventoryEvent, Kind, PostgresqlNode,
        PostgresqlTarget, ResourceSpec, document::Spec, inventory_event::Event, resource_spec::Platform,
    },
    observation::v1::{NodeObservation, PostgresqlFacts, node_observation::Result as NodeResult},
};
use muster_platform::{ObserveTarget, Observer};

pub(super) use muster_local::eventually;

pub(super) fn spec() -> ResourceSpec {
    let node = |name: &str| PostgresqlNode {
        name: name.into(),
        host: format!("{name}.example.org"),
        port: 5432,
        ..Default::default()
    };
    ResourceSpec {
        platform: Some(Platform::Postgresql(PostgresqlTarget {
            nodes: vec![node("a"), node("b")],
            monitor: Some(Credential { user: "monitor".into(), password_ref: "file:monitor".into() }),
            ..Default::default()
        })),
        ..Default::default()
    }
}

pub(super) fn declared(name: &str, version: u64) -> InventoryEvent {
    let document = Document {
        kind: Kind::Resource.into(),
        name: name.into(),
        version,
        spec: Some(Spec::ResourceSpec(spec())),
        ..Default::default()
    };
    InventoryEvent { event: Some(Event::Declared(DocumentDeclared { document: Some(document), changes: vec![] })) }
}

pub(super) fn retired(name: &str) -> InventoryEvent {
    let retired = DocumentRetired { kind: Kind::Resource.into(), name: name.into(), reason: "gone".into() };
    InventoryEvent { event: Some(Event::Retired(retired)) }
}

/// Answers at once, but for the resources with this prefix.
#[derive(Default)]
pub(super) struct FakeObserver {
    pub(super) hangs_on: Option<&'static str>,
    pub(super) looks: Mutex<BTreeMap<String, u32>>,
}

impl FakeObserver {
    pub(super) fn looks_at(&self, resource: &str) -> u32 {
        self.looks.lock().unwrap().get(resource).copied().unwrap_or(0)
    }
}

#[async_trait]
impl Observer for FakeObserver {
    async fn observe(&self, target: &ObserveTarget) -> Vec<NodeObservation> {
        *self.looks.lock().unwrap().entry(target.resource.clone()).or_default() += 1;
        if self.hangs_on.is_some_and(|prefix| target.resource.starts_with(prefix)) {
            std::future::pending::<()>().await;
        }
        let facts = PostgresqlFacts { in_recovery: Some(false), ..Default::default() };
        vec![NodeObservation { node: "a".into(), result: Some(NodeResult::Postgresql(facts)), ..Default::default() }]
    }
}

pub(super) const T0: Timestamp = Timestamp::UNIX_EPOCH;
