//! A counter as the aggregate under test, and real servers.

pub(crate) mod child;
pub(crate) mod proxy;
pub(crate) mod tables;

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use muster_domain::{
    Aggregate, AggregateId, EventKind, TenantId,
    pb::common::v1::{Actor, ActorKind},
};
use muster_eventlog::{EventLog, LogConfig, Meta, Record, live_fold};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use muster_local::eventually;

/// The event: who counted, and to what.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Counted {
    #[prost(uint64, tag = "1")]
    pub(crate) number: u64,
    #[prost(string, tag = "2")]
    pub(crate) by: String,
}

impl EventKind for Counted {
    fn kind(&self) -> &'static str {
        "counter.counted"
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counter {
    pub(crate) count: u64,
    pub(crate) last: u64,
}

impl Aggregate for Counter {
    const KIND: &'static str = "counter";
    type Event = Counted;

    fn evolve(&mut self, event: &Counted) {
        self.count += 1;
        self.last = event.number;
    }
}

pub(crate) fn counted(number: u64) -> Counted {
    Counted { number, by: "test".into() }
}

pub(crate) fn meta() -> Meta {
    meta_with(Uuid::now_v7())
}

pub(crate) fn meta_with(event_id: Uuid) -> Meta {
    let actor =
        Actor { id: "https://idp.example|1".into(), name: "Ada".into(), kind: ActorKind::Person.into(), roles: vec![] };
    Meta { event_id, actor, time: Timestamp::now(), correlation: Uuid::now_v7(), causation: None }
}

pub(crate) fn id(text: &str) -> AggregateId {
    text.parse().unwrap()
}

pub(crate) fn tenant(text: &str) -> TenantId {
    text.parse().unwrap()
}

pub(crate) async fn connect(url: String, replicas: usize) -> EventLog {
    EventLog::connect(&LogConfig { url, replicas, ..LogConfig::default() }).await.unwrap()
}

/// A log with everything provisioned and these tenants.
pub(crate) async fn provisioned(url: String, replicas: usize, tenants: &[&str]) -> EventLog {
    let log = connect(url, replicas).await;
    log.provision().await.unwrap();
    for name in tenants {
        log.provision_tenant(&tenant(name)).await.unwrap();
    }
    log
}

/// Every event of these kinds there is now; each tenant's in order.
pub(crate) async fn the_whole_log(log: &EventLog, kinds: &'static [&'static str]) -> Vec<Record> {
    let records = Arc::new(Mutex::new(Vec::new()));
    let (kept, token) = (records.clone(), CancellationToken::new());
    let fold = live_fold(log, kinds, move |record: &Record| kept.lock().unwrap().push(record.clone()), token.clone());
    fold.caught_up().await;
    token.cancel();
    fold.stopped().await;
    Arc::try_unwrap(records).unwrap().into_inner().unwrap()
}
