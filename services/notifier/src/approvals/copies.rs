//! The outcome in the place of the question: every message that asked this person, and that the far side took, is
//! changed. The buttons go, and what became of it is read where it was asked.
//!
//! The delivery of the outcome does it, so claim, outcome and retries are in the record as for any other. Changing a
//! message twice is the same as once.

use muster_domain::delivery::message::kind;
use muster_domain::delivery::{Failure, FailureCode};
use muster_domain::pb::notification::v1::DeliveryState;
use muster_runtime::Context;

use crate::channels::{Attempt, Channel, Receipt};

/// Messages that asked one person about one request: one for each stage of its escalation.
const MAX_COPIES: i64 = 16;

/// What the far side said to the last change. `None`: there is nothing that could be changed, and the outcome goes out as
/// a message of its own.
pub(crate) async fn change(
    ctx: &Context,
    channel: &dyn Channel,
    attempt: &Attempt,
) -> Result<Option<Receipt>, Failure> {
    if attempt.message.kind != kind::APPROVAL_OUTCOME || !channel.changes_messages() {
        return Ok(None);
    }
    let copies = taken(ctx, attempt).await.map_err(|error| {
        Failure::new(FailureCode::Unreachable, format!("the record of what was sent cannot be read: {error}"))
    })?;
    let (mut changed, mut last) = (0, None);
    for copy in &copies {
        match channel.update(attempt, copy).await {
            Ok(receipt) => (changed, last) = (changed + 1, Some(receipt)),
            // Taken away by somebody, or too old to be changed.
            Err(failure) if failure.code.is_permanent() => {
                tracing::info!(tenant = %attempt.tenant, delivery = %attempt.delivery_id, %failure, "a message cannot be changed");
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(last.map(|Receipt(said)| Receipt(if changed > 1 { format!("{changed} messages: {said}") } else { said })))
}

/// The receipts of the questions. An outcome goes after them (`crate::ends`), so none of them is on its way any more.
async fn taken(ctx: &Context, attempt: &Attempt) -> Result<Vec<Receipt>, sqlx::Error> {
    let mut tx = ctx.db.tenant_tx(&attempt.tenant).await?;
    let receipts: Vec<String> = sqlx::query_scalar(
        "SELECT receipt FROM notifier.delivery
          WHERE tenant = $1 AND request_id = $2 AND request_id <> '' AND route = $3 AND recipient = $4
            AND message_kind = $5 AND state = $6 ORDER BY sequence DESC LIMIT $7",
    )
    .bind(attempt.tenant.as_str())
    .bind(&attempt.message.request_id)
    .bind(&attempt.route)
    .bind(&attempt.recipient.shown)
    .bind(kind::APPROVAL_ASKED)
    .bind(i32::from(DeliveryState::Accepted))
    .bind(MAX_COPIES)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(receipts.into_iter().map(Receipt).collect())
}
