//! Delegations: begun and ended by people, found when somebody decides for another, listed from the read model.

use std::time::Duration;

use jiff::Timestamp;
use muster_domain::{
    AggregateId, Refusal, TenantId,
    ids::derived_id,
    pb::request::v1::{
        DelegateRequest, DelegateResponse, Delegated, EndDelegationRequest, EndDelegationResponse,
        ListDelegationsRequest, ListDelegationsResponse,
    },
    refusal::field_refusal,
    request::{self, Delegate, Delegation},
    time::from_pb,
};
use muster_eventlog::{DecideError, wait_for};
use muster_runtime::{Call, IntoStatus, page, page::Page};
use prost::Message;
use sqlx::Row;
use tonic::Status;

use crate::{Approval, delegation_rows};

/// How long a change waits until the read model shows it: a deputy who is told about it can decide at once.
const WAIT_FOR_VERSION: Duration = Duration::from_secs(5);

impl Approval {
    pub(crate) async fn delegate(&self, call: Call<DelegateRequest>) -> Result<DelegateResponse, Status> {
        let (ask, call) = call.split();
        let meta = call.meta(&ask.idempotency_key)?;
        let id = AggregateId::from(match ask.idempotency_key.as_str() {
            "" => self.ctx.clock.new_id(),
            key => derived_id(&["delegation", call.tenant.as_str(), &call.actor.id, key]),
        });
        let open = self.open_delegations(&call.tenant, &call.actor.id, "", call.now).await?.len();
        let role = ask.role();
        let command = Delegate {
            delegation_id: id.as_str(),
            to: &ask.to,
            to_name: &ask.to_name,
            role,
            starts: from_pb(ask.starts.as_ref()),
            ends: from_pb(ask.ends.as_ref()),
            reason: &ask.reason,
        };
        let decide = |delegation: &Delegation| request::delegate(delegation, &command, open, &call.actor, call.now);
        let decided = self.ctx.log.decide::<Delegation, Refusal>(&call.tenant, &id, &meta, decide).await;
        let decided = match decided {
            Ok(decided) => decided,
            Err(DecideError::Refused(refusal)) => return Err(self.refuse(&call, refusal, "", &id).await),
            Err(error) => return Err(error.into_status()),
        };
        self.shown(&call.tenant, decided.sequence).await;
        Ok(DelegateResponse { delegation: decided.state.delegated, version: decided.sequence })
    }

    pub(crate) async fn end_delegation(
        &self,
        call: Call<EndDelegationRequest>,
    ) -> Result<EndDelegationResponse, Status> {
        let (ask, call) = call.split();
        let id: AggregateId = ask.delegation_id.parse().map_err(|_| {
            muster_runtime::refused(&field_refusal(
                "delegation_id",
                "FIELD_INVALID",
                "the end of a delegation names it",
                ask.delegation_id.chars().take(80).collect::<String>(),
                "the id of a delegation",
                "use the id that `muster delegate list` shows",
            ))
        })?;
        let mut meta = call.meta(&ask.idempotency_key)?;
        if !ask.idempotency_key.is_empty() {
            // The same key on another delegation is another command.
            meta.event_id = derived_id(&["on", id.as_str(), &meta.event_id.to_string()]);
        }
        let decide = |delegation: &Delegation| request::end_delegation(delegation, &call.actor, call.now);
        match self.ctx.log.decide::<Delegation, Refusal>(&call.tenant, &id, &meta, decide).await {
            Ok(decided) => {
                self.shown(&call.tenant, decided.sequence).await;
                Ok(EndDelegationResponse { version: decided.sequence })
            }
            Err(DecideError::Refused(refusal)) => Err(self.refuse(&call, refusal, "", &id).await),
            Err(error) => Err(error.into_status()),
        }
    }

