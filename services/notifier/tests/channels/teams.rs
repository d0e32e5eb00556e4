//! A workflow of Teams: its URL is the secret.

use muster_domain::delivery::recipient::SecretMark;
use muster_domain::delivery::{FailureCode, Message, recipient};
use muster_domain::pb::inventory::v1::TeamsChannel;
use muster_domain::pb::inventory::v1::notification_route_spec::Channel as Declared;
use muster_fakes::teams::Teams as Flow;
use muster_fakes::{Fake, Reply, Trouble as Fault};
use muster_notifier::channels::teams::Teams;
use muster_notifier::channels::{Attempt, Channel};

use crate::fixture::{Fixture, Repeat, Trouble};
use crate::support::{LOOPBACK, STORED_REF, Stored, attempt, for_delivery, message, outgoing};
use crate::webhook::fault;

const SIGNATURE: &str = "Zm9yLXRoZS1yaWdodC1vbmU_0123456789";
const WRONG: &str = "YS13cm9uZy1vbmUtaW5zdGVhZA_9876543";

pub(crate) struct Workflow {
    far: Fake<Flow>,
    stored: Stored,
    channel: Teams,
}

impl Workflow {
    fn url(&self, signature: &str) -> String {
        format!("{}{}", self.far.url, Flow::target(signature))
    }

    fn to(&self, url: &str) -> Attempt {
        let declared = Declared::Teams(TeamsChannel { url_ref: STORED_REF.into() });
        attempt(recipient::teams(STORED_REF, SecretMark::of_url(url)).unwrap(), declared, STORED_REF)
    }
}

impl Fixture for Workflow {
    const CHANNEL: &'static str = "teams";
    const REPEAT: Repeat = Repeat::PagesOnly;
    const TURNS: Option<usize> = Some(1);

    async fn start() -> Option<Self> {
        let far = Fake::start(Flow::new(SIGNATURE)).await.unwrap();
        let stored = Stored::new(&format!("{}{}", far.url, Flow::target(SIGNATURE)));
        let channel = Teams::new(outgoing(&[LOOPBACK]), stored.secrets.clone());
        Some(Self { far, stored, channel })
    }

    fn channel(&self) -> &dyn Channel {
        &self.channel
    }

    fn strict_channel(&self) -> Box<dyn Channel> {
        Box::new(Teams::new(outgoing(&[]), self.stored.secrets.clone()))
    }

    fn attempt(&mut self, message: Message, delivery: u128, trouble: Trouble) -> Attempt {
        if let Some(fault) = fault(trouble, &format!("{}/elsewhere", self.far.url)) {
            self.far.trouble(fault);
        }
        for_delivery(self.to(&self.stored.read()), message, delivery)
    }

    fn arrived(&self) -> usize {
        self.far.with(|flow| flow.posted.len())
    }

    fn texts(&self) -> String {
        self.far.with(|flow| flow.posted.iter().map(ToString::to_string).collect())
    }

    fn calls(&self) -> usize {
        self.far.requests().len()
    }

    fn stored_secret(&self) -> String {
        self.stored.read()
    }

    fn store_wrong_secret(&mut self) {
        self.stored.write(&self.url(WRONG));
    }

    fn store_right_secret_meanwhile(&mut self) {
        let (path, right) = (self.stored.path(), self.url(SIGNATURE));
        self.far.trouble(Fault::Meanwhile(Box::new(move || std::fs::write(path, right).unwrap())));
    }

    fn escaped_from_its_place(&self) -> Vec<String> {
        let texts = self.texts();
        let markup = ["[click]", "<at>", "{{"].into_iter().filter(|found| texts.contains(found));
        markup.map(|found| format!("{found} in {texts}")).collect()
    }
}

#[tokio::test]
async fn the_url_arrives_byte_for_byte_or_not_at_all() {
    let far = Workflow::start().await.unwrap();
    far.channel.deliver(&far.to(&far.stored.read())).await.unwrap();
    assert_eq!(far.far.requests()[0].target, Flow::target(SIGNATURE));
    for changed in ["/../x?sig=abc", "/a b?sig=abc", "/a?sig=a'b\"c", "/a?sig=abc#x"] {
        let url = format!("{}{changed}", far.far.url);
        far.stored.write(&url);
        let failure = far.channel.deliver(&far.to(&url)).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::Misconfigured, "{changed}: {failure}");
    }
    assert_eq!(far.calls(), 1);
}

#[tokio::test]
async fn answers_mean_what_the_sheet_says() {
    let far = Workflow::start().await.unwrap();
    let error = |status| Reply { body: r#"{"error":{"code":"X","message":"y"}}"#.into(), ..Reply::empty(status) };
    let old_connector = Reply {
        body: "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429".into(),
        ..Reply::empty(200)
    };
    for (reply, code) in [
        (error(400), FailureCode::Rejected),
        (error(500), FailureCode::OutcomeUnknown),
        (error(502), FailureCode::OutcomeUnknown),
        (error(503), FailureCode::Deferred),
        (error(404), FailureCode::Misconfigured),
        (old_connector, FailureCode::Deferred),
    ] {
        let shown = format!("{reply:?}");
        far.far.trouble(Fault::Instead(reply));
        let failure = far.channel.deliver(&far.to(&far.stored.read())).await.unwrap_err();
        assert_eq!(failure.code, code, "{shown}: {failure}");
    }
    let receipt = far.channel.deliver(&for_delivery(far.to(&far.stored.read()), message(), 1)).await.unwrap();
    assert_eq!(receipt.0, "accepted by the workflow of Teams (HTTP 202)");
}
