//! `muster audit denied`: what was refused to whom.

use clap::Args;
use muster_domain::pb::audit::v1::{ListDeniedAttemptsRequest, ListDeniedAttemptsResponse};
use muster_domain::pb::common::v1::PageRequest;
use muster_domain::refusal::describe;
use muster_domain::time::to_pb;

use super::{MAX_PAGE, time};
use crate::client::{
    error::CliError,
    output::{Screen, table::Table, words},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct DeniedArgs {
    /// From this time on: a time, a day, or 2h for "two hours ago".
    #[arg(long)]
    from: Option<String>,
    /// Until this time, in the same forms.
    #[arg(long)]
    to: Option<String>,
    /// Part of the actor's id or name.
    #[arg(long, default_value = "", hide_default_value = true)]
    actor: String,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

pub(super) async fn run(args: DeniedArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let now = session.clock.now();
    let at = |option: &str, text: &Option<String>| {
        text.as_deref().map(|text| time(option, text, now).map(to_pb)).transpose()
    };
    let (from, to) = (at("--from", &args.from)?, at("--to", &args.to)?);
    let mut all = ListDeniedAttemptsResponse::default();
    let mut token = String::new();
    loop {
        let left = args.limit - u32::try_from(all.attempts.len()).unwrap_or(args.limit).min(args.limit);
        let ask = ListDeniedAttemptsRequest {
            tenant: session.tenant(),
            from,
            to,
            actor: args.actor.clone(),
            page: Some(PageRequest { page_size: left.min(MAX_PAGE), page_token: token }),
            min_version: 0,
        };
        let answer = session.audit().list_denied_attempts(session.ask(ask)).await?.into_inner();
        all.attempts.extend(answer.attempts);
        token = answer.page.map(|page| page.next_page_token).unwrap_or_default();
        if token.is_empty() || all.attempts.len() >= args.limit as usize {
            break;
        }
    }
    if !screen.is_table() {
        return screen.value(&all);
    }
    let mut table = Table::new(&["TIME", "TIMES", "ACTOR", "TRIED", "ON", "RULE", "WHY", "SEQUENCE"]);
    for attempt in &all.attempts {
        let record = attempt.record.clone().unwrap_or_default();
        let refusal = attempt.refusal.clone().unwrap_or_default();
        let on = if record.resource.is_empty() { &record.request_id } else { &record.resource };
        table.row([
            words::time(record.time.as_ref()).into(),
            attempt.count.to_string().into(),
            words::actor(record.actor.as_ref()).into(),
            attempt.method.rsplit('/').next().unwrap_or_default().into(),
            words::or_dash(on).into(),
            refusal.code.as_str().into(),
            words::shortened(&describe(&refusal)).into(),
            record.sequence.to_string().into(),
        ]);
    }
    table.print(screen, "no denied attempts")?;
    if token.is_empty() {
        Ok(())
    } else {
        screen.note(&format!("there are more; --limit shows more than {}", args.limit))
    }
}
