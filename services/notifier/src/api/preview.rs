//! What a message would look like. Sends nothing.

use std::sync::Arc;

use muster_domain::Refusal;
use muster_domain::delivery::message::kind;
use muster_domain::delivery::recipient::{self, Recipient, SecretMark};
use muster_domain::delivery::routing::{CHANNELS, EMAIL, GDS_NOTIFICATION, PAGERDUTY, SLACK, TEAMS, WEBHOOK};
use muster_domain::delivery::sample::sample;
use muster_domain::delivery::{Failure, FailureCode};
use muster_domain::pb::inventory::v1::{
    EmailChannel, GdsNotificationChannel, PagerdutyChannel, SlackChannel, TeamsChannel, WebhookChannel,
    notification_route_spec::Channel as Declared,
};
use muster_domain::pb::notification::v1::{PreviewMessageRequest, PreviewMessageResponse};
use muster_domain::refusal::field_refusal;
use muster_runtime::{Call, refused};
use tonic::Status;

use crate::channels::{self, Attempt};
use crate::outbox::Outbox;
use crate::templates::{Dressed, Template, dress, dress_in};

/// Who a preview is shown to: nobody.
const NOBODY: &str = "you@example.org";

pub(super) fn preview(outbox: &Outbox, call: Call<PreviewMessageRequest>) -> Result<PreviewMessageResponse, Status> {
    let (ask, call) = call.split();
    let channel = if ask.channel.is_empty() { EMAIL } else { ask.channel.as_str() };
    one_of("message_kind", "kinds of message", &ask.message_kind, kind::ALL)?;
    one_of("channel", "channels", channel, &CHANNELS)?;
    let mut message = sample(call.tenant.as_str(), &ask.message_kind, call.now);
    let public = outbox.ctx.config.server.public_url.trim_end_matches('/');
    let link = format!("{public}{}", message.console_path());
    let dressed = match ask.template {
        // The one that is tried, whatever it says it is for.
        Some(spec) => {
            let language = if ask.language.is_empty() { spec.language.clone() } else { ask.language.clone() };
            dress_in(&message, &language, Some(Template { name: "the given one".to_owned(), spec }), &link)
        }
        None => {
            message.language.clone_from(&ask.language);
            dress(&outbox.routes, &call.tenant, "", channel, &message, &link)
        }
    };
    if let Some(trouble) = dressed.trouble {
        return Err(refused(&broken(&trouble)));
    }
    shown(&call, channel, dressed, link)
}

fn shown(call: &Call<()>, channel: &str, dressed: Dressed, link: String) -> Result<PreviewMessageResponse, Status> {
    let failed = |error: String| refused(&broken(&error));
    let (declared, recipient) = example(channel).ok_or_else(|| failed("no recipient".to_owned()))?;
    let attempt = Attempt {
        tenant: call.tenant.clone(),
        delivery_id: dressed.message.event_id,
        recipient,
        message: dressed.message,
        route: "preview".to_owned(),
        secret_ref: String::new(),
        declared: Arc::new(declared),
        link,
        number: 1,
        possibly_duplicate: false,
        buttons: Vec::new(),
        now: call.now,
    };
    let (text, html) = channels::email::preview(&attempt).map_err(|error| failed(error.to_string()))?;
    let payload = payload(channel, &attempt).map_err(|error| failed(error.to_string()))?;
    // A page with the mail's looks would be wrong for the others.
    let html = if channel == EMAIL { html } else { String::new() };
    Ok(PreviewMessageResponse { subject: attempt.message.subject, text, html, payload, template: dressed.template })
}

/// What the channel would send, to the byte or as people read it. No secret is read for it: where the body has a place
/// for one, a word stands there. A mail is its text and its page.
fn payload(channel: &str, attempt: &Attempt) -> Result<String, Failure> {
    match channel {
        WEBHOOK => channels::webhook::preview(attempt)
            .map_err(|error| Failure::new(FailureCode::Misconfigured, error.to_string())),
        SLACK => Ok(channels::slack::preview(attempt)),
        TEAMS => Ok(channels::teams::preview(attempt)),
        PAGERDUTY => Ok(channels::pagerduty::preview(attempt)),
        GDS_NOTIFICATION => channels::gds_notification::preview(attempt),
        _ => Ok(String::new()),
    }
}

/// A route that nobody has declared, and who is behind it: nobody.
fn example(channel: &str) -> Option<(Declared, Recipient)> {
    const URL: &str = "https://example.org/muster";
    const REFERENCE: &str = "file:example";
    const CHANNEL: &str = "C0EXAMPLE";
    let declared = match channel {
        WEBHOOK => Declared::Webhook(WebhookChannel { url: URL.to_owned(), ..WebhookChannel::default() }),
        SLACK => Declared::Slack(SlackChannel { channel: CHANNEL.to_owned(), ..SlackChannel::default() }),
        TEAMS => Declared::Teams(TeamsChannel { url_ref: REFERENCE.to_owned() }),
        PAGERDUTY => Declared::Pagerduty(PagerdutyChannel::default()),
        GDS_NOTIFICATION => Declared::GdsNotification(GdsNotificationChannel {
            url: URL.to_owned(),
            alert_name: "Muster".to_owned(),
            ..GdsNotificationChannel::default()
        }),
        _ => Declared::Email(EmailChannel::default()),
    };
    let recipient = match &declared {
        Declared::Webhook(_) => recipient::webhook(URL),
        Declared::Slack(_) => recipient::slack(CHANNEL),
        Declared::Teams(_) => recipient::teams(REFERENCE, SecretMark::Unknown),
        Declared::Pagerduty(_) => recipient::pagerduty(REFERENCE, SecretMark::Unknown),
        Declared::GdsNotification(gds) => recipient::gds_notification(gds),
        Declared::Email(_) => recipient::email(NOBODY),
    };
    recipient.map(|recipient| (declared, recipient))
}

fn one_of(field: &str, what: &str, value: &str, known: &[&str]) -> Result<(), Status> {
    if known.contains(&value) {
        return Ok(());
    }
    let value: String = value.chars().take(80).collect();
    Err(refused(&field_refusal(field, "FIELD_INVALID", what, value, known.join(", "), "use one of these")))
}

fn broken(trouble: &str) -> Refusal {
    field_refusal(
        "template",
        "TEMPLATE_BROKEN",
        "a template works with an example of its kind",
        trouble,
        "the names, tags and filters in docs/notifications.md",
        "correct the template",
    )
}
