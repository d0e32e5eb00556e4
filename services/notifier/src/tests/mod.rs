//! The whole service on a real log and a real database; only the far sides are played.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test panics to fail, and makes its own ids and times"
)]

mod approvals;
mod asked;
mod chat;
mod crash;
mod crash_between;
mod escalation;
mod far_side;
mod flow;
#[path = "../../../approval/tests/it/issuer.rs"]
#[expect(dead_code, reason = "what these tests do not need of it")]
mod issuer;
mod order;
mod other_way;
mod pager;
mod seen_now;
mod silence;
mod stage;
mod storm;

use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::common::v1::{Environment, Tier};
use muster_domain::pb::inventory::v1::{
    EmailChannel, NotificationRouteSpec, WebhookChannel, notification_route_spec::Channel,
};
use muster_domain::pb::readiness::v1::{
    AlertKind, AlertOpened, AlertResolved, ReadinessEvent, Severity, readiness_event::Event,
};

fn mail_route(to: &[&str]) -> NotificationRouteSpec {
    let channel = Some(Channel::Email(EmailChannel { to: to.iter().map(|t| (*t).to_owned()).collect() }));
    NotificationRouteSpec { channel, ..NotificationRouteSpec::default() }
}

fn hook_route(url: &str) -> NotificationRouteSpec {
    let channel = Some(Channel::Webhook(WebhookChannel { url: url.to_owned(), secret_ref: "file:hook".to_owned() }));
    NotificationRouteSpec { channel, ..NotificationRouteSpec::default() }
}

fn alert_opened(alert: &str, environment: Environment) -> ReadinessEvent {
    ReadinessEvent {
        event: Some(Event::AlertOpened(AlertOpened {
            alert_id: alert.to_owned(),
            resource: "orders-db".to_owned(),
            kind: AlertKind::RpoBreach.into(),
            severity: Severity::Critical.into(),
            tier: Tier::Tier1.into(),
            environment: environment.into(),
            ..AlertOpened::default()
        })),
    }
}

fn alert_resolved(alert: &str) -> ReadinessEvent {
    ReadinessEvent {
        event: Some(Event::AlertResolved(AlertResolved {
            alert_id: alert.to_owned(),
            resource: "orders-db".to_owned(),
            kind: AlertKind::RpoBreach.into(),
            tier: Tier::Tier1.into(),
            environment: Environment::Production.into(),
            ..AlertResolved::default()
        })),
    }
}

fn ago(duration: SignedDuration) -> Timestamp {
    Timestamp::now() - duration
}
