//! What a step of a plan does: exactly one key, `move`, `wait`, `http`, `dns`, `command`, `notify` or `manual`.

use muster_domain::pb::plan::v1::{
    Action, CommandAction, DnsAction, HttpAction, ManualAction, MoveAction, NotifyAction, WaitAction, action::Kind,
};

use super::{condition, fields::Fields, policy::roles};

const KINDS: &[&str] = &["move", "wait", "http", "dns", "command", "notify", "manual"];

/// The action among the keys of a step.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Option<Action> {
    let kind = match fields.one_of(KINDS, "a step does one thing")? {
        "move" => Some(Kind::Move(MoveAction { resource: fields.text("move") })),
        "wait" => fields.block("wait").map(|block| Kind::Wait(WaitAction { until: condition::read(block) })),
        "http" => fields.block("http").map(|block| Kind::Http(http(block))),
        "dns" => fields.block("dns").map(|block| Kind::Dns(dns(block))),
        "command" => fields.block("command").map(|block| Kind::Command(command(block))),
        "notify" => Some(Kind::Notify(NotifyAction { text: fields.text("notify") })),
        _ => fields.block("manual").map(|block| Kind::Manual(manual(block))),
    };
    kind.map(|kind| Action { kind: Some(kind) })
}

/// An action in a block of its own: an undo.
pub(super) fn block(mut fields: Fields<'_, '_>) -> Option<Action> {
    let action = read(&mut fields);
    fields.finish();
    action
}

fn http(mut fields: Fields<'_, '_>) -> HttpAction {
    let action = HttpAction {
        method: fields.text("method"),
        url: fields.text("url"),
        reverse_url: fields.text("reverseUrl"),
        body: fields.text("body"),
        content_type: fields.text("contentType"),
        token_ref: fields.text("tokenRef"),
        expect_status: fields.wholes("expectStatus"),
    };
    fields.finish();
    action
}

fn dns(mut fields: Fields<'_, '_>) -> DnsAction {
    let action = DnsAction {
        server: fields.text("server"),
        zone: fields.text("zone"),
        name: fields.text("name"),
        r#type: fields.text("type"),
        from_values: fields.texts("fromValues"),
        to_values: fields.texts("toValues"),
        ttl: fields.duration("ttl"),
        key_name: fields.text("keyName"),
        key_ref: fields.text("keyRef"),
        secondaries: fields.texts("secondaries"),
    };
    fields.finish();
    action
}

fn command(mut fields: Fields<'_, '_>) -> CommandAction {
    let action = CommandAction { name: fields.text("name"), arguments: fields.texts("arguments") };
    fields.finish();
    action
}

fn manual(mut fields: Fields<'_, '_>) -> ManualAction {
    let action = ManualAction {
        role: fields.choice("role", &roles()).unwrap_or_default().into(),
        instructions: fields.text("instructions"),
    };
    fields.finish();
    action
}
