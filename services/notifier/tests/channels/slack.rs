//! Slack, and what it can beyond the common cases: buttons, changing a message, looking for one.

use muster_domain::delivery::{FailureCode, Message, recipient};
use muster_domain::pb::inventory::v1::SlackChannel;
use muster_domain::pb::inventory::v1::notification_route_spec::Channel as Declared;
use muster_fakes::slack::Slack as Workspace;
use muster_fakes::{Fake, Trouble as Fault};
use muster_notifier::channels::slack::{Posted, Slack};
use muster_notifier::channels::{Attempt, Button, Channel, Look, Receipt};
use secrecy::SecretString;

use crate::fixture::{Fixture, Repeat, Trouble};
use crate::support::{LOOPBACK, STORED_REF, Stored, attempt, for_delivery, message, outgoing};
use crate::webhook::fault;

const TOKEN: &str = "xoxb-123456789012-abcdefghijklmnopqrstuvwx";
const WRONG: &str = "xoxb-999999999999-zyxwvutsrqponmlkjihgfedc";

pub(crate) struct Chat {
    far: Fake<Workspace>,
    stored: Stored,
    channel: Slack,
}

impl Chat {
    fn declared(&self) -> Declared {
        let api_url = format!("{}/api", self.far.url);
        let channel = "C0123ABCD".into();
        Declared::Slack(SlackChannel { channel, token_ref: STORED_REF.into(), api_url, ..SlackChannel::default() })
    }

    fn to(&self, channel: &str) -> Attempt {
        attempt(recipient::slack(channel).unwrap(), self.declared(), STORED_REF)
    }
}

impl Fixture for Chat {
    const CHANNEL: &'static str = "slack";
    /// It is looked for before it is posted again.
    const REPEAT: Repeat = Repeat::Recognised;
    const TURNS: Option<usize> = Some(5);

    async fn start() -> Option<Self> {
        let far = Fake::start(Workspace::new(TOKEN)).await.unwrap();
        let stored = Stored::new(TOKEN);
        let channel = Slack::new(outgoing(&[LOOPBACK]), stored.secrets.clone());
        Some(Self { far, stored, channel })
    }

    fn channel(&self) -> &dyn Channel {
        &self.channel
    }

    fn strict_channel(&self) -> Box<dyn Channel> {
        Box::new(Slack::new(outgoing(&[]), self.stored.secrets.clone()))
    }

    fn attempt(&mut self, message: Message, delivery: u128, trouble: Trouble) -> Attempt {
        if let Some(fault) = fault(trouble, &format!("{}/api/chat.elsewhere", self.far.url)) {
            self.far.trouble(fault);
        }
        for_delivery(self.to("C0123ABCD"), message, delivery)
    }

    fn arrived(&self) -> usize {
        self.far.with(|workspace| workspace.messages.len())
    }

    fn texts(&self) -> String {
        self.far.with(|workspace| workspace.messages.iter().map(|m| format!("{} {}", m.text, m.blocks)).collect())
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
        self.far.trouble(Fault::Meanwhile(Box::new(move || std::fs::write(path, TOKEN).unwrap())));
    }

    /// Where Slack reads markup: its own begins with an angle bracket, and ours has none.
    fn escaped_from_its_place(&self) -> Vec<String> {
        self.far.with(|workspace| {
            let marked_up = workspace.messages.iter().flat_map(|message| {
                let blocks = message.blocks.as_array().into_iter().flatten().map(|block| &block["text"]);
                let mrkdwn = blocks.filter(|text| text["type"] == "mrkdwn").filter_map(|text| text["text"].as_str());
                mrkdwn.chain([message.text.as_str()])
            });
            let texts: Vec<&str> = marked_up.collect();
            assert!(texts.len() > 4, "{texts:?}");
            texts.into_iter().filter(|text| text.contains('<') || text.contains('>')).map(str::to_owned).collect()
        })
    }
}

