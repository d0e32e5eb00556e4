//! In which words a message goes out: the route's language, and the tenant's own template where one is declared.
//!
//! It is dressed when it is sent, so that what waits and what is recorded keeps the words it was made with.

use muster_domain::TenantId;
use muster_domain::delivery::Message;
use muster_domain::delivery::language::{labels, translated};
use muster_domain::delivery::message::{MAX_SUBJECT_BYTES, clip};
use muster_domain::delivery::template::{TemplateError, render};
use muster_domain::inventory::TenantInventory;
use muster_domain::pb::inventory::v1::{Kind, MessageTemplateSpec, document::Spec};

use crate::routes::Routes;

/// With the far side's answer it fits into a receipt.
const MAX_TROUBLE_BYTES: usize = 150;

/// A message as it goes out.
pub(crate) struct Dressed {
    pub(crate) message: Message,
    /// The template's name, or "built-in de".
    pub(crate) template: String,
    /// Why the tenant's template was not used, for the record.
    pub(crate) trouble: Option<String>,
}

/// A declared template, or one that is tried.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) name: String,
    pub(crate) spec: MessageTemplateSpec,
}

/// What the message is written in on a route by a channel.
pub(crate) fn dress(
    routes: &Routes,
    tenant: &TenantId,
    route: &str,
    channel: &str,
    message: &Message,
    link: &str,
) -> Dressed {
    let chosen = routes.with_documents(tenant, |documents| {
        let language = wanted(documents, route, message);
        let template = find(documents, channel, &language, message);
        (language, template)
    });
    let (language, template) = chosen.unwrap_or_default();
    dress_in(message, &language, template, link)
}

/// The same with the language and the template at hand.
pub(crate) fn dress_in(message: &Message, language: &str, template: Option<Template>, link: &str) -> Dressed {
    let built_in = translated(message, language);
    let name = format!("built-in {}", labels(language).language);
    let Some(template) = template else {
        return Dressed { message: marked(built_in), template: name, trouble: None };
    };
    match filled(&built_in, &template.spec, link) {
        Ok(own) => Dressed { message: marked(own), template: template.name, trouble: None },
        Err(error) => {
            let trouble = format!("template {} failed: {error}; the built-in words were used", template.name);
            Dressed { message: marked(built_in), template: name, trouble: Some(clip(&trouble, MAX_TROUBLE_BYTES)) }
        }
    }
}

/// The message's own (a person's), else the route's, else the tenant's.
fn wanted(documents: &TenantInventory, route: &str, message: &Message) -> String {
    let of_route = documents.routes().find(|(document, _)| document.name == route).map(|(_, spec)| &spec.language);
    let of_tenant = documents.all(Kind::Tenant).find_map(|document| match &document.spec {
        Some(Spec::TenantSpec(spec)) => Some(&spec.language),
        _ => None,
    });
    let wanted = [Some(&message.language), of_route, of_tenant];
    wanted.into_iter().flatten().find(|language| !language.is_empty()).cloned().unwrap_or_default()
}

/// The one that fits best: the whole kind before a pattern, a channel before all. What asks a person to decide is never
/// said in other words: those are the evidence.
fn find(documents: &TenantInventory, channel: &str, language: &str, message: &Message) -> Option<Template> {
    if !message.intent_id.is_empty() {
        return None;
    }
    let fits = |spec: &MessageTemplateSpec| {
        let rank = spec.kinds.iter().filter_map(|pattern| match pattern.strip_suffix('*') {
            Some(start) => message.kind.starts_with(start).then_some(start.len()),
            None => (*pattern == message.kind).then_some(usize::MAX),
        });
        let by_channel = spec.channels.is_empty() || spec.channels.iter().any(|name| name == channel);
        let by_language = labels(&spec.language).language == labels(language).language;
        (by_channel && by_language).then(|| rank.max()).flatten().map(|kind| (kind, !spec.channels.is_empty()))
    };
    let templates = documents.all(Kind::MessageTemplate).filter_map(|document| match &document.spec {
        Some(Spec::MessageTemplateSpec(spec)) => fits(spec).map(|rank| (rank, document.name.as_str(), spec)),
        _ => None,
    });
    // Of equals the first by name.
    let best = templates.max_by(|(a, a_name, _), (b, b_name, _)| a.cmp(b).then_with(|| b_name.cmp(a_name)));
    best.map(|(_, name, spec)| Template { name: name.to_owned(), spec: spec.clone() })
}

/// What the template says takes the place of subject and summary; an empty part keeps the built-in words.
fn filled(message: &Message, spec: &MessageTemplateSpec, link: &str) -> Result<Message, TemplateError> {
    let mut filled = message.clone();
    if !spec.subject.is_empty() {
        let subject = clip(&render(&spec.subject, message, link)?, MAX_SUBJECT_BYTES);
        if !subject.is_empty() {
            filled.subject = subject;
        }
    }
    if !spec.text.is_empty() {
        filled.summary = paragraphs(&render(&spec.text, message, link)?);
    }
    Ok(filled)
}

