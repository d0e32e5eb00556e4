#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::sync::Arc;

use jiff::Timestamp;
use muster_domain::delivery::message::Fact;
use muster_domain::delivery::{Message, Severity, Source, recipient};
use muster_domain::pb::common::v1::{Environment, Tier};
use muster_domain::pb::inventory::v1::EmailChannel;
use uuid::Uuid;

use super::*;
use crate::channels::Declared;

fn attempt() -> Attempt {
    let source = Source {
        tenant: "acme".into(),
        event_id: Uuid::from_u128(7),
        sequence: 3,
        occurred_at: Timestamp::from_second(1_700_000_000).unwrap(),
    };
    let (tier, environment) = (Tier::Tier1.into(), Environment::Production.into());
    let mut message = Message::about(&source, "request.created", "orders-db", tier, environment);
    message.severity = Severity::Warning;
    message.request_id = "r-1".into();
    message.opens_thread = true;
    message.subject = "Approval needed: switchover of orders-db".into();
    message.summary = "Olga asks for a switchover.".into();
    message.reasons = vec!["<script>alert(1)</script>".into()];
    message.facts = vec![Fact { name: "Why".into(), value: "rack & cooling".into() }];
    message.next_step = "Approvers: open the page.".into();
    Attempt {
        tenant: "acme".parse().unwrap(),
        delivery_id: Uuid::from_u128(1),
        message,
        recipient: recipient::email("Approver@example.com").unwrap(),
        route: "team".into(),
        secret_ref: String::new(),
        declared: Arc::new(Declared::Email(EmailChannel::default())),
        buttons: Vec::new(),
        link: "https://muster.example/t/acme/requests/r-1".into(),
        number: 1,
        possibly_duplicate: false,
        now: Timestamp::from_second(1_700_000_005).unwrap(),
    }
}

fn composed(attempt: &Attempt) -> String {
    let from: Mailbox = "Muster <muster@relay.example>".parse().unwrap();
    let mail = Composer::new().unwrap().compose(attempt, &from).unwrap();
    String::from_utf8(mail.bytes).unwrap()
}

/// Unfolded value of a header, `None` if it is not there; fails when it is there twice.
fn header(mail: &str, name: &str) -> Option<String> {
    let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    let found: Vec<&str> = head.split("\r\n").filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
    assert!(found.len() <= 1, "{name} twice: {found:?}");
    found.first().map(|value| (*value).to_owned())
}

#[test]
fn the_headers_identify_and_thread() {
    let opening = composed(&attempt());
    assert_eq!(header(&opening, "To").unwrap(), "Approver@example.com");
    assert_eq!(header(&opening, "Auto-Submitted").unwrap(), "auto-generated");
    assert_eq!(header(&opening, "X-Muster-Tenant").unwrap(), "acme");
    assert_eq!(header(&opening, "X-Muster-Request").unwrap(), "r-1");
    assert_eq!(header(&opening, "X-Muster-Tier").unwrap(), "tier 1");
    assert!(header(&opening, "Date").is_some() && header(&opening, "List-Id").is_some());
    assert!(header(&opening, "Content-Type").unwrap().starts_with("multipart/alternative"));
    assert_eq!(header(&opening, "In-Reply-To"), None);

    let mut later = attempt();
    later.delivery_id = Uuid::from_u128(2);
    later.message.opens_thread = false;
    let reply = composed(&later);
    assert_eq!(header(&reply, "In-Reply-To"), header(&opening, "Message-ID"));
    assert_eq!(header(&reply, "References"), header(&opening, "Message-ID"));
    assert_eq!(header(&reply, "Message-ID").unwrap(), format!("<{}@relay.example>", Uuid::from_u128(2)));
}

#[test]
fn a_second_attempt_has_the_same_message_id_and_says_so() {
    let mut second = attempt();
    second.number = 2;
    second.possibly_duplicate = true;
    let mail = composed(&second);
    assert_eq!(header(&mail, "Message-ID"), header(&composed(&attempt()), "Message-ID"));
    assert_eq!(header(&mail, "X-Muster-Possibly-Duplicate").unwrap(), "yes");
}

#[test]
fn nothing_that_was_typed_adds_a_header() {
    let evil = "x\r\nBcc: victim@example.com\r\n\r\nbody";
    let mut a = attempt();
    a.message.subject = evil.into();
    a.message.resource = evil.into();
    a.message.request_id = evil.into();
    a.message.kind = evil.into();
    let mail = composed(&a);
    assert_eq!(header(&mail, "Bcc"), None);
    let head = mail.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(!head.contains("\r\nbcc:"), "{head}");
    assert!(header(&mail, "X-Muster-Resource").unwrap().contains("Bcc: victim"));
}

#[test]
fn html_is_escaped_and_loads_nothing_from_outside() {
    let a = attempt();
    let html = Composer::new().unwrap().render("message.html", &a).unwrap();
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
    assert!(html.contains("rack &amp; cooling"));
    assert!(!html.contains("src=") && !html.contains("<img") && !html.contains("@import"));
    let text = Composer::new().unwrap().render("message.txt", &a).unwrap();
    assert!(text.contains("<script>alert(1)</script>") && text.contains("rack & cooling"), "{text}");
    assert!(text.contains("Page: https://muster.example/t/acme/requests/r-1"), "{text}");
}

#[test]
fn lines_stay_below_the_limit_of_smtp() {
    let mut a = attempt();
    a.message.subject = "ü".repeat(160);
    a.message.summary = "long ".repeat(1_000);
    a.message.resource = "r".repeat(3_000);
    for line in composed(&a).split("\r\n") {
        assert!(line.len() <= 998, "{} characters", line.len());
        assert!(!line.contains('\n') && !line.contains('\r'), "a bare line end");
    }
}
