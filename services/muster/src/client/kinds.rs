//! The kinds of documents by the names people type: "resource", "resources", "Resource".

use muster_domain::inventory::kind_token;
use muster_domain::pb::inventory::v1::Kind;

use super::error::CliError;

const NAMES: &[(&str, Kind)] = &[
    ("tenant", Kind::Tenant),
    ("site", Kind::Site),
    ("resource", Kind::Resource),
    ("group", Kind::Group),
    ("policy", Kind::Policy),
    ("policies", Kind::Policy),
    ("route", Kind::NotificationRoute),
    ("notificationroute", Kind::NotificationRoute),
    ("notification-route", Kind::NotificationRoute),
    ("plan", Kind::Plan),
    ("schedule", Kind::Schedule),
    ("contact", Kind::Contact),
    ("template", Kind::MessageTemplate),
    ("messagetemplate", Kind::MessageTemplate),
    ("message-template", Kind::MessageTemplate),
];

pub(crate) const HELP: &str =
    "tenants, sites, resources, groups, policies, routes, plans, schedules, contacts, templates";

pub(crate) fn document_kind(text: &str) -> Option<Kind> {
    let lower = text.to_ascii_lowercase();
    let singular = lower.strip_suffix('s').unwrap_or(&lower);
    NAMES.iter().find(|(name, _)| *name == lower || *name == singular).map(|(_, kind)| *kind)
}

pub(crate) fn must_be_document_kind(text: &str) -> Result<Kind, CliError> {
    document_kind(text).ok_or_else(|| CliError::Usage(format!("'{text}' is no kind of document; there are: {HELP}")))
}

pub(crate) fn title(kind: Kind, name: &str) -> String {
    format!("{} {name}", kind_token(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_may_write_one_or_many() {
        for (text, kind) in [
            ("resource", Kind::Resource),
            ("Resources", Kind::Resource),
            ("policies", Kind::Policy),
            ("Policy", Kind::Policy),
            ("routes", Kind::NotificationRoute),
            ("NotificationRoutes", Kind::NotificationRoute),
            ("plans", Kind::Plan),
        ] {
            assert_eq!(document_kind(text), Some(kind), "{text}");
        }
        assert_eq!(document_kind("s"), None);
        assert_eq!(document_kind("resourcess"), None);
    }
}
