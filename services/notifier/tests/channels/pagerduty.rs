//! PagerDuty, and the life of an incident.

use muster_domain::delivery::message::kind;
use muster_domain::delivery::recipient::SecretMark;
use muster_domain::delivery::{FailureCode, Message, Severity, recipient};
use muster_domain::pb::inventory::v1::PagerdutyChannel;
use muster_domain::pb::inventory::v1::notification_route_spec::Channel as Declared;
use muster_fakes::pagerduty::{Pagerduty as Service, State};
use muster_fakes::{Fake, Trouble as Fault};
use muster_notifier::channels::pagerduty::Pagerduty;
use muster_notifier::channels::{Attempt, Channel};

use crate::fixture::{Fixture, Repeat, Trouble};
use crate::support::{LOOPBACK, STORED_REF, Stored, attempt, for_delivery, message, outgoing};
use crate::webhook::fault;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const WRONG: &str = "fedcba9876543210fedcba9876543210";

pub(crate) struct Pager {
    far: Fake<Service>,
    stored: Stored,
    channel: Pagerduty,
}

impl Pager {
    fn to(&self) -> Attempt {
        let declared = Declared::Pagerduty(PagerdutyChannel {
            routing_key_ref: STORED_REF.into(),
            events_url: self.far.url.clone(),
            ..PagerdutyChannel::default()
        });
        let mark = SecretMark::of_key(&self.stored.read());
        attempt(recipient::pagerduty(STORED_REF, mark).unwrap(), declared, STORED_REF)
    }

    async fn tell(&self, kind: &str, delivery: u128) {
        let mut message = message();
        message.kind = kind.into();
        if kind != kind::RPO_BREACHED {
            message.severity = Severity::Info;
        }
        self.channel.deliver(&for_delivery(self.to(), message, delivery)).await.unwrap();
    }
}

impl Fixture for Pager {
    const CHANNEL: &'static str = "pagerduty";
    const REPEAT: Repeat = Repeat::Recognised;
    const TURNS: Option<usize> = Some(60);

    async fn start() -> Option<Self> {
        let far = Fake::start(Service::new(KEY)).await.unwrap();
        let stored = Stored::new(KEY);
        let channel = Pagerduty::new(outgoing(&[LOOPBACK]), stored.secrets.clone());
        Some(Self { far, stored, channel })
    }

    fn channel(&self) -> &dyn Channel {
        &self.channel
    }

    fn strict_channel(&self) -> Box<dyn Channel> {
        Box::new(Pagerduty::new(outgoing(&[]), self.stored.secrets.clone()))
    }

    fn attempt(&mut self, message: Message, delivery: u128, trouble: Trouble) -> Attempt {
        if let Some(fault) = fault(trouble, &format!("{}/v2/elsewhere", self.far.url)) {
            self.far.trouble(fault);
        }
        for_delivery(self.to(), message, delivery)
    }

    /// People are paged once for an incident.
    fn arrived(&self) -> usize {
        self.far.with(|service| service.incidents.values().map(|incident| incident.pages).sum())
    }

    fn texts(&self) -> String {
        self.far.with(|service| service.incidents.values().map(|incident| incident.last.to_string()).collect())
    }

    fn calls(&self) -> usize {
        self.far.requests().len()
    }

    fn stored_secret(&self) -> String {
        self.stored.read()
    }

    fn store_wrong_secret(&mut self) {
        self.stored.write(WRONG);
    }

    fn store_right_secret_meanwhile(&mut self) {
        let path = self.stored.path();
        self.far.trouble(Fault::Meanwhile(Box::new(move || std::fs::write(path, KEY).unwrap())));
    }

    /// JSON carries any text; a summary of two lines is refused by the fake.
    fn escaped_from_its_place(&self) -> Vec<String> {
        Vec::new()
    }
}

#[tokio::test]
async fn an_incident_lives_and_ends_with_its_alert() {
    let pager = Pager::start().await.unwrap();
    let key = "muster/acme/orders-db/rpo.breached/a1";
    let now = || pager.far.with(|service| service.incident(key).map(|i| (i.state, i.pages, i.triggers)));
    pager.tell(kind::RPO_BREACHED, 1).await;
    pager.tell(kind::RPO_BREACHED, 2).await;
    assert_eq!(now(), Some((State::Open, 1, 2)), "a reminder opens no second incident");
    pager.tell(kind::ALERT_ACKNOWLEDGED, 3).await;
    assert_eq!(now(), Some((State::Acknowledged, 1, 2)));
    pager.tell(kind::ALERT_RESOLVED, 4).await;
    assert_eq!(now(), Some((State::Resolved, 1, 2)));
    pager.tell(kind::ALERT_RESOLVED, 5).await;
    pager.tell(kind::RPO_BREACHED, 6).await;
    assert_eq!(now(), Some((State::Open, 2, 3)), "the next breach pages again");
    assert_eq!(pager.far.with(|service| service.incidents.len()), 1);
}

#[tokio::test]
async fn a_switchover_is_shown_and_wakes_nobody() {
    let pager = Pager::start().await.unwrap();
    for (kind, delivery) in [(kind::REQUEST_STARTED, 1), (kind::REQUEST_SUCCEEDED, 2)] {
        let mut message = message();
        message.kind = kind.into();
        message.request_id = "r-1".into();
        message.severity = Severity::Warning;
        let receipt = pager.channel.deliver(&for_delivery(pager.to(), message, delivery)).await.unwrap();
        assert_eq!(receipt.0, "accepted by PagerDuty: change event");
    }
    assert_eq!((pager.arrived(), pager.far.with(|service| service.changes.len())), (0, 2));
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_not_sent_anywhere() {
    let pager = Pager::start().await.unwrap();
    for (key, code) in
        [("short", FailureCode::Misconfigured), ("0123456789abcdef0123456789abcde\u{e9}", FailureCode::Misconfigured)]
    {
        pager.stored.write(key);
        let failure = pager.channel.deliver(&pager.to()).await.unwrap_err();
        assert_eq!(failure.code, code, "{failure}");
        assert!(!failure.text.contains(key), "{failure}");
    }
    pager.stored.write("R123456789abcdef0123456789abcdef");
    let mut change = message();
    change.kind = kind::REQUEST_STARTED.into();
    let failure = pager.channel.deliver(&for_delivery(pager.to(), change, 1)).await.unwrap_err();
    assert!(failure.code == FailureCode::Rejected && failure.text.contains("orchestration"), "{failure}");
    assert_eq!(pager.calls(), 0);
}

/// Another secret than the one that the rule for the on-call has judged is not used.
#[tokio::test]
async fn a_key_that_was_swapped_after_the_decision_is_not_used() {
    let pager = Pager::start().await.unwrap();
    pager.stored.write(WRONG);
    let decided = pager.to();
    pager.stored.write(KEY);
    let failure = pager.channel.deliver(&decided).await.unwrap_err();
    assert!(failure.code == FailureCode::Misconfigured && failure.text.contains("changed just now"), "{failure}");
    assert_eq!(pager.calls(), 0);
    pager.channel.deliver(&pager.to()).await.unwrap();
}
