//! `kind: NotificationRoute`: who is told about what, and when not.

use muster_domain::pb::inventory::v1::{
    EmailChannel, GdsNotificationChannel, Grouping, NotificationRouteSpec, PagerdutyChannel, SlackChannel,
    TeamsChannel, WebhookChannel, notification_route_spec::Channel,
};

use super::{
    alert,
    fault::Faults,
    fields::Fields,
    resource::{ENVIRONMENTS, TIERS},
};

/// A route has one channel: more would hide which of them failed.
pub(super) const CHANNELS: [&str; 6] = ["email", "webhook", "slack", "teams", "pagerduty", "gdsNotification"];

pub(super) fn read(mut fields: Fields<'_, '_>) -> NotificationRouteSpec {
    let channel = fields.one_of(&CHANNELS, "a route has one channel");
    let channel = channel.and_then(|key| read_channel(key, &mut fields));
    let spec = NotificationRouteSpec {
        description: fields.text("description"),
        tiers: fields.choices("tiers", TIERS).into_iter().map(i32::from).collect(),
        environments: fields.choices("environments", ENVIRONMENTS).into_iter().map(i32::from).collect(),
        events: fields.texts("events"),
        production_on_call: fields.flag("productionOnCall"),
        severities: fields.texts("severities"),
        groups: fields.texts("groups"),
        owners: fields.texts("owners"),
        quiet_hours: fields.list("quietHours", alert::window),
        blackouts: fields.list("blackouts", alert::window),
        grouping: fields.block("grouping").map(grouping),
        fallback_after: fields.duration("fallbackAfter"),
        fallback_route: fields.text("fallbackRoute"),
        language: fields.text("language"),
        channel,
    };
    fields.finish();
    spec
}

fn read_channel(key: &'static str, fields: &mut Fields<'_, '_>) -> Option<Channel> {
    let mut block = fields.block(key)?;
    let channel = match key {
        "email" => Channel::Email(EmailChannel { to: block.texts("to") }),
        "webhook" => Channel::Webhook(WebhookChannel { url: block.text("url"), secret_ref: block.text("secretRef") }),
        "slack" => Channel::Slack(SlackChannel {
            channel: block.text("channel"),
            token_ref: block.text("tokenRef"),
            api_url: block.text("apiUrl"),
            signing_secret_ref: block.text("signingSecretRef"),
        }),
        "teams" => Channel::Teams(TeamsChannel { url_ref: block.text("urlRef") }),
        "pagerduty" => Channel::Pagerduty(PagerdutyChannel {
            routing_key_ref: block.text("routingKeyRef"),
            region: block.text("region"),
            events_url: block.text("eventsUrl"),
            webhook_secret_ref: block.text("webhookSecretRef"),
        }),
        _ => Channel::GdsNotification(GdsNotificationChannel {
            url: block.text("url"),
            secret_ref: block.text("secretRef"),
            alert_name: block.text("alertName"),
            db_instance_ids: numbers(&mut block),
            signature_header: block.text("signatureHeader"),
            timestamp_header: block.text("timestampHeader"),
        }),
    };
    block.finish();
    Some(channel)
}

fn numbers(block: &mut Fields<'_, '_>) -> std::collections::HashMap<String, i64> {
    let (field, at, faults): (String, _, &Faults) = (block.field("dbInstanceIds"), block.at, block.faults);
    let mut read = std::collections::HashMap::new();
    for (resource, number) in block.texts_by_key("dbInstanceIds") {
        match number.parse() {
            Ok(number) => {
                read.insert(resource, number);
            }
            Err(_) => faults.add(
                at,
                &format!("{field}.{resource}"),
                "the receiver numbers its databases",
                &number,
                "a whole number",
                "look the number up at the receiver",
            ),
        }
    }
    read
}

fn grouping(mut fields: Fields<'_, '_>) -> Grouping {
    let grouping = Grouping {
        more_than: fields.whole("moreThan").unwrap_or_default(),
        window: fields.duration("window"),
        flaps: fields.whole("flaps").unwrap_or_default(),
    };
    fields.finish();
    grouping
}
