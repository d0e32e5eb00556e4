//! The channel of a route: what would never arrive is refused when it is declared, not when somebody should be woken.

use crate::delivery::recipient;
use crate::pb::inventory::v1::{
    EmailChannel, GdsNotificationChannel, NotificationRouteSpec, PagerdutyChannel, SlackChannel, TeamsChannel,
    WebhookChannel, notification_route_spec::Channel,
};

use super::validate::{Finding, shorten, text};
use super::validate_resource::secret_ref;

const MAX_RECIPIENTS: usize = 50;
const MAX_NUMBERED: usize = 1_000;
const REGIONS: [&str; 3] = ["", "us", "eu"];

pub(super) fn channel(found: &mut Finding, spec: &NotificationRouteSpec) {
    match &spec.channel {
        Some(Channel::Email(channel)) => email(found, channel),
        Some(Channel::Webhook(channel)) => webhook(found, channel),
        Some(Channel::Slack(channel)) => slack(found, channel),
        Some(Channel::Teams(channel)) => teams(found, channel),
        Some(Channel::Pagerduty(channel)) => pagerduty(found, channel),
        Some(Channel::GdsNotification(channel)) => gds_notification(found, channel),
        None => found.fault(
            "spec",
            "a route has a channel",
            "absent",
            "email, webhook, slack, teams, pagerduty or gdsNotification",
            "add one of them",
        ),
    }
}

fn email(found: &mut Finding, channel: &EmailChannel) {
    if channel.to.is_empty() || channel.to.len() > MAX_RECIPIENTS {
        found.fault(
            "spec.email.to",
            "an e-mail route has recipients",
            channel.to.len().to_string(),
            format!("1 to {MAX_RECIPIENTS}"),
            "list the addresses",
        );
    }
    for address in channel.to.iter().filter(|address| !is_address(address)) {
        found.fault("spec.email.to", "mail addresses", address, "name@example.org", "correct the address");
    }
}

fn webhook(found: &mut Finding, channel: &WebhookChannel) {
    address(found, "spec.webhook.url", &channel.url);
    secret_ref(found, "spec.webhook.secretRef", &channel.secret_ref);
}

fn slack(found: &mut Finding, channel: &SlackChannel) {
    if recipient::slack(&channel.channel).is_none() {
        found.fault(
            "spec.slack.channel",
            "a channel is named by its id, which stays when it is renamed",
            shorten(&channel.channel),
            "like C0123ABCD",
            "copy the id from the channel's details in Slack",
        );
    }
    secret_ref(found, "spec.slack.tokenRef", &channel.token_ref);
    if !channel.signing_secret_ref.is_empty() {
        secret_ref(found, "spec.slack.signingSecretRef", &channel.signing_secret_ref);
    }
    optional_address(found, "spec.slack.apiUrl", &channel.api_url);
}

fn teams(found: &mut Finding, channel: &TeamsChannel) {
    secret_ref(found, "spec.teams.urlRef", &channel.url_ref);
}

fn pagerduty(found: &mut Finding, channel: &PagerdutyChannel) {
    secret_ref(found, "spec.pagerduty.routingKeyRef", &channel.routing_key_ref);
    if !channel.webhook_secret_ref.is_empty() {
        secret_ref(found, "spec.pagerduty.webhookSecretRef", &channel.webhook_secret_ref);
    }
    if !REGIONS.contains(&channel.region.as_str()) {
        found.fault(
            "spec.pagerduty.region",
            "the regions of PagerDuty",
            shorten(&channel.region),
            "us or eu",
            "use one of these, or leave it out for us",
        );
    }
    optional_address(found, "spec.pagerduty.eventsUrl", &channel.events_url);
}

fn gds_notification(found: &mut Finding, channel: &GdsNotificationChannel) {
    address(found, "spec.gdsNotification.url", &channel.url);
    secret_ref(found, "spec.gdsNotification.secretRef", &channel.secret_ref);
    let known = GdsNotificationChannel { url: "https://gds.example".into(), ..channel.clone() };
    if recipient::gds_notification(&known).is_none() {
        found.fault(
            "spec.gdsNotification.alertName",
            "the receiver chooses the people by the alert's name",
            shorten(&channel.alert_name),
            "1 to 200 characters",
            "write the name that the receiver knows",
        );
    }
    for (field, name) in [
        ("spec.gdsNotification.signatureHeader", &channel.signature_header),
        ("spec.gdsNotification.timestampHeader", &channel.timestamp_header),
    ] {
        if !name.is_empty() && !is_own_header(name) {
            found.fault(field, "a header of the signature's own", shorten(name), "like X-GDS-Signature", "rename it");
        }
    }
    if channel.db_instance_ids.len() > MAX_NUMBERED {
        found.fault(
            "spec.gdsNotification.dbInstanceIds",
            "the receiver numbers its databases",
            channel.db_instance_ids.len().to_string(),
            format!("at most {MAX_NUMBERED}"),
            "make another route for the others",
        );
    }
    for resource in channel.db_instance_ids.keys() {
        text(found, "spec.gdsNotification.dbInstanceIds", resource);
    }
}

/// Not one that HTTP itself needs.
fn is_own_header(name: &str) -> bool {
    name.len() <= 64
        && name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"))
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn optional_address(found: &mut Finding, field: &str, url: &str) {
    if !url.is_empty() {
        address(found, field, url);
    }
}

fn address(found: &mut Finding, field: &str, url: &str) {
    let identity = recipient::webhook(url).map(|recipient| recipient.identity);
    let is_here = |identity: &String| {
        ["web:127.0.0.1:", "web:localhost:", "web:[::1]:"].iter().any(|start| identity.starts_with(start))
    };
    if !identity.is_some_and(|identity| url.trim().to_ascii_lowercase().starts_with("https://") || is_here(&identity)) {
        found.fault(
            field,
            "messages go over https and carry no credentials in the address",
            shorten(url),
            "https://…",
            "correct the address",
        );
    }
}

fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let plain = |text: &str| {
        !text.is_empty()
            && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"'))
    };
    address.len() <= 254 && plain(local) && plain(domain) && !local.contains('@')
}

#[cfg(test)]
#[path = "validate_channel_tests.rs"]
mod tests;
