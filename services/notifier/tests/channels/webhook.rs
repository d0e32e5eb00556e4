//! Signed webhooks, at a receiver that verifies with the reference library.

use muster_domain::delivery::Message;
use muster_fakes::webhook::Receiver;
use muster_fakes::{Fake, Reply, Trouble as Fault};
use muster_notifier::channels::webhook::Webhook;
use muster_notifier::channels::{Attempt, Channel};

use crate::fixture::{Fixture, RETRY_AFTER_S, Repeat, Trouble};
use crate::support::{LOOPBACK, SECRET, STORED_REF, Stored, for_delivery, outgoing, post_to};

pub(crate) struct Hook {
    far: Fake<Receiver>,
    stored: Stored,
    channel: Webhook,
}

/// For the fakes that speak HTTP.
pub(crate) fn fault(trouble: Trouble, elsewhere: &str) -> Option<Fault> {
    match trouble {
        Trouble::Nothing => None,
        Trouble::Throttled => Some(Fault::Instead(Reply::too_many(RETRY_AFTER_S.unsigned_abs()))),
        Trouble::SilentAfterEffect => Some(Fault::SilenceAfterEffect),
        Trouble::Redirected => Some(Fault::Instead(Reply::redirect(elsewhere))),
    }
}

impl Fixture for Hook {
    const CHANNEL: &'static str = "webhook";
    const REPEAT: Repeat = Repeat::Recognised;
    /// A receiver's 401 is one of its many ways to say no.
    const SEES_REFUSED_SECRET: bool = false;
    const TURNS: Option<usize> = None;

    async fn start() -> Option<Self> {
        let far = Fake::start(Receiver::new(SECRET)).await.unwrap();
        let stored = Stored::new(SECRET);
        let channel = Webhook::new(outgoing(&[LOOPBACK]), stored.secrets.clone());
        Some(Self { far, stored, channel })
    }

    fn channel(&self) -> &dyn Channel {
        &self.channel
    }

    fn strict_channel(&self) -> Box<dyn Channel> {
        Box::new(Webhook::new(outgoing(&[]), self.stored.secrets.clone()))
    }

    fn attempt(&mut self, message: Message, delivery: u128, trouble: Trouble) -> Attempt {
        if let Some(fault) = fault(trouble, &format!("{}/elsewhere", self.far.url)) {
            self.far.trouble(fault);
        }
        let mut attempt = post_to(&format!("{}/hook", self.far.url));
        attempt.secret_ref = STORED_REF.into();
        for_delivery(attempt, message, delivery)
    }

    fn arrived(&self) -> usize {
        self.far.with(|receiver| receiver.taken.len())
    }

    fn texts(&self) -> String {
        self.far.with(|receiver| receiver.taken.values().map(ToString::to_string).collect())
    }

    fn calls(&self) -> usize {
        self.far.requests().len()
    }

    fn stored_secret(&self) -> String {
        self.stored.read()
    }

    fn store_wrong_secret(&mut self) {
        self.stored.write("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    }

    fn store_right_secret_meanwhile(&mut self) {
        self.stored.write(SECRET);
    }

    /// JSON carries any text.
    fn escaped_from_its_place(&self) -> Vec<String> {
        let requests = self.far.requests();
        requests.iter().filter(|r| r.headers.contains_key("bcc")).map(|r| format!("{:?}", r.headers)).collect()
    }
}
