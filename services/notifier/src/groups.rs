//! Many deliveries told by one: joining a group, and what its message says when it goes out.
//!
//! A member says in the log which group tells it. A group that has claimed its first attempt is sealed: it tells exactly
//! the members whose entry in the log is before that claim. Who joins looks afterwards whether the group was sealed
//! before its own entry, and if so joins the next one. So nobody is left out, and nobody is told twice.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::alert_rule::severity_named;
use muster_domain::delivery::digest::{self, Member};
use muster_domain::delivery::grouping::Group;
use muster_domain::delivery::silence::{Because, Hold};
use muster_domain::delivery::{Decision, Delivery, Failure, FailureCode, Phase, state};
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{Decided, ReactError, wait_for};
use sqlx::Row;
use uuid::Uuid;

use crate::outbox::{Cause, Outbox};
use crate::parcel::Parcel;
use crate::projection;

/// The next group of the same kind, when one was already on its way.
const NEXT_LASTS: SignedDuration = SignedDuration::from_secs(10);
/// How long after quiet hours everything that they held has joined.
pub(crate) const QUIET_GATHERS: SignedDuration = SignedDuration::from_secs(3);
/// Groups that can be on their way while one message looks for its own. Each lasts seconds.
const MAX_SEALED: usize = 8;
/// Members whose names are read; a message holds fewer.
const MAX_NAMED: i64 = 500;
/// How long a group waits for the read model to show its members.
const WAIT_FOR_MEMBERS: Duration = Duration::from_secs(5);

impl Outbox {
    /// The delivery is told by the group, or by the next one if that is already on its way.
    pub(crate) async fn join(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        decision: &Decision,
        cause: Cause,
        mut group: Group,
    ) -> Result<(), ReactError> {
        for _ in 0..MAX_SEALED {
            self.open_group(tenant, parcel, decision, cause, &group).await?;
            let (id, into, now) = (parcel.delivery_id(), group.delivery_id, self.ctx.clock.now());
            let meta = self.meta(&format!("delivery.grouped {into}"), id, cause);
            let joined = self.change(tenant, id, &meta, |delivery| state::group(delivery, into, now)).await?;
            if joined.state.phase != Phase::Grouped || joined.state.grouped_into != into.to_string() {
                return Ok(());
            }
            if !self.was_sealed_before(tenant, into, joined.sequence).await? {
                return Ok(());
            }
            group = group.next(tenant.as_str(), NEXT_LASTS);
        }
        Err(ReactError::Unavailable("every group of this kind is already on its way".to_owned()))
    }

    /// Queues the group's own delivery, held until everybody has joined.
    async fn open_group(
        &self,
        tenant: &TenantId,
        member: &Parcel,
        decision: &Decision,
        cause: Cause,
        group: &Group,
    ) -> Result<(), ReactError> {
        let mut parcel = Parcel::new(&digest::envelope(group, &member.message), decision, cause.correlation);
        parcel.group = Some(group.clone());
        let phase = self.ctx.log.load::<Delivery>(tenant, &AggregateId::from(group.delivery_id)).await?.state.phase;
        // One that is held has its timer if this process set it; a crash may have come between the two.
        let opened = matches!(phase, Phase::Held) && self.has_opened(tenant, group.delivery_id);
        if opened || !matches!(phase, Phase::None | Phase::Queued | Phase::Held) {
            return Ok(());
        }
        self.queue(tenant, &parcel, decision, cause).await?;
        let hold = Hold { because: Because::QuietHours, rule: gathering(group), until: Some(group.until) };
        self.keep(tenant, parcel, &hold, cause).await?;
        self.opened(tenant, group.delivery_id);
        Ok(())
    }

    /// A delivery that says which group tells it, come across again: if that group had gone out before it joined, which a
    /// crash kept it from seeing, it is told by one of its own.
    pub(crate) async fn stay_in_group(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        decision: &Decision,
        cause: Cause,
        recorded: &Decided<Delivery>,
    ) -> Result<(), ReactError> {
        let Ok(into) = recorded.state.grouped_into.parse() else { return Ok(()) };
        if !self.was_sealed_before(tenant, into, recorded.sequence).await? {
            return Ok(());
        }
        let now = self.ctx.clock.now();
        let until = now.checked_add(NEXT_LASTS).unwrap_or(now);
        let to = (parcel.route.as_str(), parcel.recipient.as_str());
        let group = Group::of_many(tenant.as_str(), to, &parcel.message, now, until);
        self.join(tenant, parcel, decision, cause, group).await
    }

