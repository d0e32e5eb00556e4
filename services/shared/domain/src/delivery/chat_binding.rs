//! A chat account that a person has shown to be theirs: a code goes to the account, and comes back by a person who is
//! logged in. What somebody is called in a chat proves nothing.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::aggregate::{Aggregate, EventKind};
use crate::ids::derived_id;
use crate::pb::common::v1::{Actor, Role};
use crate::pb::notification::v1::{
    ChatBindingAsked, ChatBindingEvent, ChatBindingView, ChatBound, ChatUnbound, chat_binding_event::Event,
};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::{PbTimestamp, from_pb, to_pb};

/// A code that lies about longer than this is read by others.
pub const CODE_LASTS: SignedDuration = SignedDuration::from_mins(10);
/// Slack's ids are shorter.
const MAX_ID: usize = 32;

/// The fold of its events.
#[derive(Debug, Clone, Default)]
pub struct ChatBinding {
    /// The newest question that nobody has answered.
    pub asked: Option<ChatBindingAsked>,
    /// Whose it is.
    pub bound: Option<ChatBindingAsked>,
    pub bound_at: Option<PbTimestamp>,
}

impl EventKind for ChatBindingEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Asked(_)) => "chat_binding.asked",
            Some(Event::Bound(_)) => "chat_binding.bound",
            Some(Event::Unbound(_)) => "chat_binding.unbound",
            None => "unset",
        }
    }
}

impl Aggregate for ChatBinding {
    const KIND: &'static str = "chat-binding";
    type Event = ChatBindingEvent;

    fn evolve(&mut self, event: &ChatBindingEvent) {
        match &event.event {
            Some(Event::Asked(asked)) => self.asked = Some(asked.clone()),
            Some(Event::Bound(bound)) => {
                self.bound = self.asked.take();
                self.bound_at = bound.bound_at;
            }
            Some(Event::Unbound(_)) => (self.bound, self.asked, self.bound_at) = (None, None, None),
            None => {}
        }
    }
}

impl ChatBinding {
    /// The stable id of whose it is.
    pub fn person(&self) -> Option<&str> {
        self.bound.as_ref()?.person.as_ref().map(|person| person.id.as_str())
    }

    pub fn view(&self, id: &str) -> Option<ChatBindingView> {
        let bound = self.bound.as_ref()?;
        let person = bound.person.clone().unwrap_or_default();
        Some(ChatBindingView {
            binding_id: id.to_owned(),
            channel: bound.channel.clone(),
            team: bound.team.clone(),
            user: bound.user.clone(),
            person: person.id,
            person_name: person.name,
            bound_at: self.bound_at,
        })
    }
}

/// One for each chat account: it is one person's, or nobody's.
pub fn binding_id(tenant: &str, channel: &str, team: &str, user: &str) -> Uuid {
    derived_id(&["chat-binding", tenant, channel, team, user])
}

/// Letters and digits as chats make their ids; anything else would end in another account's name.
pub fn check_user(user: &str) -> Result<(), Refusal> {
    let alphabet = user.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if alphabet && user.starts_with(['U', 'W']) && user.len() <= MAX_ID {
        return Ok(());
    }
    Err(field_refusal(
        "user",
        "FIELD_INVALID",
        "a chat account is named by its id",
        user.chars().take(MAX_ID).collect::<String>(),
        "a member id such as U012AB3CD",
        "copy it from your profile: More, Copy member ID",
    ))
}

/// Sends a code, in the record. Recorded before it is sent.
pub fn ask(
    binding: &ChatBinding,
    asked: ChatBindingAsked,
    now: Timestamp,
) -> Result<Option<ChatBindingEvent>, Refusal> {
    let wanted = asked.person.as_ref().map(|person| person.id.as_str());
    if binding.bound.is_some() && binding.person() != wanted {
        return Err(refusal(
            "CHAT_BOUND",
            "a chat account is one person's",
            "it is bound to somebody else",
            "an account that is bound to nobody",
            "the other person or an admin unbinds it first",
        ));
    }
    let expires_at = Some(to_pb(now + CODE_LASTS));
    Ok(event(Event::Asked(ChatBindingAsked { expires_at, ..asked })))
}

