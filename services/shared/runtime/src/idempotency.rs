//! The same command sent twice is one event: its id follows from who sent what with which key.

use muster_domain::{Refusal, TenantId, ids::derived_id, refusal::field_refusal};
use uuid::Uuid;

use crate::Clock;

/// A UUID, a ticket number or a hash; more is a mistake.
pub const MAX_KEY: usize = 128;

/// The id of the event that a command appends. An empty key means: each sending is a new command.
pub fn event_id_for(
    clock: &Clock,
    tenant: &TenantId,
    actor_id: &str,
    method: &str,
    key: &str,
) -> Result<Uuid, Refusal> {
    if key.len() > MAX_KEY {
        return Err(field_refusal(
            "idempotency_key",
            "IDEMPOTENCY_KEY_TOO_LONG",
            "an idempotency key is short",
            format!("{} bytes", key.len()),
            format!("at most {MAX_KEY} bytes"),
            "use a UUID for each command and repeat it only when repeating the command",
        ));
    }
    if key.is_empty() {
        return Ok(clock.new_id());
    }
    Ok(derived_id(&["command", tenant.as_str(), actor_id, method, key]))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn same_key_same_id_only_for_the_same_sender_and_method() {
        let clock = Clock::system();
        let tenant: TenantId = "acme".parse().unwrap();
        let id = |actor: &str, method: &str, key: &str| event_id_for(&clock, &tenant, actor, method, key).unwrap();
        assert_eq!(id("i|a", "M", "k"), id("i|a", "M", "k"));
        assert_ne!(id("i|a", "M", "k"), id("i|b", "M", "k"));
        assert_ne!(id("i|a", "M", "k"), id("i|a", "N", "k"));
        assert_ne!(id("i|a", "M", ""), id("i|a", "M", ""));
        assert_eq!(event_id_for(&clock, &tenant, "a", "M", &"k".repeat(129)).unwrap_err().field, "idempotency_key");
    }
}