    /// Whether the group's first attempt was claimed before this place in the log.
    async fn was_sealed_before(&self, tenant: &TenantId, group: Uuid, joined: u64) -> Result<bool, ReactError> {
        let state = self.ctx.log.load::<Delivery>(tenant, &AggregateId::from(group)).await?.state;
        if state.attempts == 0 && !state.phase.is_final() {
            return Ok(false);
        }
        let mut tx = self.ctx.db.tenant_tx(tenant).await?;
        let row = sqlx::query(
            "SELECT claimed_sequence, finished_at_us FROM notifier.delivery WHERE tenant = $1 AND delivery_id = $2",
        )
        .bind(tenant.as_str())
        .bind(group.to_string())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        let Some(row) = row else { return Err(not_yet_seen()) };
        match row.try_get::<Option<i64>, _>("claimed_sequence")? {
            Some(claimed) => Ok(i64::try_from(joined).unwrap_or(i64::MAX) > claimed),
            // It ended without an attempt: it tells nobody.
            None if row.try_get::<Option<i64>, _>("finished_at_us")?.is_some() => Ok(true),
            None => Err(not_yet_seen()),
        }
    }

    /// How many members a group has, and the worst of them. Before its claim (`claimed` absent): those of now.
    pub(crate) async fn members(
        &self,
        tenant: &TenantId,
        group: &Group,
        claimed: Option<u64>,
    ) -> Result<(usize, Vec<Member>), Failure> {
        let behind = |error: String| {
            Failure::new(FailureCode::Misconfigured, format!("the members of this message cannot be read: {error}"))
        };
        let newest = match claimed {
            Some(claimed) => claimed,
            None => self.ctx.log.last_sequence(tenant).await.map_err(|error| behind(error.to_string()))?,
        };
        wait_for(&self.ctx.db, projection::NAME, tenant, newest, WAIT_FOR_MEMBERS)
            .await
            .map_err(|error| behind(error.to_string()))?;
        self.read_members(tenant, group).await.map_err(|error| behind(error.to_string()))
    }

    async fn read_members(&self, tenant: &TenantId, group: &Group) -> Result<(usize, Vec<Member>), sqlx::Error> {
        let mut tx = self.ctx.db.tenant_tx(tenant).await?;
        let rows = sqlx::query(
            "SELECT count(*) OVER () AS total, message_kind, subject, resource, severity FROM notifier.delivery
              WHERE tenant = $1 AND grouped_into = $2 AND grouped_sequence < coalesce(
                    (SELECT claimed_sequence FROM notifier.delivery WHERE tenant = $1 AND delivery_id = $2),
                    9223372036854775807)
              ORDER BY array_position(ARRAY['critical', 'warning', 'info'], severity), sequence LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(group.delivery_id.to_string())
        .bind(MAX_NAMED)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let total = match rows.first() {
            Some(row) => row.try_get::<i64, _>("total")?,
            None => 0,
        };
        let members = rows.iter().map(|row| {
            let severity: String = row.try_get("severity")?;
            Ok(Member {
                kind: row.try_get("message_kind")?,
                subject: row.try_get("subject")?,
                resource: row.try_get("resource")?,
                severity: severity_named(&severity),
            })
        });
        let members = members.collect::<Result<_, sqlx::Error>>()?;
        Ok((usize::try_from(total).unwrap_or(usize::MAX), members))
    }

    /// The group in which what quiet hours held is told; `None`: it is alone, and told as it is.
    pub(crate) async fn morning_after(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        ended: Timestamp,
    ) -> Result<Option<Group>, ReactError> {
        let mut tx = self.ctx.db.tenant_tx(tenant).await?;
        let row = sqlx::query(
            "SELECT count(*) AS held FROM notifier.delivery
              WHERE tenant = $1 AND route = $2 AND recipient = $3 AND held_until_us = $4",
        )
        .bind(tenant.as_str())
        .bind(&parcel.route)
        .bind(&parcel.recipient)
        .bind(ended.as_microsecond())
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        let to = (parcel.route.as_str(), parcel.recipient.as_str());
        let group = || Group::of_quiet(tenant.as_str(), to, &parcel.message, ended, QUIET_GATHERS);
        Ok((row.try_get::<i64, _>("held")? > 1).then(group))
    }
}

fn gathering(group: &Group) -> String {
    if group.quiet { "many at once: what quiet hours held".to_owned() } else { "many at once".to_owned() }
}

fn not_yet_seen() -> ReactError {
    ReactError::Unavailable("the read model does not show yet what became of a group".to_owned())
}
