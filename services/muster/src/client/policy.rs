//! `muster policy explain`: who would have to approve it, before anybody asks; with a draft, before it holds.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use muster_domain::gate::level_name;
use muster_domain::pb::inventory::v1::{ApplyRequest, Document, document::Spec};
use muster_domain::pb::request::v1::{ExplainPolicyRequest, ExplainPolicyResponse, RequestType};
use muster_domain::request::type_name;

use super::{
    apply::{in_files, read_one},
    error::CliError,
    output::{Screen, style::Tone, table::Cell},
    request::request_type,
    session::Session,
};

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Who must approve such a request, and what would hold up its start now.
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// "switchover", "isolated-drill", …
    #[arg(long = "type", value_name = "TYPE", value_parser = request_type)]
    kind: RequestType,
    /// Of a resource …
    #[arg(
        long,
        conflicts_with = "group",
        required_unless_present = "group",
        default_value = "",
        hide_default_value = true
    )]
    resource: String,
    /// … or of a group.
    #[arg(long, default_value = "", hide_default_value = true)]
    group: String,
    /// With the policies of this manifest as if they held already. Nothing is applied; it takes the right to apply it.
    #[arg(short = 'f', long = "file", value_name = "FILE|-")]
    draft: Option<PathBuf>,
}

pub(crate) async fn run(command: PolicyCommand, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let PolicyCommand::Explain(args) = command;
    let ask = ExplainPolicyRequest {
        tenant: session.tenant(),
        r#type: args.kind.into(),
        resource: args.resource.clone(),
        group: args.group.clone(),
        drafts: match &args.draft {
            Some(file) => drafts(file, session).await?,
            None => Vec::new(),
        },
    };
    let answer = session.approval().explain_policy(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    let of = if args.group.is_empty() { args.resource } else { format!("group {}", args.group) };
    screen.heading(&format!("{} of {of}", type_name(args.kind)))?;
    print(&answer, screen)
}

/// The policies of a manifest, read and checked where it would be applied.
async fn drafts(file: &std::path::Path, session: &Session) -> Result<Vec<Document>, CliError> {
    let source = read_one(file)?;
    let ask = ApplyRequest {
        tenant: session.tenant(),
        manifest: source.text.clone(),
        dry_run: true,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.planner().apply(session.ask(ask)).await;
    let answer = answer.map_err(|status| in_files(status.into(), &[source]))?.into_inner();
    let documents = answer.documents.into_iter().filter_map(|applied| applied.document);
    let policies: Vec<Document> =
        documents.filter(|document| matches!(document.spec, Some(Spec::PolicySpec(_)))).collect();
    if policies.is_empty() {
        return Err(CliError::Usage(format!("{} has no policy: there is nothing to try", file.display())));
    }
    Ok(policies)
}

fn print(answer: &ExplainPolicyResponse, screen: &Screen) -> Result<(), CliError> {
    screen.field("approvals", answer.text.as_str())?;
    screen.field("policy", answer.policy.as_ref().map(|policy| policy.source.as_str()).unwrap_or_default())?;
    screen.field("gate", format!("{} ({})", level_name(answer.gate()), answer.gate_source))?;
    screen.field("ticket", if answer.require_ticket { "required" } else { "not required" })?;
    match answer.freeze.as_str() {
        "" => screen.field("freeze", "none now"),
        freeze => screen.field("freeze", Cell::toned(Tone::Warning, format!("a start is refused now: {freeze}"))),
    }
}
