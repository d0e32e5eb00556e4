//! Messages for one person: each contact is a route of its own, which nothing takes but what is meant for that person.

use crate::pb::inventory::v1::{
    ContactSpec, Document, EmailChannel, Grouping, NotificationRouteSpec, SlackChannel,
    notification_route_spec::Channel,
};
use crate::time::from_pb;

use super::recipient::SecretMark;
use super::{Message, Route};

/// No declared route can have such a name: a colon is not in its alphabet.
const PREFIX: &str = "contact:";
/// Of the way to that person by chat.
const BY_CHAT: &str = ":slack";
/// No message is of this kind, so that no list ever matches.
const NOTHING: &str = "nothing-by-itself";
/// A message with somebody's own link is never counted into another one.
const NEVER_GROUPED: u32 = u32::MAX;

/// The name of a contact's route by e-mail: "contact:ingo".
pub fn mail_route(contact: &str) -> String {
    format!("{PREFIX}{contact}")
}

/// The name of a contact's route by chat: "contact:ingo:slack".
pub fn chat_route(contact: &str) -> String {
    format!("{PREFIX}{contact}{BY_CHAT}")
}

/// Whether a route is one person's.
pub fn is_personal_route(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Whether it is the way to one person by chat.
pub fn is_chat_route(name: &str) -> bool {
    is_personal_route(name) && name.ends_with(BY_CHAT)
}

/// Whether a message is for one person. It then goes to that person or to nobody.
pub fn is_personal(message: &Message) -> bool {
    message.only_routes.iter().any(|name| is_personal_route(name))
}

/// By e-mail. `None`: the contact has no address.
pub fn by_mail(document: &Document, contact: &ContactSpec) -> Option<Route> {
    let channel = Channel::Email(EmailChannel { to: vec![contact.email.clone()] });
    (!contact.email.is_empty()).then(|| route(mail_route(&document.name), document, contact, channel))
}

/// By a chat account (workspace, user) that the person has shown to be theirs, through the app of a declared route.
pub fn by_chat(document: &Document, contact: &ContactSpec, app: &SlackChannel, (team, user): (&str, &str)) -> Route {
    let channel = Channel::Slack(SlackChannel { channel: format!("{team}/{user}"), ..app.clone() });
    route(chat_route(&document.name), document, contact, channel)
}

fn route(name: String, document: &Document, contact: &ContactSpec, channel: Channel) -> Route {
    let spec = NotificationRouteSpec {
        events: vec![NOTHING.to_owned()],
        language: contact.language.clone(),
        grouping: Some(Grouping { more_than: NEVER_GROUPED, flaps: NEVER_GROUPED, ..Grouping::default() }),
        channel: Some(channel),
        ..NotificationRouteSpec::default()
    };
    Route {
        name,
        spec,
        version: document.version,
        declared_at: from_pb(document.declared_at.as_ref()),
        person: contact.person.clone(),
        mark: SecretMark::NotNeeded,
    }
}
