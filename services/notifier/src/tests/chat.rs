//! Approvals by Slack, from the binding of an account to the message that says what became of it. Everything is real but
//! Slack itself, which is a strict fake, and the identity provider.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_domain::delivery::ChatBinding;
use muster_domain::pb::common::v1::{Actor, ActorKind, Role, Tier};
use muster_domain::pb::inventory::v1::{
    ContactSpec, Kind, MessageApprovalRule, NotificationRouteSpec, PolicySpec, SlackChannel, document::Spec,
    notification_route_spec::Channel as Declared,
};
use muster_domain::pb::notification::v1::notifier_service_client::NotifierServiceClient;
use muster_domain::pb::notification::v1::{BindChatRequest, ConfirmChatRequest, DeliveryState, DeliveryView};
use muster_domain::pb::request::v1::{
    RequestApproved, RequestEscalated, RequestEvent, RequestWithdrawn, request_event,
};
use muster_domain::request::Request;
use muster_domain::request::intent::Intent;
use muster_domain::{AggregateId, delivery::chat_binding::binding_id};
use muster_fakes::slack::{Message, Slack as Workspace};
use muster_fakes::{Fake, Reply, Trouble};
use muster_runtime::{Config, IntentLinks};
use serde_json::{Value, json};

use super::approvals::{REQUEST, opened, with_a_key_of_links};
use super::issuer::Issuer;
use super::stage::Stage;
use crate::channels::slack::Slack;
use crate::channels::{Limits, Outgoing};

const TOKEN: &str = "xoxb-123456789012-abcdefghijklmnopqrstuvwx";
const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const TEAM: &str = "T0123ABCD";
const INGO: &str = "U0123ABCD";
const BEA: &str = "U0456EFGH";
const STRANGER: &str = "U0999ZZZZ";

struct Chat {
    stage: Stage,
    far: Fake<Workspace>,
    issuer: Issuer,
    _secrets: tempfile::TempDir,
}

impl Chat {
    /// Ingo and Bea are contacts; the tenant's policy allows Slack for these tiers.
    async fn start(tiers: &[Tier]) -> Self {
        let secrets = with_a_key_of_links();
        std::fs::create_dir(secrets.path().join("acme")).unwrap();
        std::fs::write(secrets.path().join("acme/token"), TOKEN).unwrap();
        std::fs::write(secrets.path().join("acme/signing"), SIGNING_SECRET).unwrap();
        let issuer = Issuer::start().await;
        let far = Fake::start(Workspace::new(TOKEN)).await.unwrap();
        far.with(|workspace| workspace.channels.extend([(BEA, true), (STRANGER, true)]));
        let mut config = Config::default();
        config.secrets.directory = Some(secrets.path().to_owned());
        config.approval.intent_key_refs = vec!["file:links".into()];
        config.auth.issuers = vec![issuer.config()];
        config.webhooks.allow_private_addresses = vec!["127.0.0.1".into()];
        let allowed = config.webhooks.allow_private_addresses.clone();
        let mut stage = Stage::configured(config).await;
        let quick = Limits { connect: Duration::from_secs(3), whole: Duration::from_secs(4) };
        let outgoing = Outgoing::new(&allowed, quick).unwrap();
        stage.more.push(Arc::new(Slack::new(outgoing, stage.ctx.secrets.clone())));
        let chat = Self { stage, far, issuer, _secrets: secrets };
        chat.declare(tiers).await;
        chat
    }

    async fn declare(&self, tiers: &[Tier]) {
        let slack = SlackChannel {
            channel: "C0123ABCD".into(),
            token_ref: "file:token".into(),
            signing_secret_ref: "file:signing".into(),
            api_url: format!("{}/api", self.far.url),
        };
        let route = NotificationRouteSpec {
            events: vec!["rpo.*".into()],
            channel: Some(Declared::Slack(slack)),
            ..NotificationRouteSpec::default()
        };
        self.stage.route("chat", route).await;
        self.policy(tiers).await;
        for (name, role) in [("ingo", Role::ApproverIt), ("bea", Role::ApproverBusiness)] {
            let spec = ContactSpec {
                person: self.issuer.person(name),
                email: format!("{name}@example.com"),
                asked_as: vec![role.into()],
                ..ContactSpec::default()
            };
            self.stage.declare(Kind::Contact, name, Spec::ContactSpec(spec)).await;
        }
    }

    async fn policy(&self, tiers: &[Tier]) {
        let rule = MessageApprovalRule {
            channels: vec!["slack".into()],
            tiers: tiers.iter().map(|tier| (*tier).into()).collect(),
            ..MessageApprovalRule::default()
        };
        let spec = PolicySpec { message_approvals: Some(rule), ..PolicySpec::default() };
        self.stage.declare(Kind::Policy, "by-chat", Spec::PolicySpec(spec)).await;
    }

