//! gds_notification, with and without a signed time.

use muster_domain::delivery::{FailureCode, Message, recipient};
use muster_domain::pb::inventory::v1::GdsNotificationChannel;
use muster_domain::pb::inventory::v1::notification_route_spec::Channel as Declared;
use muster_fakes::gds_notification::Gds;
use muster_fakes::{Fake, Reply, Trouble as Fault};
use muster_notifier::channels::gds_notification::{GdsNotification, message_id};
use muster_notifier::channels::{Attempt, Channel};

use crate::fixture::{Fixture, Repeat, Trouble};
use crate::support::{LOOPBACK, STORED_REF, Stored, attempt, for_delivery, message, outgoing};
use crate::webhook::fault;

const SECRET: &str = "a-shared-secret-of-thirty-two-by";
const WRONG: &str = "another-secret-that-is-not-known";

pub(crate) struct Ingest {
    far: Fake<Gds>,
    stored: Stored,
    channel: GdsNotification,
}

impl Ingest {
    fn declared(&self) -> GdsNotificationChannel {
        GdsNotificationChannel {
            url: self.far.url.clone(),
            secret_ref: STORED_REF.into(),
            alert_name: "Muster".into(),
            db_instance_ids: [("orders-db".to_owned(), 4711)].into(),
            ..GdsNotificationChannel::default()
        }
    }

    fn to(&self, declared: GdsNotificationChannel) -> Attempt {
        let recipient = recipient::gds_notification(&declared).unwrap();
        attempt(recipient, Declared::GdsNotification(declared), STORED_REF)
    }
}

impl Fixture for Ingest {
    const CHANNEL: &'static str = "gds_notification";
    const REPEAT: Repeat = Repeat::Recognised;
    const TURNS: Option<usize> = Some(10);

    async fn start() -> Option<Self> {
        let far = Fake::start(Gds::new(SECRET)).await.unwrap();
        let stored = Stored::new(SECRET);
        let channel = GdsNotification::new(outgoing(&[LOOPBACK]), stored.secrets.clone()).unwrap();
        Some(Self { far, stored, channel })
    }

    fn channel(&self) -> &dyn Channel {
        &self.channel
    }

    fn strict_channel(&self) -> Box<dyn Channel> {
        Box::new(GdsNotification::new(outgoing(&[]), self.stored.secrets.clone()).unwrap())
    }

    fn attempt(&mut self, message: Message, delivery: u128, trouble: Trouble) -> Attempt {
        if let Some(fault) = fault(trouble, &format!("{}/elsewhere", self.far.url)) {
            self.far.trouble(fault);
        }
        for_delivery(self.to(self.declared()), message, delivery)
    }

    fn arrived(&self) -> usize {
        self.far.with(|gds| gds.jobs.len())
    }

    fn texts(&self) -> String {
        self.far.with(|gds| gds.jobs.values().map(|job| job.body.to_string()).collect())
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
        self.far.trouble(Fault::Meanwhile(Box::new(move || std::fs::write(path, SECRET).unwrap())));
    }

    fn escaped_from_its_place(&self) -> Vec<String> {
        self.far.with(|gds| {
            let bodies = gds.jobs.values().map(|job| &job.body);
            let html =
                bodies.clone().filter_map(|body| body["body_html"].as_str()).filter(|html| html.contains("<script"));
            let subjects = bodies.filter_map(|body| body["subject"].as_str()).filter(|subject| subject.contains('\n'));
            html.chain(subjects).map(str::to_owned).collect()
        })
    }
}

#[tokio::test]
async fn the_alert_arrives_as_the_service_wants_it() {
    let far = Ingest::start().await.unwrap();
    let attempt = far.to(far.declared());
    let receipt = far.channel.deliver(&attempt).await.unwrap();
    assert_eq!(receipt.0, "accepted by gds_notification: job 00000000-0000-0000-0000-000000000000");
    let job = far.far.with(|gds| gds.jobs[&message_id(&attempt)].clone());
    assert!(job.told);
    assert_eq!(job.body["db_instance_id"], 4711);
    assert_eq!(job.body["alert_name"], "Muster");
    let subject = job.body["subject"].as_str().unwrap();
    assert!(subject.starts_with("[T1][PROD] CRITICAL: orders-db"), "{subject}");
    let mut other = far.to(far.declared());
    other.message.resource = "unmapped-db".into();
    other.delivery_id = uuid::Uuid::from_u128(2);
    far.channel.deliver(&other).await.unwrap();
    assert!(far.far.with(|gds| gds.jobs[&message_id(&other)].body["db_instance_id"].is_null()));
    assert_ne!(message_id(&attempt), message_id(&other));
}

#[tokio::test]
async fn a_blackout_over_there_is_accepted_all_the_same() {
    let far = Ingest::start().await.unwrap();
    far.far.with(|gds| gds.blackout = true);
    let receipt = far.channel.deliver(&far.to(far.declared())).await.unwrap();
    assert!(receipt.0.starts_with("accepted by gds_notification"), "{}", receipt.0);
    assert!(far.far.with(|gds| gds.jobs.values().all(|job| !job.told)));
}

#[tokio::test]
async fn the_time_is_signed_with_it_and_headers_of_the_request_are_not_taken() {
    let far = Ingest::start().await.unwrap();
    far.far.with(|gds| {
        gds.signature_header = "x-sig";
        gds.timestamp_header = Some("x-gds-timestamp");
    });
    let mut declared = far.declared();
    declared.signature_header = "X-Sig".into();
    declared.timestamp_header = "X-GDS-Timestamp".into();
    far.channel.deliver(&far.to(declared.clone())).await.unwrap();
    assert_eq!(far.arrived(), 1);
    for name in ["Host", "Content-Length", "Authorization", "Transfer-Encoding", "x y"] {
        declared.signature_header = name.into();
        let failure = far.channel.deliver(&far.to(declared.clone())).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::Misconfigured, "{name}: {failure}");
    }
    assert_eq!(far.calls(), 1);
}

#[tokio::test]
async fn answers_mean_what_the_sheet_says() {
    let far = Ingest::start().await.unwrap();
    for (status, code) in [
        (400, FailureCode::Rejected),
        (422, FailureCode::Rejected),
        (404, FailureCode::Misconfigured),
        (405, FailureCode::Misconfigured),
        (408, FailureCode::Deferred),
        (500, FailureCode::Deferred),
        (503, FailureCode::Deferred),
    ] {
        far.far.trouble(Fault::Instead(Reply::empty(status)));
        let failure = far.channel.deliver(&for_delivery(far.to(far.declared()), message(), 1)).await.unwrap_err();
        assert_eq!(failure.code, code, "{status}: {failure}");
    }
}