/// The code came back, by the person who asked for it.
pub fn confirm(
    binding: &ChatBinding,
    person: &str,
    code_sha256: &[u8],
    now: Timestamp,
) -> Result<Option<ChatBindingEvent>, Refusal> {
    let asked = binding.asked.as_ref().filter(|asked| asked.person.as_ref().is_some_and(|asker| asker.id == person));
    let Some(asked) = asked else { return Err(not_found()) };
    if from_pb(asked.expires_at.as_ref()).is_none_or(|end| now >= end) {
        return Err(field_refusal(
            "code",
            "CHAT_CODE_EXPIRED",
            "a code lasts ten minutes",
            format!("now {now:.0}"),
            "before its end",
            "ask for a new one with `muster chat bind`",
        ));
    }
    if asked.code_sha256 != code_sha256 {
        return Err(refusal(
            "CHAT_CODE_WRONG",
            "the code is the one that the chat account got",
            "another one",
            "the newest code",
            "read it in the direct message of Muster's app, or ask for a new one",
        ));
    }
    Ok(event(Event::Bound(ChatBound { bound_at: Some(to_pb(now)) })))
}

/// By the person whose it is, or an admin.
pub fn unbind(binding: &ChatBinding, by: &Actor, now: Timestamp) -> Result<Option<ChatBindingEvent>, Refusal> {
    let Some(person) = binding.person() else { return Err(not_found()) };
    if person != by.id && !by.roles().any(|role| role == Role::Admin) {
        return Err(not_found());
    }
    Ok(event(Event::Unbound(ChatUnbound { by: Some(by.clone()), unbound_at: Some(to_pb(now)) })))
}

fn not_found() -> Refusal {
    refusal(
        "CHAT_BINDING_NOT_FOUND",
        "people bind and unbind chat accounts of their own",
        "no such binding of yours",
        "a binding that you asked for",
        "list them with `muster chat list`",
    )
}

fn event(event: Event) -> Option<ChatBindingEvent> {
    Some(ChatBindingEvent { event: Some(event) })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn start() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn person(name: &str, role: Role) -> Actor {
        Actor { id: format!("idp|{name}"), roles: vec![role.into()], ..Actor::default() }
    }

    fn question(name: &str, code: &[u8]) -> ChatBindingAsked {
        ChatBindingAsked {
            channel: "slack".into(),
            team: "T1".into(),
            user: "U1".into(),
            person: Some(person(name, Role::ApproverIt)),
            code_sha256: code.to_vec(),
            expires_at: None,
        }
    }

    fn apply(binding: &mut ChatBinding, decided: Result<Option<ChatBindingEvent>, Refusal>) {
        binding.evolve(&decided.unwrap().unwrap());
    }

    #[test]
    fn an_account_is_bound_by_the_code_that_it_got_to_the_person_who_asked() {
        let mut binding = ChatBinding::default();
        let asked = ask(&binding, question("ingo", b"code"), start());
        apply(&mut binding, asked);
        let code = |outcome: Result<_, Refusal>| outcome.map(|_: Option<ChatBindingEvent>| ()).unwrap_err().code;
        assert_eq!(code(confirm(&binding, "idp|ingo", b"other", start())), "CHAT_CODE_WRONG");
        assert_eq!(code(confirm(&binding, "idp|bea", b"code", start())), "CHAT_BINDING_NOT_FOUND");
        assert_eq!(code(confirm(&binding, "idp|ingo", b"code", start() + CODE_LASTS)), "CHAT_CODE_EXPIRED");
        assert_eq!(binding.person(), None);
        let bound = confirm(&binding, "idp|ingo", b"code", start());
        apply(&mut binding, bound);
        assert_eq!(binding.person(), Some("idp|ingo"));
        assert_eq!(code(confirm(&binding, "idp|ingo", b"code", start())), "CHAT_BINDING_NOT_FOUND", "once");
        assert_eq!(code(ask(&binding, question("bea", b"x"), start())), "CHAT_BOUND");
        assert_eq!(code(unbind(&binding, &person("bea", Role::ApproverIt), start())), "CHAT_BINDING_NOT_FOUND");
        let unbound = unbind(&binding, &person("ada", Role::Admin), start());
        apply(&mut binding, unbound);
        assert!(binding.person().is_none() && ask(&binding, question("bea", b"x"), start()).is_ok());
    }

    #[test]
    fn accounts_are_named_by_ids_alone() {
        assert!(check_user("U012AB3CD").is_ok() && check_user("W1").is_ok());
        for wrong in ["", "ingo", "@ingo", "C0123ABCD", "u012", "U1 U2", "U<!channel>"] {
            assert_eq!(check_user(wrong).unwrap_err().field, "user", "{wrong}");
        }
    }
}