/// Lines stay, other control characters go.
fn paragraphs(text: &str) -> String {
    let plain: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    plain.trim().to_owned()
}

/// Whoever is told of a test sees at once that it is one, whatever a template says.
fn marked(mut message: Message) -> Message {
    if message.test && !message.subject.starts_with("TEST") {
        message.set_subject(&format!("TEST: {}", message.subject));
    }
    message
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use muster_domain::delivery::message::kind;
    use muster_domain::delivery::sample::sample;
    use muster_domain::pb::inventory::v1::{
        Document, DocumentDeclared, InventoryEvent, NotificationRouteSpec, TenantSpec, inventory_event::Event,
    };

    use super::*;

    fn documents(specs: Vec<(Kind, &str, Spec)>) -> TenantInventory {
        let mut inventory = TenantInventory::default();
        for (kind, name, spec) in specs {
            let document = Document { kind: kind.into(), name: name.into(), spec: Some(spec), ..Document::default() };
            let declared = DocumentDeclared { document: Some(document), changes: vec![] };
            inventory.apply(&InventoryEvent { event: Some(Event::Declared(declared)) });
        }
        inventory
    }

    fn template(kinds: &[&str], channels: &[&str], subject: &str) -> Spec {
        let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Spec::MessageTemplateSpec(MessageTemplateSpec {
            kinds: owned(kinds),
            channels: owned(channels),
            subject: subject.into(),
            ..MessageTemplateSpec::default()
        })
    }

    fn breach() -> Message {
        sample("acme", kind::RPO_BREACHED, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_template_that_fits_best_is_used() {
        let documents = documents(vec![
            (Kind::MessageTemplate, "all", template(&["*"], &[], "all")),
            (Kind::MessageTemplate, "mails", template(&["rpo.breached"], &["email"], "mails")),
            (Kind::MessageTemplate, "rpo", template(&["rpo.breached"], &[], "rpo")),
        ]);
        let found = |channel: &str, message: &Message| find(&documents, channel, "", message).map(|t| t.name);
        assert_eq!(found("email", &breach()).as_deref(), Some("mails"));
        assert_eq!(found("slack", &breach()).as_deref(), Some("rpo"));
        assert_eq!(found("slack", &sample("acme", "request.created", Timestamp::UNIX_EPOCH)).as_deref(), Some("all"));
        let asked = Message { intent_id: "i1".into(), ..breach() };
        assert_eq!(found("email", &asked), None, "what somebody decides on is never said in other words");
        assert!(find(&documents, "email", "de", &breach()).is_none(), "those are English");
    }

    #[test]
    fn the_language_is_the_persons_then_the_routes_then_the_tenants() {
        let route = NotificationRouteSpec { language: "de".into(), ..NotificationRouteSpec::default() };
        let tenant = TenantSpec { language: "de".into(), ..TenantSpec::default() };
        let with_route = documents(vec![(Kind::NotificationRoute, "r", Spec::NotificationRouteSpec(route))]);
        let with_tenant = documents(vec![(Kind::Tenant, "acme", Spec::TenantSpec(tenant))]);
        assert_eq!(wanted(&with_route, "r", &breach()), "de");
        assert_eq!(wanted(&with_route, "other", &breach()), "");
        assert_eq!(wanted(&with_tenant, "r", &breach()), "de");
        assert_eq!(wanted(&with_tenant, "r", &Message { language: "en".into(), ..breach() }), "en");
    }

    #[test]
    fn a_template_that_fails_falls_back_and_says_so() {
        let spec = MessageTemplateSpec { text: "{{ nothing }}".into(), ..MessageTemplateSpec::default() };
        let dressed = dress_in(&breach(), "de", Some(Template { name: "mine".into(), spec }), "l");
        assert!(dressed.message.subject.starts_with("KRITISCH"), "{}", dressed.message.subject);
        assert!(dressed.trouble.as_deref().is_some_and(|t| t.starts_with("template mine failed: undefined")));
        assert_eq!(dressed.template, "built-in de");
    }

    #[test]
    fn no_template_hides_that_it_is_a_test_or_adds_a_header() {
        let spec = MessageTemplateSpec {
            subject: "{{ resource }}\nBcc: x@y".into(),
            text: "a\u{0}\nb\r".into(),
            ..MessageTemplateSpec::default()
        };
        let message = Message { test: true, ..breach() };
        let dressed = dress_in(&message, "", Some(Template { name: "mine".into(), spec }), "l").message;
        assert_eq!((dressed.subject.as_str(), dressed.summary.as_str()), ("TEST: orders-db Bcc: x@y", "a\nb"));
    }
}
