//! The read model of delegations: one row each.

use async_trait::async_trait;
use muster_domain::{
    Aggregate,
    pb::request::v1::{DelegationEvent, delegation_event::Event},
    request::Delegation,
    time::from_pb,
};
use muster_eventlog::{Projection, ProjectionError, Record};
use prost::Message;
use sqlx::PgConnection;

pub(crate) const NAME: &str = "approval.delegations";

pub(crate) struct Delegations;

#[async_trait]
impl Projection for Delegations {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Delegation::KIND]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["approval.delegation"]
    }

    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        for record in batch {
            match record.decode::<DelegationEvent>()?.event {
                Some(Event::Delegated(delegated)) => {
                    let ends = from_pb(delegated.ends.as_ref()).map_or(0, |ends| ends.as_millisecond());
                    let from = delegated.from.as_ref().map(|from| from.id.as_str()).unwrap_or_default();
                    sqlx::query(
                        "INSERT INTO approval.delegation
                                (tenant, delegation_id, from_person, to_person, ends_ms, sequence, delegated)
                         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, delegation_id) DO NOTHING",
                    )
                    .bind(record.tenant.as_str())
                    .bind(&record.id)
                    .bind(from)
                    .bind(&delegated.to)
                    .bind(ends)
                    .bind(i64::try_from(record.sequence).unwrap_or(i64::MAX))
                    .bind(delegated.encode_to_vec())
                    .execute(&mut *tx)
                    .await?;
                }
                Some(Event::Ended(_)) => {
                    sqlx::query("UPDATE approval.delegation SET ended = true WHERE tenant = $1 AND delegation_id = $2")
                        .bind(record.tenant.as_str())
                        .bind(&record.id)
                        .execute(&mut *tx)
                        .await?;
                }
                None => {}
            }
        }
        Ok(())
    }
}
