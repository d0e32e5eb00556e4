//! What a delivery's timer carries: everything an attempt needs, so that it can be made by any instance.
//!
//! No secret and no URL with its query is in it; both are looked up in the route when the attempt is made.

use muster_domain::TenantId;
use muster_domain::delivery::grouping::Group;
use muster_domain::delivery::{Decision, Message, delivery_id};
use muster_eventlog::{ReactError, TimerKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::lanes::Lane;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) message: Message,
    pub(crate) route: String,
    /// As recorded, see `Recipient::shown`.
    pub(crate) recipient: String,
    /// How it goes out, as the route was when it was queued.
    pub(crate) channel: String,
    pub(crate) correlation: Uuid,
    /// It was held: whether it may go out is asked again.
    #[serde(default)]
    pub(crate) held: bool,
    /// It tells many others, which are looked up when it goes out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<Group>,
}

impl Parcel {
    pub(crate) fn new(message: &Message, decision: &Decision, correlation: Uuid) -> Self {
        Self {
            message: message.clone(),
            route: decision.route.clone(),
            recipient: decision.recipient.shown.clone(),
            channel: decision.channel.to_owned(),
            correlation,
            held: false,
            group: None,
        }
    }

    /// As a timer carries it.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, ReactError> {
        serde_json::to_vec(self).map_err(|e| ReactError::Failed(format!("the message cannot be kept: {e}")))
    }

    pub(crate) fn delivery_id(&self) -> Uuid {
        delivery_id(&self.message.tenant, self.message.event_id, &self.route, &self.recipient)
    }

    pub(crate) fn lane(&self) -> Lane {
        Lane::of(&self.message)
    }

    pub(crate) fn timer(&self, tenant: &TenantId) -> TimerKey {
        TimerKey {
            tenant: tenant.clone(),
            handler: self.lane().timers(&self.channel),
            key: self.delivery_id().to_string(),
        }
    }
}
