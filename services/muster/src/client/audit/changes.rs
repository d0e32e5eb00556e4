//! `muster audit changes`: who changed which field from what to what.

use clap::Args;
use muster_domain::inventory::kind_token;
use muster_domain::pb::audit::v1::{ListConfigurationChangesRequest, ListConfigurationChangesResponse};
use muster_domain::pb::common::v1::PageRequest;
use muster_domain::time::to_pb;

use super::{MAX_PAGE, time};
use crate::client::{
    error::CliError,
    kinds::must_be_document_kind,
    output::{Screen, table::Table, words},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct ChangesArgs {
    /// Only documents of this kind: resource, policy, …
    kind: Option<String>,
    /// Only this document.
    name: Option<String>,
    /// Part of the field's path: thresholds, rpo.
    #[arg(long, default_value = "", hide_default_value = true)]
    field: String,
    /// From this time on: a time, a day, or 2h for "two hours ago".
    #[arg(long)]
    from: Option<String>,
    /// Until this time, in the same forms.
    #[arg(long)]
    to: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

pub(super) async fn run(args: ChangesArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let now = session.clock.now();
    let at = |option: &str, text: &Option<String>| {
        text.as_deref().map(|text| time(option, text, now).map(to_pb)).transpose()
    };
    let (from, to) = (at("--from", &args.from)?, at("--to", &args.to)?);
    let kind = args.kind.as_deref().map(must_be_document_kind).transpose()?;
    let mut all = ListConfigurationChangesResponse::default();
    let mut token = String::new();
    loop {
        let left = args.limit - u32::try_from(all.changes.len()).unwrap_or(args.limit).min(args.limit);
        let ask = ListConfigurationChangesRequest {
            tenant: session.tenant(),
            kind: kind.map(kind_token).unwrap_or_default().to_owned(),
            name: args.name.clone().unwrap_or_default(),
            field: args.field.clone(),
            from,
            to,
            page: Some(PageRequest { page_size: left.min(MAX_PAGE), page_token: token }),
            min_version: 0,
        };
        let answer = session.audit().list_configuration_changes(session.ask(ask)).await?.into_inner();
        all.changes.extend(answer.changes);
        token = answer.page.map(|page| page.next_page_token).unwrap_or_default();
        if token.is_empty() || all.changes.len() >= args.limit as usize {
            break;
        }
    }
    if !screen.is_table() {
        return screen.value(&all);
    }
    let mut table = Table::new(&["TIME", "ACTOR", "DOCUMENT", "VERSION", "WHAT", "FIELD", "FROM", "TO", "SEQUENCE"]);
    for change in &all.changes {
        table.row([
            words::time(change.time.as_ref()).into(),
            words::actor(change.actor.as_ref()).into(),
            format!("{}/{}", change.kind, change.name).into(),
            change.document_version.to_string().into(),
            change.what.as_str().into(),
            words::or_dash(&change.field).into(),
            words::or_dash(&words::shortened(&change.from)).into(),
            words::or_dash(&words::shortened(&change.to)).into(),
            change.sequence.to_string().into(),
        ]);
    }
    table.print(screen, "no changes")?;
    if token.is_empty() {
        Ok(())
    } else {
        screen.note(&format!("there are more; --limit shows more than {}", args.limit))
    }
}
