//! `Contact`, and the part of a policy about decisions inside messages: who is asked, and how far a button goes.

use super::TenantInventory;
use super::validate::{Finding, shorten, text};
use crate::access::{role_list, role_name};
use crate::delivery::message::tier_name;
use crate::delivery::{recipient, routing};
use crate::pb::common::v1::{Role, Tier};
use crate::pb::inventory::v1::{ContactSpec, Document, Kind, MessageApprovalRule, document::Spec};
use crate::time::zone;

/// Roles whose approval can be missing.
const ASKED_AS: [Role; 2] = [Role::ApproverIt, Role::ApproverBusiness];
/// What messages can be written in.
const LANGUAGES: [&str; 3] = ["", "en", "de"];
/// An issuer's URL, and a subject of 255 characters.
const MAX_PERSON: usize = 512;
/// Channels whose messages can have buttons.
const WITH_BUTTONS: [&str; 1] = [routing::SLACK];
/// More refused links than this are an attack by any measure.
const MAX_BEFORE_ALARM: u32 = 100;

pub(super) fn validate_contact(found: &mut Finding, document: &Document, spec: &ContactSpec, others: &TenantInventory) {
    text(found, "spec.displayName", &spec.display_name);
    person(found, document, spec, others);
    if recipient::email(&spec.email).is_none() {
        let (value, limit) = (shorten(&spec.email), "a plain address such as ingo@example.com");
        found.fault("spec.email", "a contact can be written to", value, limit, "give the person's own mailbox");
    }
    if !LANGUAGES.contains(&spec.language.as_str()) {
        let value = shorten(&spec.language);
        found.fault("spec.language", "languages that messages are written in", value, "en or de", "use one of them");
    }
    for role in spec.asked_as().filter(|role| !ASKED_AS.contains(role)) {
        let next = "leave it out: nobody waits for this role";
        found.fault("spec.askedAs", "roles that approve", role_name(role), role_list(&ASKED_AS), next);
    }
    if !spec.time_zone.is_empty() && zone(&spec.time_zone).is_none() {
        let (value, limit) = (shorten(&spec.time_zone), "an IANA name such as Europe/Berlin");
        found.fault("spec.timeZone", "times are told in a time zone", value, limit, "name the person's zone");
    }
}

/// Two contacts of one person would be asked twice, and one of the mailboxes would be somebody else's.
fn person(found: &mut Finding, document: &Document, spec: &ContactSpec, others: &TenantInventory) {
    let parts = spec.person.split_once('|');
    let whole = parts.is_some_and(|(issuer, subject)| !issuer.is_empty() && !subject.is_empty());
    if !whole || spec.person.len() > MAX_PERSON || spec.person.chars().any(char::is_control) {
        found.fault(
            "spec.person",
            "a link is for one person of the identity provider",
            shorten(&spec.person),
            "issuer|subject",
            "take it from `muster whoami` of that person",
        );
        return;
    }
    let same = |other: &&Document| {
        let of = |other: &Document| match &other.spec {
            Some(Spec::ContactSpec(contact)) => contact.person == spec.person,
            _ => false,
        };
        other.name != document.name && of(other)
    };
    if let Some(other) = others.all(Kind::Contact).find(same) {
        let value = format!("also contact {}", other.name);
        found.fault("spec.person", "a person is one contact", value, "once in a tenant", "keep one of them");
    }
}

pub(super) fn message_approvals(found: &mut Finding, rule: &MessageApprovalRule) {
    for name in rule.channels.iter().filter(|name| !WITH_BUTTONS.contains(&name.as_str())) {
        found.fault(
            "spec.messageApprovals.channels",
            "channels whose messages can have buttons",
            shorten(name),
            WITH_BUTTONS.join(", "),
            "leave it out: links to the page work on every channel",
        );
    }
    for tier in rule.tiers().filter(|tier| !matches!(tier, Tier::Tier2 | Tier::Tier3)) {
        found.fault(
            "spec.messageApprovals.tiers",
            "tier 1 is decided on the page, after a fresh login",
            tier_name(tier),
            "2 and 3",
            "leave tier 1 out",
        );
    }
    if rule.refusals_before_alarm > MAX_BEFORE_ALARM {
        found.fault(
            "spec.messageApprovals.refusalsBeforeAlarm",
            "security hears of refused links in time",
            rule.refusals_before_alarm.to_string(),
            format!("1 to {MAX_BEFORE_ALARM}"),
            "choose a smaller number",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(name: &str, person: &str) -> Document {
        let spec = ContactSpec {
            person: person.into(),
            email: "ingo@example.com".into(),
            asked_as: vec![Role::ApproverIt.into()],
            ..ContactSpec::default()
        };
        Document {
            kind: Kind::Contact.into(),
            name: name.into(),
            spec: Some(Spec::ContactSpec(spec)),
            ..Document::default()
        }
    }

    fn faults(document: &Document, others: &TenantInventory) -> Vec<String> {
        super::super::validate(document, others).faults.into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn a_contact_is_one_person_with_one_mailbox_who_can_approve() {
        let mut others = TenantInventory::default();
        let ingo = contact("ingo", "https://idp.example|ingo");
        others.insert(ingo.clone());
        assert_eq!(faults(&ingo, &others), Vec::<String>::new());
        assert_eq!(faults(&contact("other", "https://idp.example|ingo"), &others), ["spec.person"]);
        for wrong in ["", "ingo@example.com", "|ingo", "https://idp.example|"] {
            assert_eq!(faults(&contact("x", wrong), &others), ["spec.person"], "{wrong}");
        }
        let mut bad = contact("bad", "https://idp.example|bad");
        if let Some(Spec::ContactSpec(spec)) = &mut bad.spec {
            spec.email = "Ingo <ingo@example.com>".into();
            spec.asked_as = vec![Role::Operator.into()];
            spec.language = "xx".into();
            spec.time_zone = "Mars/Base".into();
        }
        assert_eq!(faults(&bad, &others), ["spec.email", "spec.language", "spec.askedAs", "spec.timeZone"]);
    }

    #[test]
    fn no_policy_lets_a_button_decide_on_tier_1() {
        let rule = |channel: &str, tier: Tier, alarm| MessageApprovalRule {
            channels: vec![channel.into()],
            tiers: vec![tier.into()],
            refusals_before_alarm: alarm,
        };
        let fields = |rule: &MessageApprovalRule| {
            let mut found = Finding::default();
            message_approvals(&mut found, rule);
            found.faults.into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert!(fields(&rule("slack", Tier::Tier2, 3)).is_empty());
        assert_eq!(fields(&rule("slack", Tier::Tier1, 0)), ["spec.messageApprovals.tiers"]);
        assert_eq!(fields(&rule("slack", Tier::Unspecified, 0)), ["spec.messageApprovals.tiers"]);
        assert_eq!(fields(&rule("teams", Tier::Tier3, 0)), ["spec.messageApprovals.channels"]);
        assert_eq!(fields(&rule("slack", Tier::Tier3, 101)), ["spec.messageApprovals.refusalsBeforeAlarm"]);
    }
}
