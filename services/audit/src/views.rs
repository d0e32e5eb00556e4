//! The read models beside the list of records: gaps, stories, configuration changes, denied attempts. One reader fills
//! all of them, each in its own folder.

use async_trait::async_trait;
use muster_domain::{
    Aggregate,
    delivery::Delivery,
    denial::Denial,
    execution::{Execution, Reservation},
    gap::{Gap, Review},
    gate::Gate,
    inventory::Declared,
    plan::Plan,
    request::{Intent, Request},
    schedule::Schedule,
};
use muster_eventlog::{Projection, ProjectionError, Record};
use sqlx::PgConnection;

use crate::{changes, denied, gaps, story};

pub(crate) const NAME: &str = "audit.views";

pub(crate) struct Views;

#[async_trait]
impl Projection for Views {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[
            Declared::KIND,
            Request::KIND,
            Execution::KIND,
            Reservation::KIND,
            Delivery::KIND,
            Denial::KIND,
            Gate::KIND,
            Plan::KIND,
            Gap::KIND,
            Review::KIND,
            Intent::KIND,
            Schedule::KIND,
        ]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["audit.gap", "audit.story", "audit.change", "audit.denied"]
    }

    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        let Some(tenant) = batch.first().map(|record| record.tenant.to_string()) else { return Ok(()) };
        changes::project(tx, &tenant, batch).await?;
        denied::project(tx, &tenant, batch).await?;
        gaps::project(tx, &tenant, batch).await?;
        story::project(tx, &tenant, batch).await
    }
}

/// A sequence as PostgreSQL keeps it.
pub(crate) fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
