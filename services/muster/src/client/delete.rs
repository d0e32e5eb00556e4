//! `muster delete`: takes a document out of use. Nothing is deleted by leaving it out of a manifest.

use clap::Args;
use muster_domain::pb::inventory::v1::RetireDocumentRequest;

use super::{error::CliError, kinds, output::Screen, session::Session};

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// tenant, site, resource, group, policy or route.
    kind: String,
    name: String,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
}

pub(crate) async fn run(args: DeleteArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let kind = kinds::must_be_document_kind(&args.kind)?;
    let ask = RetireDocumentRequest {
        tenant: session.tenant(),
        kind: kind.into(),
        name: args.name.clone(),
        reason: args.reason,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.planner().retire_document(session.ask(ask)).await?.into_inner();
    if screen.is_table() {
        screen.line(&format!("{} is out of use; its history stays", kinds::title(kind, &args.name)))
    } else {
        screen.value(&answer)
    }
}
