//! The mail itself: headers that thread and identify, a text and an HTML part.
//!
//! Every header value passes `clip`, which makes one line of it, so nothing that people typed can add a header.

use std::time::SystemTime;

use lettre::address::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use muster_domain::delivery::language::{environment_in, labels, tier_in};
use muster_domain::delivery::message::{clip, environment_name, tier_name};
use muster_domain::delivery::{Failure, FailureCode};
use muster_domain::ids::derived_id;

use crate::channels::Attempt;

/// A word longer than a line cannot be folded, and lines over 998 characters are refused.
const MAX_HEADER_BYTES: usize = 200;

/// A mail ready for the relay.
pub(super) struct Mail {
    pub(super) sender: Address,
    pub(super) recipient: Address,
    pub(super) bytes: Vec<u8>,
}

/// Turns messages into mails.
pub(in crate::channels) struct Composer {
    templates: Environment<'static>,
}

impl Composer {
    pub(in crate::channels) fn new() -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        // Names decide the escaping: .html is escaped, .txt is not.
        templates.add_template("message.html", include_str!("templates/message.html"))?;
        templates.add_template("message.txt", include_str!("templates/message.txt"))?;
        Ok(Self { templates })
    }

    pub(super) fn compose(&self, attempt: &Attempt, from: &Mailbox) -> Result<Mail, Failure> {
        let message = &attempt.message;
        let recipient: Address = attempt.recipient.address.parse().map_err(|e| {
            Failure::new(FailureCode::BadAddress, format!("'{}' is no mail address: {e}", attempt.recipient.shown))
        })?;
        let body = MultiPart::alternative_plain_html(
            self.render("message.txt", attempt)?,
            self.render("message.html", attempt)?,
        );
        let domain = from.email.domain();
        let mut builder = lettre::Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, recipient.clone()))
            .date(SystemTime::from(message.occurred_at.max(attempt.now)))
            .subject(clip(&message.subject, MAX_HEADER_BYTES));
        builder = builder.message_id(Some(message_id(attempt, domain)));
        if let Some(root) = thread_root(attempt, domain).filter(|_| !message.opens_thread) {
            builder = builder.in_reply_to(root.clone()).references(root);
        }
        let headers = [
            // RFC 3834: keeps out-of-office answers away.
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("List-Id", format!("<{}.muster.{domain}>", attempt.tenant)),
            ("X-Muster-Tenant", attempt.tenant.to_string()),
            ("X-Muster-Event", message.kind.clone()),
            ("X-Muster-Request", message.request_id.clone()),
            ("X-Muster-Resource", message.resource.clone()),
            ("X-Muster-Tier", tier_name(message.tier).to_owned()),
            ("X-Muster-Environment", environment_name(message.environment).to_owned()),
            ("X-Muster-Attempt", attempt.number.to_string()),
            ("X-Muster-Possibly-Duplicate", if attempt.possibly_duplicate { "yes".into() } else { String::new() }),
        ];
        for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
            builder = builder
                .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), clip(&value, MAX_HEADER_BYTES)));
        }
        let mail = builder
            .multipart(body)
            .map_err(|e| Failure::new(FailureCode::Misconfigured, format!("the mail could not be built: {e}")))?;
        Ok(Mail { sender: from.email.clone(), recipient, bytes: mail.formatted() })
    }

    pub(in crate::channels) fn render(&self, template: &str, attempt: &Attempt) -> Result<String, Failure> {
        let broken =
            |e: minijinja::Error| Failure::new(FailureCode::Misconfigured, format!("template {template}: {e}"));
        let message = &attempt.message;
        let values = context! {
            message => Value::from(Serde(message)),
            tier => tier_in(&message.language, message.tier),
            environment => environment_in(&message.language, message.environment),
            l => Value::from(Serde(labels(&message.language))),
            occurred_at => format!("{:.0}", message.occurred_at),
            link => attempt.link.as_str(),
            tenant => attempt.tenant.as_str(),
            possibly_duplicate => attempt.possibly_duplicate,
        };
        self.templates.get_template(template).and_then(|t| t.render(values)).map_err(broken)
    }
}

/// Stable for (event, recipient): a second copy after an unknown outcome carries the same one, and many
/// receivers drop it for that. The message that opens a thread is the one the others refer to.
fn message_id(attempt: &Attempt, domain: &str) -> String {
    match thread_root(attempt, domain) {
        Some(root) if attempt.message.opens_thread => root,
        _ => format!("<{}@{domain}>", attempt.delivery_id),
    }
}

fn thread_root(attempt: &Attempt, domain: &str) -> Option<String> {
    let thread = attempt.message.thread()?;
    let parts = ["mail-thread", attempt.tenant.as_str(), &thread, &attempt.route, &attempt.recipient.shown];
    Some(format!("<{}@{domain}>", derived_id(&parts)))
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
