//! `NotificationRoute`: who is told about what, and when not.

use crate::pb::inventory::v1::{NotificationRouteSpec, notification_route_spec::Channel};

use super::TenantInventory;
use super::validate::{Finding, shorten, text};

const MAX_RECIPIENTS: usize = 50;

pub(super) fn validate_route(found: &mut Finding, spec: &NotificationRouteSpec, _others: &TenantInventory) {
    text(found, "spec.description", &spec.description);
    for pattern in &spec.events {
        let body = pattern.strip_suffix('*').unwrap_or(pattern);
        if pattern.len() > 64 || !body.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'_')) {
            found.fault(
                "spec.events",
                "message kinds",
                pattern,
                "like rpo.breached or request.*",
                "see docs/notifications.md for the kinds",
            );
        }
    }
    match &spec.channel {
        Some(Channel::Email(email)) => {
            if email.to.is_empty() || email.to.len() > MAX_RECIPIENTS {
                found.fault(
                    "spec.email.to",
                    "an e-mail route has recipients",
                    email.to.len().to_string(),
                    format!("1 to {MAX_RECIPIENTS}"),
                    "list the addresses",
                );
            }
            for address in email.to.iter().filter(|address| !is_address(address)) {
                found.fault("spec.email.to", "mail addresses", address, "name@example.org", "correct the address");
            }
        }
        Some(Channel::Webhook(webhook)) => {
            if !(webhook.url.starts_with("https://")
                || webhook.url.starts_with("http://127.0.0.1")
                || webhook.url.starts_with("http://localhost"))
                || webhook.url.len() > 2_000
                || webhook.url.contains(['@', ' ', '\n'])
            {
                found.fault(
                    "spec.webhook.url",
                    "webhooks go over https and carry no credentials in the address",
                    shorten(&webhook.url),
                    "https://…",
                    "correct the address",
                );
            }
            super::validate_resource::secret_ref(found, "spec.webhook.secretRef", &webhook.secret_ref);
        }
        Some(Channel::Slack(_) | Channel::Teams(_) | Channel::Pagerduty(_) | Channel::GdsNotification(_)) => {}
        None => found.fault("spec", "a route has a channel", "absent", "email or webhook", "add one of them"),
    }
}

pub(super) fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let plain = |text: &str| {
        !text.is_empty()
            && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"'))
    };
    address.len() <= 254 && plain(local) && plain(domain) && !local.contains('@')
}
