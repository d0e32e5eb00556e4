//! The rules of the tenant's policies, put into the messages about alerts.

use muster_domain::TenantId;
use muster_domain::delivery::alert_rule::{self, Chosen, Subject};
use muster_domain::delivery::message::kind;
use muster_domain::delivery::{Message, Severity};
use muster_runtime::Context;

use super::runbooks;
use crate::routes::Routes;

/// The rule that holds for an alert now.
pub(crate) fn chosen(routes: &Routes, tenant: &TenantId, subject: &Subject<'_>) -> Chosen {
    let found = routes.with_documents(tenant, |documents| {
        alert_rule::choose(documents.policies().map(|(document, spec)| (document.name.as_str(), spec)), subject)
    });
    found.unwrap_or_else(|| alert_rule::choose([], subject))
}

/// The message as the rules want it: severity and runbook. `None`: a rule says that it is not told at all.
pub(crate) fn shaped(ctx: &Context, routes: &Routes, tenant: &TenantId, mut message: Message) -> Option<Message> {
    let over = message.kind == kind::ALERT_RESOLVED;
    // The end of an alert is told by the rule of the alert, as severe as it opened at worst.
    let opening = if over { message.alert_kind.clone() } else { message.kind.clone() };
    let severity = if over { Severity::Critical } else { message.severity };
    let subject = Subject { message_kind: &opening, severity, tier: message.tier, environment: message.environment };
    let chosen = chosen(routes, tenant, &subject);
    if over && chosen.rule.without_resolved {
        return None;
    }
    if over {
        message.runbook_url.clone_from(&chosen.rule.runbook_url);
    } else {
        chosen.apply(&mut message);
    }
    with_runbook(ctx, &opening, &mut message);
    Some(message)
}

/// Every message about an alert says where to read on.
pub(super) fn with_runbook(ctx: &Context, alert_kind: &str, message: &mut Message) {
    if message.runbook_url.is_empty() {
        message.runbook_url = runbooks::address(&ctx.config.server.public_url, alert_kind);
    }
}
