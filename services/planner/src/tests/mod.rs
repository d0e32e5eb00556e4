//! The commands on a real log and real tables.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test panics to fail and makes its own ids"
)]

mod apply;
mod interrupted;
mod reading;
mod retire;
mod served;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use muster_domain::pb::common::v1::{Actor, ActorKind};
use muster_domain::pb::inventory::v1::{ApplyAction, ApplyResponse, Document, Kind};
use muster_domain::{TenantId, inventory::Declared, inventory::document_id};
use muster_eventlog::{Database, EventLog, LogConfig, Meta, db, run_projection, wait_for};
use muster_local::{nats::NatsServer, postgres::TemporaryDatabase};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Documents, MIGRATIONS, PROJECTION, apply::Apply, error::CommandError, retire::Retire};

pub(super) const SITES: &str = "kind: Site\nmetadata: {name: fra}\nspec: {region: eu-central}\n---\nkind: Site\nmetadata: {name: ams}\nspec: {region: eu-west}\n---\n";

/// A resource on both sites.
pub(super) fn resource(name: &str, rpo: &str) -> String {
    format!(
        "kind: Resource\nmetadata: {{name: {name}}}\nspec:\n  tier: 1\n  environment: production\n  owner: team\n  primarySite: fra\n  drSite: ams\n  rpo: {rpo}\n  rto: 1h\n  postgresql:\n    nodes:\n      - {{name: {name}-a, site: fra, host: {name}-a.example.org, port: 5432}}\n      - {{name: {name}-b, site: ams, host: {name}-b.example.org, port: 5432}}\n    monitor: {{user: monitor, passwordRef: \"file:monitor\"}}\n---\n"
    )
}

pub(super) struct World {
    pub(super) nats: NatsServer,
    pub(super) log: EventLog,
    pub(super) db: Database,
    shutdown: CancellationToken,
}

impl World {
    pub(super) async fn new(tenants: &[&str]) -> Self {
        let (nats, postgres) = tokio::join!(NatsServer::temporary(), TemporaryDatabase::create());
        let (nats, postgres) = (nats.unwrap(), postgres.unwrap());
        let log = EventLog::connect(&LogConfig { url: nats.url(), ..LogConfig::default() }).await.unwrap();
        log.provision().await.unwrap();
        for name in tenants {
            log.provision_tenant(&tenant(name)).await.unwrap();
        }
        Database::prepare(&postgres.superuser_url()).await.unwrap();
        Database::migrate(&postgres.url(db::OWNER_ROLE), &[MIGRATIONS]).await.unwrap();
        let db = Database::connect(&postgres.url(db::SERVICE_ROLE)).await.unwrap();
        db::assert_row_level_security(db.pool()).await.unwrap();
        let shutdown = CancellationToken::new();
        tokio::spawn(run_projection(log.clone(), db.clone(), Arc::new(Documents), shutdown.clone()));
        Self { nats, log, db, shutdown }
    }

    pub(super) async fn apply(&self, name: &str, manifest: &str) -> Result<ApplyResponse, CommandError> {
        self.apply_with(name, manifest, &meta()).await
    }

    pub(super) async fn apply_with(
        &self,
        name: &str,
        manifest: &str,
        meta: &Meta,
    ) -> Result<ApplyResponse, CommandError> {
        Apply { log: &self.log, db: &self.db, tenant: &tenant(name), manifest, meta }.run().await
    }

    pub(super) async fn dry_run(&self, name: &str, manifest: &str) -> Result<ApplyResponse, CommandError> {
        Apply { log: &self.log, db: &self.db, tenant: &tenant(name), manifest, meta: &meta() }.dry_run().await
    }

    pub(super) async fn retire(&self, tenant_name: &str, kind: Kind, name: &str) -> Result<u64, CommandError> {
        let (tenant, meta) = (tenant(tenant_name), meta());
        Retire { log: &self.log, db: &self.db, tenant: &tenant, kind, name, reason: "not needed", meta: &meta }
            .run()
            .await
    }

    /// What the log says about a document.
    pub(super) async fn document(&self, tenant_name: &str, kind: Kind, name: &str) -> Option<Document> {
        let id = document_id(kind, name).unwrap();
        self.log.load::<Declared>(&tenant(tenant_name), &id).await.unwrap().state.document
    }

    pub(super) async fn tables_reach(&self, tenant_name: &str, version: u64) {
        wait_for(&self.db, PROJECTION, &tenant(tenant_name), version, Duration::from_secs(60)).await.unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(super) fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

pub(super) fn meta() -> Meta {
    let actor = Actor {
        id: "https://idp.example|ada".into(),
        name: "Ada".into(),
        kind: ActorKind::Person.into(),
        roles: vec![],
    };
    Meta { event_id: Uuid::now_v7(), actor, time: Timestamp::now(), correlation: Uuid::now_v7(), causation: None }
}

pub(super) fn actions(response: &ApplyResponse) -> Vec<ApplyAction> {
    response.documents.iter().map(|applied| applied.action()).collect()
}

pub(super) fn refusal_code(result: Result<impl std::fmt::Debug, CommandError>) -> String {
    match result {
        Err(CommandError::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) fn fault_fields(result: Result<ApplyResponse, CommandError>) -> Vec<String> {
    match result {
        Err(CommandError::Faults(faults)) => {
            faults.iter().map(|fault| format!("{}: {}", fault.position(), fault.refusal.field)).collect()
        }
        other => panic!("no faults: {other:?}"),
    }
}