    /// The delegation by which this caller decides for that person now. The read model says which to look at, the log
    /// what holds. One that does not hold is handed on: the decision refuses it.
    pub(crate) async fn delegation(&self, call: &Call<()>, away: &str) -> Result<Option<Delegation>, Status> {
        if away.is_empty() {
            return Ok(None);
        }
        let mut found = Delegation::default();
        for delegated in self.open_delegations(&call.tenant, away, &call.actor.id, call.now).await? {
            let Ok(id) = delegated.delegation_id.parse::<AggregateId>() else { continue };
            let loaded = self.ctx.log.load::<Delegation>(&call.tenant, &id).await.map_err(IntoStatus::into_status)?;
            if loaded.state.held_at(call.now) {
                return Ok(Some(loaded.state));
            }
            found = loaded.state;
        }
        Ok(Some(found))
    }

    /// Delegations of one person that hold now or will, as the read model has them. Empty `to`: to anybody.
    async fn open_delegations(
        &self,
        tenant: &TenantId,
        from: &str,
        to: &str,
        now: Timestamp,
    ) -> Result<Vec<Delegated>, Status> {
        let rows = async {
            let mut tx = self.ctx.db.tenant_tx(tenant).await?;
            let rows = sqlx::query(
                "SELECT delegated FROM approval.delegation
                  WHERE tenant = $1 AND from_person = $2 AND ($3 = '' OR to_person = $3) AND NOT ended AND ends_ms > $4
                  ORDER BY sequence LIMIT 100",
            )
            .bind(tenant.as_str())
            .bind(from)
            .bind(to)
            .bind(now.as_millisecond())
            .fetch_all(&mut *tx)
            .await?;
            tx.commit().await?;
            rows.iter().map(delegated).collect::<Result<Vec<_>, sqlx::Error>>()
        };
        rows.await.map_err(IntoStatus::into_status)
    }

    /// Waits until the read model has it. A read model that falls behind holds up nobody who is told so later anyway.
    async fn shown(&self, tenant: &TenantId, sequence: u64) {
        if let Err(error) = wait_for(&self.ctx.db, delegation_rows::NAME, tenant, sequence, WAIT_FOR_VERSION).await {
            tracing::warn!(%tenant, sequence, %error, "the list of delegations does not show the newest one yet");
        }
    }

    pub(crate) async fn list_delegations(
        &self,
        call: Call<ListDelegationsRequest>,
    ) -> Result<ListDelegationsResponse, Status> {
        let (ask, call) = call.split();
        let list = format!("delegations:{}", call.tenant);
        let page = page::parse::<i64>(ask.page.as_ref(), &list).map_err(IntoStatus::into_status)?;
        if ask.min_version > 0 {
            wait_for(&self.ctx.db, delegation_rows::NAME, &call.tenant, ask.min_version, WAIT_FOR_VERSION)
                .await
                .map_err(IntoStatus::into_status)?;
        }
        let mut rows = self.page_of(&call.tenant, call.now, &page).await.map_err(IntoStatus::into_status)?;
        let next = page::finish(page.size, &list, &mut rows, |(sequence, _)| *sequence);
        Ok(ListDelegationsResponse {
            delegations: rows.into_iter().map(|(_, delegated)| delegated).collect(),
            page: Some(next),
        })
    }

    async fn page_of(
        &self,
        tenant: &TenantId,
        now: Timestamp,
        page: &Page<i64>,
    ) -> Result<Vec<(i64, Delegated)>, sqlx::Error> {
        let mut tx = self.ctx.db.tenant_tx(tenant).await?;
        let rows = sqlx::query(
            "SELECT sequence, delegated FROM approval.delegation
              WHERE tenant = $1 AND NOT ended AND ends_ms > $2 AND ($3::bigint IS NULL OR sequence < $3)
              ORDER BY sequence DESC LIMIT $4",
        )
        .bind(tenant.as_str())
        .bind(now.as_millisecond())
        .bind(page.after)
        .bind(i64::from(page.size) + 1)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        rows.iter().map(|row| Ok((row.try_get("sequence")?, delegated(row)?))).collect()
    }
}

fn delegated(row: &sqlx::postgres::PgRow) -> Result<Delegated, sqlx::Error> {
    let bytes: Vec<u8> = row.try_get("delegated")?;
    Delegated::decode(bytes.as_slice()).map_err(|error| sqlx::Error::Decode(error.into()))
}
