//! What a message would look like. Sends nothing.

use std::sync::Arc;

use muster_domain::Refusal;
use muster_domain::delivery::message::kind;
use muster_domain::delivery::recipient::email;
use muster_domain::delivery::routing::{CHANNELS, EMAIL, WEBHOOK};
use muster_domain::delivery::sample::sample;
use muster_domain::pb::inventory::v1::{EmailChannel, notification_route_spec::Channel as Declared};
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
    let attempt = Attempt {
        tenant: call.tenant.clone(),
        delivery_id: dressed.message.event_id,
        recipient: email(NOBODY).ok_or_else(|| failed("no recipient".to_owned()))?,
        message: dressed.message,
        route: "preview".to_owned(),
        secret_ref: String::new(),
        declared: Arc::new(Declared::Email(EmailChannel::default())),
        link,
        number: 1,
        possibly_duplicate: false,
        buttons: Vec::new(),
        now: call.now,
    };
    let (text, html) = channels::email::preview(&attempt).map_err(|error| failed(error.to_string()))?;
    let payload = match channel {
        WEBHOOK => channels::webhook::preview(&attempt).map_err(|error| failed(error.to_string()))?,
        _ => String::new(),
    };
    // A page with the mail's looks would be wrong for the others.
    let html = if channel == EMAIL { html } else { String::new() };
    Ok(PreviewMessageResponse { subject: attempt.message.subject, text, html, payload, template: dressed.template })
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
