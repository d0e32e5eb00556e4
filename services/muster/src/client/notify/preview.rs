//! `muster notify preview`.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use muster_domain::pb::inventory::v1::{MessageTemplateSpec, document::Spec};
use muster_domain::pb::notification::v1::PreviewMessageRequest;
use muster_planner::manifest;

use crate::client::{error::CliError, output::Screen, session::Session};

/// A template is a few thousand bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// The kind of message: rpo.breached, request.created, …
    kind: String,
    /// How it would go out: email (the default), webhook, slack, teams, pagerduty, gds_notification.
    #[arg(long, default_value = "", hide_default_value = true)]
    channel: String,
    /// en or de; default: the tenant's.
    #[arg(long, default_value = "", hide_default_value = true)]
    language: String,
    /// A manifest with a MessageTemplate that is not declared yet.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// The HTML of the mail instead of its text.
    #[arg(long)]
    html: bool,
}

pub(super) async fn run(args: PreviewArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let template = args.template.as_deref().map(|path| template(path, session)).transpose()?;
    let ask = PreviewMessageRequest {
        tenant: session.tenant(),
        message_kind: args.kind,
        channel: args.channel,
        language: args.language,
        template,
    };
    let answer = session.notifier().preview_message(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    screen.field("template", answer.template.as_str())?;
    screen.field("subject", answer.subject.as_str())?;
    screen.line("")?;
    let body = match (args.html, answer.payload.is_empty()) {
        (true, _) => &answer.html,
        (false, false) => &answer.payload,
        (false, true) => &answer.text,
    };
    body.lines().try_for_each(|line| screen.line(line))
}

fn template(path: &Path, session: &Session) -> Result<MessageTemplateSpec, CliError> {
    let unusable = |why: String| CliError::Usage(format!("--template {}: {why}", path.display()));
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|e| unusable(e.to_string()))?;
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|e| unusable(e.to_string()))?;
    let tenant = session.tenant().parse().map_err(|e: muster_domain::InvalidId| unusable(e.to_string()))?;
    let declared = manifest::parse(&text, &tenant)
        .map_err(|faults| unusable(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    let found = declared.into_iter().find_map(|declaration| match declaration.document.spec {
        Some(Spec::MessageTemplateSpec(spec)) => Some(spec),
        _ => None,
    });
    found.ok_or_else(|| unusable("there is no MessageTemplate in it".to_owned()))
}
