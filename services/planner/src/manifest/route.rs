//! `kind: NotificationRoute`: who is told about what.

use muster_domain::pb::inventory::v1::{
    EmailChannel, NotificationRouteSpec, WebhookChannel, notification_route_spec::Channel,
};

use super::{
    fields::Fields,
    resource::{ENVIRONMENTS, TIERS},
};

pub(super) fn read(mut fields: Fields<'_, '_>) -> NotificationRouteSpec {
    let email = fields.block("email").map(email);
    let webhook = fields.block("webhook").map(webhook);
    if email.is_some() && webhook.is_some() {
        let (field, at) = (fields.field("webhook"), fields.at);
        fields.faults.add(
            at,
            &field,
            "a route has one channel",
            "email and webhook",
            "one of them",
            "declare a second route for the other",
        );
    }
    let spec = NotificationRouteSpec {
        description: fields.text("description"),
        tiers: fields.choices("tiers", TIERS).into_iter().map(i32::from).collect(),
        environments: fields.choices("environments", ENVIRONMENTS).into_iter().map(i32::from).collect(),
        events: fields.texts("events"),
        production_on_call: fields.flag("productionOnCall"),
        channel: email.or(webhook),
    };
    fields.finish();
    spec
}

fn email(mut fields: Fields<'_, '_>) -> Channel {
    let channel = EmailChannel { to: fields.texts("to") };
    fields.finish();
    Channel::Email(channel)
}

fn webhook(mut fields: Fields<'_, '_>) -> Channel {
    let channel = WebhookChannel { url: fields.text("url"), secret_ref: fields.text("secretRef") };
    fields.finish();
    Channel::Webhook(channel)
}