#[tokio::test]
async fn a_decided_request_loses_its_buttons() {
    let mut chat = Chat::start().await.unwrap();
    let mut asked = chat.attempt(message(), 1, Trouble::Nothing);
    let button = |action: &str, look| Button {
        action: action.into(),
        text: action.into(),
        value: "h4ndle".into(),
        url: asked.link.clone(),
        look,
    };
    asked.buttons = vec![button("decide", Look::Primary), button("other", Look::Danger)];
    let receipt = chat.channel.deliver(&asked).await.unwrap();
    assert!(chat.texts().contains("h4ndle"));
    let posted = Posted::of(&receipt).unwrap();
    assert_eq!(posted.channel, "C0123ABCD");

    let mut decided = asked.clone();
    decided.buttons.clear();
    decided.message.subject = "APPROVED by Ingo".into();
    let changed = chat.channel.update(&decided, &receipt).await.unwrap();
    assert_eq!(Posted::of(&changed).unwrap(), posted);
    assert_eq!(chat.arrived(), 1);
    assert!(chat.texts().contains("APPROVED by Ingo") && !chat.texts().contains("h4ndle"), "{}", chat.texts());

    let gone = Receipt("accepted by Slack: channel C0123ABCD, ts 1.000001".into());
    assert_eq!(chat.channel.update(&decided, &gone).await.unwrap_err().code, FailureCode::Rejected);
    let other = Receipt("accepted by the relay: 250 ok".into());
    assert_eq!(chat.channel.update(&decided, &other).await.unwrap_err().code, FailureCode::Rejected);
}

#[tokio::test]
async fn ok_false_is_an_error_and_its_name_says_which() {
    let chat = Chat::start().await.unwrap();
    for (error, code) in [
        ("is_archived", FailureCode::Rejected),
        ("restricted_action", FailureCode::Rejected),
        ("internal_error", FailureCode::OutcomeUnknown),
        ("fatal_error", FailureCode::OutcomeUnknown),
        ("service_unavailable", FailureCode::Deferred),
        ("ratelimited", FailureCode::Deferred),
        ("something_new", FailureCode::Failed),
    ] {
        chat.far.with(|workspace| workspace.next_error = Some(error));
        let failure = chat.channel.deliver(&chat.to("C0123ABCD")).await.unwrap_err();
        assert_eq!(failure.code, code, "{failure}");
        assert!(failure.text.contains(error) || code == FailureCode::Deferred, "{failure}");
    }
    let failure = chat.channel.deliver(&chat.to("C0UNINVIT")).await.unwrap_err();
    assert!(failure.code == FailureCode::Rejected && failure.text.contains("not_in_channel"), "{failure}");
    assert_eq!(chat.arrived(), 0);
}

#[tokio::test]
async fn without_the_right_to_look_it_is_posted_again_and_says_so() {
    let mut chat = Chat::start().await.unwrap();
    chat.far.with(|workspace| workspace.may_read = false);
    let mut attempt = chat.attempt(message(), 1, Trouble::SilentAfterEffect);
    chat.channel.deliver(&attempt).await.unwrap_err();
    attempt.possibly_duplicate = true;
    chat.channel.deliver(&attempt).await.unwrap();
    assert_eq!(chat.arrived(), 2);
    assert!(chat.texts().contains("possibly a repeat"), "{}", chat.texts());
}

#[tokio::test]
async fn a_person_is_reached_and_a_workspace_is_known() {
    let chat = Chat::start().await.unwrap();
    let token = SecretString::from(TOKEN.to_owned());
    let (api_url, now) = (format!("{}/api/", chat.far.url), jiff::Timestamp::now());
    assert_eq!(chat.channel.team(&api_url, &token, now).await.unwrap().id, "T0123ABCD");
    let posted = chat.channel.direct(&api_url, &token, "U0123ABCD", "code <123>", now).await.unwrap();
    assert_eq!(posted.channel, "D0123ABCD", "the conversation, not the person: only that can be changed later");
    assert!(chat.texts().contains("code &lt;123&gt;"), "{}", chat.texts());
    let wrong = SecretString::from(WRONG.to_owned());
    let failure = chat.channel.team(&api_url, &wrong, now).await.unwrap_err();
    assert!(failure.code == FailureCode::Misconfigured && !failure.text.contains(WRONG), "{failure}");
}
