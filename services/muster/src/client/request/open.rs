//! `muster request open`.

use clap::Args;
use jiff::SignedDuration;
use muster_domain::pb::request::v1::{BreakGlassRequest, OpenRequestRequest, RequestType};
use muster_domain::request::{TYPES, type_name, type_of};
use muster_domain::time::duration_to_pb;

use super::{find, show};
use crate::client::{error::CliError, output::Screen, session::Session};

#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// switchover, failover, failback, rotation, readiness-drill, isolated-drill, tabletop-drill, live-drill or rollback.
    #[arg(long = "type", value_name = "TYPE", value_parser = request_type)]
    kind: RequestType,
    /// What it is about: a resource …
    #[arg(long, conflicts_with = "group", default_value = "", hide_default_value = true)]
    resource: String,
    /// … or a group, with everything in it.
    #[arg(long, default_value = "", hide_default_value = true)]
    group: String,
    /// The site it shall run on afterwards. Without it, drills and rotations are about the side where it does not run, a failback goes home, a rollback goes back.
    #[arg(long, value_name = "SITE", default_value = "", hide_default_value = true)]
    to: String,
    /// A published plan; default: the published one of the scope, or the built-in one.
    #[arg(long, default_value = "", hide_default_value = true)]
    plan: String,
    /// What approvers decide on.
    #[arg(long)]
    reason: String,
    /// The change ticket, where the policy asks for one.
    #[arg(long, default_value = "", hide_default_value = true)]
    ticket: String,
    /// For a rollback: the request whose run is taken back.
    #[arg(long, value_name = "REQUEST")]
    rollback_of: Option<String>,
    /// The preflight that was looked at; approvers see its verdict.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    preflight: String,
    /// Emergency: start without the missing approvals. The incident is told to everybody at once.
    #[arg(long, value_name = "INCIDENT", requires = "break_glass_reason")]
    break_glass_incident: Option<String>,
    /// Why approvers cannot be waited for; the review begins with it.
    #[arg(long, value_name = "TEXT", requires = "break_glass_incident")]
    break_glass_reason: Option<String>,
    /// How long the emergency path stays open, like 30m; default and upper bound: the policy's, at most 1h.
    #[arg(long, value_name = "DURATION", value_parser = length, requires = "break_glass_incident")]
    limit: Option<SignedDuration>,
}

/// The type of that name.
pub(crate) fn request_type(text: &str) -> Result<RequestType, String> {
    type_of(&text.to_ascii_lowercase()).ok_or_else(|| format!("one of {}", TYPES.map(type_name).join(", ")))
}

fn length(text: &str) -> Result<SignedDuration, String> {
    text.parse::<SignedDuration>().map_err(|_| "write it like 30m".to_owned())
}

pub(super) async fn run(args: OpenArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let rollback_of = match &args.rollback_of {
        Some(piece) => find::find(piece, session).await?.request_id,
        None => String::new(),
    };
    let break_glass = args.break_glass_incident.map(|incident| BreakGlassRequest {
        incident,
        reason: args.break_glass_reason.unwrap_or_default(),
        limit: args.limit.map(duration_to_pb),
    });
    let ask = OpenRequestRequest {
        tenant: session.tenant(),
        r#type: args.kind.into(),
        resource: args.resource,
        target_site: args.to,
        reason: args.reason,
        ticket: args.ticket,
        idempotency_key: session.idempotency_key(),
        group: args.group,
        plan: args.plan,
        break_glass,
        rollback_of,
        preflight_id: args.preflight,
    };
    let answer = session.approval().open_request(session.ask(ask)).await?.into_inner();
    show::print(&answer.request.unwrap_or_default(), session.clock.now(), screen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_known_by_its_name() {
        for kind in TYPES {
            assert_eq!(request_type(type_name(kind)), Ok(kind));
        }
        assert!(request_type("move").is_err_and(|allowed| allowed.contains("tabletop-drill")));
        assert_eq!(length("30m"), Ok(SignedDuration::from_mins(30)));
        assert!(length("half an hour").is_err());
    }
}