    async fn happens(&self, event: request_event::Event) {
        self.stage.append::<Request>(REQUEST, RequestEvent { event: Some(event) }, Timestamp::now()).await;
    }

    fn by<T>(&self, name: &str, group: &str, message: T) -> tonic::Request<T> {
        let token = self.issuer.token(name, &[group], false);
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    /// As a person does it: asks, reads the code in Slack, types it.
    async fn bind(&self, name: &str, group: &str, user: &str) {
        let mut api = NotifierServiceClient::connect(self.stage.url.clone()).await.unwrap();
        let ask = || BindChatRequest { tenant: "acme".into(), user: user.into(), ..BindChatRequest::default() };
        let asked = api.bind_chat(self.by(name, group, ask())).await.unwrap().into_inner();
        let code = self.messages(user).pop().unwrap().text;
        let code = code.split("The code is ").nth(1).unwrap().split('.').next().unwrap().to_owned();
        let confirm = |code: &str| ConfirmChatRequest {
            tenant: "acme".into(),
            binding_id: asked.binding_id.clone(),
            code: code.into(),
            ..ConfirmChatRequest::default()
        };
        assert!(api.confirm_chat(self.by(name, group, confirm("WRONGWRO"))).await.is_err(), "any code binds");
        assert!(api.confirm_chat(self.by("mallory", group, confirm(&code))).await.is_err(), "anybody binds");
        let bound = api.confirm_chat(self.by(name, group, confirm(&code))).await.unwrap().into_inner();
        assert_eq!(bound.binding.unwrap().person, self.issuer.person(name));
        let id: AggregateId = binding_id("acme", "slack", TEAM, user).into();
        let kept = self.stage.ctx.log.load::<ChatBinding>(&self.stage.tenant, &id).await.unwrap().state;
        assert_eq!(kept.person(), Some(self.issuer.person(name).as_str()));
    }

    /// The messages in the conversation with this person.
    fn messages(&self, user: &str) -> Vec<Message> {
        let conversation = user.replacen('U', "D", 1);
        self.far.with(|workspace| workspace.messages.iter().filter(|m| m.channel == conversation).cloned().collect())
    }

    /// The message that asks this person.
    fn question(&self, user: &str) -> Message {
        self.messages(user).into_iter().find(|message| !buttons(message).is_empty()).unwrap()
    }

    async fn intent(&self, id: &str) -> Intent {
        self.stage.ctx.log.load::<Intent>(&self.stage.tenant, &id.parse().unwrap()).await.unwrap().state
    }

    /// Until so many messages of a kind were taken by Slack.
    async fn taken(&self, kind: &str, count: usize) -> Vec<DeliveryView> {
        let taken = |list: &[DeliveryView]| by_slack(list, kind).len() >= count;
        by_slack(&self.stage.until(&format!("{count} of {kind} by Slack"), taken).await, kind)
    }
}

fn by_slack(list: &[DeliveryView], kind: &str) -> Vec<DeliveryView> {
    let taken = |d: &&DeliveryView| d.channel == "slack" && d.message_kind == kind;
    list.iter().filter(taken).filter(|d| d.state() == DeliveryState::Accepted).cloned().collect()
}

/// Buttons that say whose they are.
fn buttons(message: &Message) -> Vec<Value> {
    let blocks = message.blocks.as_array().into_iter().flatten();
    let elements = blocks.filter(|block| block["type"] == "actions").flat_map(|block| block["elements"].as_array());
    elements.flatten().filter(|element| element["value"].is_string()).cloned().collect()
}

/// What Slack sends when a button is pressed.
struct Press {
    body: String,
    timestamp: i64,
}

fn press(button: &Value, user: &str, of_team: &str) -> Press {
    let payload = json!({
        "type": "block_actions",
        "team": {"id": TEAM},
        "user": {"id": user, "team_id": of_team},
        "actions": [button],
    });
    let body =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
    Press { body, timestamp: Timestamp::now().as_second() }
}

fn signature(press: &Press, secret: &str) -> String {
    let base = format!("v0:{}:{}", press.timestamp, press.body);
    format!("v0={}", muster_fakes::check::hmac_hex(secret, base.as_bytes()))
}

async fn send(chat: &Chat, press: &Press, secret: &str) -> u16 {
    send_signed(chat, press, signature(press, secret)).await
}

async fn send_signed(chat: &Chat, press: &Press, signature: String) -> u16 {
    let call = reqwest::Client::new()
        .post(format!("{}/callbacks/slack/acme", chat.stage.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-slack-request-timestamp", press.timestamp.to_string())
        .header("x-slack-signature", signature)
        .body(press.body.clone());
    call.send().await.unwrap().status().as_u16()
}

fn approved_by(actor: Actor, role: Role, completes: bool) -> request_event::Event {
    let missing = if completes { Vec::new() } else { vec!["one approval by Approver-Business".into()] };
    request_event::Event::Approved(RequestApproved {
        approver: Some(actor),
        as_role: role.into(),
        completes,
        missing,
        ..RequestApproved::default()
    })
}

impl Chat {
    fn actor(&self, name: &str, role: Role) -> Actor {
        Actor {
            id: self.issuer.person(name),
            name: name.into(),
            kind: ActorKind::Person.into(),
            roles: vec![role.into()],
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bound_account_is_asked_pressed_and_told_and_decides_nothing() {
    let mut chat = Chat::start(&[Tier::Tier2]).await;
    chat.stage.start().await;
    chat.bind("ingo", "it", INGO).await;
    chat.bind("bea", "business", BEA).await;
    chat.happens(opened(Tier::Tier2)).await;
    chat.taken("approval.asked", 2).await;

    // One button, to the link of that person alone, and a handle that opens nothing by itself.
    let question = chat.question(INGO);
    let of_ingo = buttons(&question);
    assert_eq!(of_ingo.len(), 1, "{of_ingo:?}");
    let button = &of_ingo[0];
    assert_eq!((&button["action_id"], &button["text"]["text"]), (&json!("decide"), &json!("Review and decide")));
    let links = IntentLinks::new(&chat.stage.ctx.config.approval, chat.stage.ctx.secrets.clone());
    let token = button["url"].as_str().unwrap().strip_prefix("https://muster.example/intent/").unwrap();
    let intent_id = links.open(token).unwrap().unwrap().intent_id;
    assert_eq!(button["value"], intent_id.as_str());
    assert_eq!(chat.intent(&intent_id).await.issued.unwrap().person, chat.issuer.person("ingo"));
    assert_ne!(buttons(&chat.question(BEA))[0]["value"], intent_id.as_str());

    presses_decide_nothing_and_strangers_are_recorded(&chat, button, &intent_id).await;

    // Ingo decides on the page: his message says so, and Bea's still asks.
    chat.happens(approved_by(chat.actor("ingo", Role::ApproverIt), Role::ApproverIt, false)).await;
    let told = chat.taken("approval.outcome", 1).await;
    assert!(told[0].receipt.starts_with("accepted by Slack (changed)"), "{}", told[0].receipt);
    let (of_ingo, of_bea) = (chat.messages(INGO), chat.messages(BEA));
    assert_eq!((of_ingo.len(), of_bea.len()), (2, 2), "the code and the question: changed, not added to");
    assert!(of_ingo[1].text.contains("Recorded: your approval") && buttons(&of_ingo[1]).is_empty(), "{of_ingo:?}");
    assert!(!of_ingo[1].text.contains("repeat"), "{of_ingo:?}");
    assert_eq!((buttons(&of_bea[1]).len(), of_bea[1].edits), (1, 0));

    chat.happens(approved_by(chat.actor("bea", Role::ApproverBusiness), Role::ApproverBusiness, true)).await;
    chat.taken("approval.outcome", 3).await;
    for user in [INGO, BEA] {
        let last = chat.messages(user).pop().unwrap();
        assert!(last.text.contains("is approved") && buttons(&last).is_empty(), "{last:?}");
        let link = format!("https://muster.example/t/acme/requests/{REQUEST}");
        assert!(last.blocks.to_string().contains(&link) && !last.blocks.to_string().contains("/intent/"));
    }
    chat.stage.stop().await;
}

async fn presses_decide_nothing_and_strangers_are_recorded(chat: &Chat, button: &Value, intent_id: &str) {
    let refusals = async || {
        let intent = chat.intent(intent_id).await;
        assert!(intent.used.is_none(), "a press decided");
        intent.refusals
    };
    let own = press(button, INGO, TEAM);
    assert_eq!(send(chat, &own, SIGNING_SECRET).await, 200);
    assert_eq!(refusals().await, 0, "the page decides, not the button");
    assert_eq!(send(chat, &own, SIGNING_SECRET).await, 401, "played again");
    assert_eq!(send(chat, &press(button, BEA, TEAM), SIGNING_SECRET).await, 200);
    assert_eq!(refusals().await, 1, "bound to somebody else");
    assert_eq!(send(chat, &press(button, STRANGER, TEAM), SIGNING_SECRET).await, 200);
    assert_eq!(refusals().await, 2, "bound to nobody");
    assert_eq!(send(chat, &press(button, INGO, "T0999ZZZZ"), SIGNING_SECRET).await, 200);
    assert_eq!(refusals().await, 3, "an account of another workspace is nobody here");
    assert_eq!(send(chat, &press(button, STRANGER, TEAM), "another secret").await, 401);
    // What lies ahead comes nearer while the machine does other things.
    for off in [-301, 330] {
        let timestamp = Timestamp::now().as_second() + off;
        let old = Press { timestamp, ..press(button, STRANGER, TEAM) };
        assert_eq!(send(chat, &old, SIGNING_SECRET).await, 401, "{off} s off");
    }
    let genuine = press(button, BEA, TEAM);
    let changed = Press { body: format!("{}&x=1", genuine.body), ..genuine };
    let of_genuine = signature(&press(button, BEA, TEAM), SIGNING_SECRET);
    assert_eq!(send_signed(chat, &changed, of_genuine).await, 401, "the signature is of other bytes");
    assert_eq!(refusals().await, 3, "what is not Slack's leaves no trace with the intent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tier_1_is_asked_by_mail_alone() {
    // Whatever a policy says: never tier 1.
    let mut chat = Chat::start(&[Tier::Tier1, Tier::Tier2]).await;
    chat.stage.start().await;
    chat.bind("ingo", "it", INGO).await;
    chat.happens(opened(Tier::Tier1)).await;
    let mails = |list: &[DeliveryView]| list.iter().filter(|d| d.message_kind == "approval.asked").count();
    let list = chat.stage.until("both are asked", |list| mails(list) == 2).await;
    assert!(list.iter().all(|d| d.channel == "email"), "{list:#?}");
    assert!(chat.messages(INGO).iter().all(|message| buttons(message).is_empty()));
    chat.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_copy_is_changed_and_one_that_cannot_be_is_answered() {
    let mut chat = Chat::start(&[Tier::Tier2]).await;
    chat.stage.start().await;
    chat.bind("ingo", "it", INGO).await;
    chat.happens(opened(Tier::Tier2)).await;
    let asked = |list: &[DeliveryView]| list.iter().filter(|d| d.message_kind == "approval.asked").count();
    let list = chat.stage.until("both by mail, one by Slack", |list| asked(list) == 3).await;
    assert_eq!(list.iter().filter(|d| d.channel == "slack").count(), 1, "Bea has bound nothing: {list:#?}");
    chat.taken("approval.asked", 1).await;
    chat.happens(request_event::Event::Escalated(RequestEscalated { stage: 1, ..Default::default() })).await;
    chat.taken("approval.asked", 2).await;
    let asking: Vec<String> =
        chat.messages(INGO).iter().filter(|m| !buttons(m).is_empty()).map(|m| m.ts.clone()).collect();
    assert_eq!(asking.len(), 2);
    // The first change takes effect and is not answered: both are changed all the same, and nothing is posted twice.
    chat.far.trouble(Trouble::SilenceAfterEffect);
    chat.happens(approved_by(chat.actor("ingo", Role::ApproverIt), Role::ApproverIt, false)).await;
    let told = chat.taken("approval.outcome", 1).await;
    assert!(told[0].receipt.starts_with("2 messages: accepted by Slack (changed)"), "{}", told[0].receipt);
    let after = chat.messages(INGO);
    assert_eq!(after.len(), 3, "the code and two questions");
    assert!(after.iter().filter(|m| asking.contains(&m.ts)).all(|m| m.edits >= 1 && buttons(m).is_empty()));
    assert!(after.iter().all(|m| !m.text.contains("repeat")), "{after:?}");

    // Somebody has deleted them: then the outcome is a message of its own.
    chat.far.with(|workspace| workspace.messages.retain(|message| !asking.contains(&message.ts)));
    chat.happens(request_event::Event::Withdrawn(RequestWithdrawn::default())).await;
    chat.taken("approval.outcome", 2).await;
    let last = chat.messages(INGO).pop().unwrap();
    assert!(last.text.contains("is withdrawn") && last.edits == 0, "{last:?}");
    chat.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_policy_takes_back_before_it_is_sent_is_sent_without_the_button() {
    let mut chat = Chat::start(&[Tier::Tier2]).await;
    chat.stage.start().await;
    chat.bind("ingo", "it", INGO).await;
    // The first attempt meets "later", and then the tenant opts out.
    chat.far.trouble(Trouble::Instead(Reply::too_many(1)));
    chat.happens(opened(Tier::Tier2)).await;
    chat.stage.until("it waits", |list| list.iter().any(|d| d.retry_at.is_some())).await;
    chat.policy(&[Tier::Tier3]).await;
    chat.taken("approval.asked", 1).await;
    let asked = chat.messages(INGO).pop().unwrap();
    assert!(buttons(&asked).is_empty() && !asked.blocks.to_string().contains("/intent/"), "{asked:?}");
    assert!(asked.blocks.to_string().contains(&format!("https://muster.example/t/acme/requests/{REQUEST}")));
    chat.stage.stop().await;
}
