//! What was given up, sent again by a person.

use muster_domain::ids::derived_id;
use muster_domain::pb::notification::v1::{RetryDeliveryRequest, RetryDeliveryResponse};
use muster_domain::refusal::field_refusal;
use muster_runtime::{Call, IntoStatus, refused, unavailable};
use tonic::Status;
use uuid::Uuid;

use crate::dead_letters::{RetryError, retry};
use crate::outbox::Outbox;

pub(super) async fn again(outbox: &Outbox, call: Call<RetryDeliveryRequest>) -> Result<RetryDeliveryResponse, Status> {
    let (ask, call) = call.split();
    let delivery: Uuid = ask.delivery_id.parse().map_err(|_| refused(&not_an_id(&ask.delivery_id)))?;
    let mut meta = call.meta(&ask.idempotency_key)?;
    if !ask.idempotency_key.is_empty() {
        // The same key on another delivery is another command.
        meta.event_id = derived_id(&["on", &delivery.to_string(), &meta.event_id.to_string()]);
    }
    match retry(outbox, &call.tenant, delivery, &meta).await {
        Ok(version) => Ok(RetryDeliveryResponse { version }),
        Err(RetryError::Refused(refusal)) => Err(refused(&refusal)),
        Err(RetryError::Log(error)) => Err(error.into_status()),
        Err(RetryError::Failed(error)) => {
            tracing::error!(%delivery, error, "a delivery could not be queued again");
            Err(unavailable("the queue of deliveries", "repeat the call with the same idempotency key"))
        }
    }
}

fn not_an_id(value: &str) -> muster_domain::Refusal {
    field_refusal(
        "delivery_id",
        "FIELD_INVALID",
        "one delivery is sent again",
        value.chars().take(80).collect::<String>(),
        "the id of a delivery",
        "use the id that `muster notify list --state gave-up` shows",
    )
}
