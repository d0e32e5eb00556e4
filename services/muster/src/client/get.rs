//! `muster get`: lists, and single documents in the form they can be applied again.

use clap::Args;
use muster_domain::pb::common::v1::PageRequest;
use muster_domain::pb::inventory::v1::{
    Document, GetDocumentRequest, Kind, ListDocumentsRequest, ListDocumentsResponse, document::Spec,
};
use muster_domain::pb::notification::v1::{ListDeliveriesRequest, ListDeliveriesResponse};
use muster_domain::pb::readiness::v1::{
    GetReadinessRequest, ListAlertsRequest, ListAlertsResponse, ListReadinessRequest, ListReadinessResponse,
};
use muster_planner::manifest;

use super::{
    error::CliError,
    kinds,
    output::{Screen, table::Table, words},
    session::Session,
    watch,
};

/// Pages that are read before the list is cut: 20,000 entries are for a program, not a terminal.
const MAX_PAGES: usize = 40;
const PAGE_SIZE: u32 = 500;

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// tenants, sites, resources, groups, policies, routes, all; readiness (or status), alerts, deliveries.
    #[arg(value_name = "KIND")]
    what: String,
    /// One document, or the resource whose readiness, alerts or deliveries are wanted.
    name: Option<String>,
    /// Documents that were taken out of use, and alerts that are over, too.
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(args: GetArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    match args.what.to_ascii_lowercase().as_str() {
        "readiness" | "status" => readiness(args.name.as_deref(), session, screen).await,
        "alerts" | "alert" => alerts(&args, session, screen).await,
        "deliveries" | "delivery" => deliveries(&args, session, screen).await,
        "all" => documents(Kind::Unspecified, args.all, session, screen).await,
        "requests" | "request" => Err(CliError::Usage("requests are listed by `muster request list`".to_owned())),
        _ => {
            let kind = kinds::document_kind(&args.what).ok_or_else(|| unknown(&args.what))?;
            match &args.name {
                Some(name) => document(kind, name, session, screen).await,
                None => documents(kind, args.all, session, screen).await,
            }
        }
    }
}

fn unknown(what: &str) -> CliError {
    CliError::Usage(format!(
        "'{what}' cannot be listed; there are: {}, all, readiness, alerts, deliveries",
        kinds::HELP
    ))
}

/// The first page, then all others.
pub(crate) fn next_page(token: String) -> Option<PageRequest> {
    Some(PageRequest { page_size: PAGE_SIZE, page_token: token })
}

/// Where the list goes on, if it does and may.
pub(crate) fn follows(
    page: Option<muster_domain::pb::common::v1::PageResponse>,
    pages: usize,
    screen: &Screen,
) -> Result<Option<String>, CliError> {
    let token = page.map(|page| page.next_page_token).filter(|token| !token.is_empty());
    if token.is_some() && pages >= MAX_PAGES {
        screen.note("the list is longer than what is shown; narrow it down")?;
        return Ok(None);
    }
    Ok(token)
}

pub(crate) async fn fetch_document(kind: Kind, name: &str, session: &Session) -> Result<Document, CliError> {
    let ask = GetDocumentRequest { tenant: session.tenant(), kind: kind.into(), name: name.to_owned(), min_version: 0 };
    let answer = session.planner().get_document(session.ask(ask)).await?.into_inner();
    answer.document.ok_or_else(|| CliError::Failed("the answer has no document".to_owned()))
}

/// An empty list of a mistyped name would say that all is well. Retired resources have their history.
async fn must_be_declared(name: Option<&str>, session: &Session) -> Result<(), CliError> {
    match name {
        Some(name) => fetch_document(Kind::Resource, name, session).await.map(drop),
        None => Ok(()),
    }
}

async fn document(kind: Kind, name: &str, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let document = fetch_document(kind, name, session).await?;
    if screen.is_yaml() {
        return screen.line(yaml(&document)?.trim_end());
    }
    if !screen.is_table() {
        return screen.value(&document);
    }
    table(&[document]).print(screen, "")
}

pub(crate) fn yaml(document: &Document) -> Result<String, CliError> {
    manifest::to_yaml(document).map_err(|error| CliError::Failed(error.to_string()))
}

async fn documents(kind: Kind, include_retired: bool, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let mut all = ListDocumentsResponse::default();
    let (mut token, mut pages) = (Some(String::new()), 0);
    while let Some(after) = token {
        let ask = ListDocumentsRequest {
            tenant: session.tenant(),
            kind: kind.into(),
            include_retired,
            page: next_page(after),
            min_version: 0,
        };
        let answer = session.planner().list_documents(session.ask(ask)).await?.into_inner();
        all.documents.extend(answer.documents);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    if screen.is_yaml() {
        for document in &all.documents {
            screen.line(&format!("---\n{}", yaml(document)?.trim_end()))?;
        }
        return Ok(());
    }
    if !screen.is_table() {
        return screen.value(&all);
    }
    table(&all.documents).print(screen, "nothing is declared")
}

fn table(documents: &[Document]) -> Table {
    let mut table = Table::new(&["KIND", "NAME", "VERSION", "DECLARED", "ABOUT"]);
    for document in documents {
        let about = if document.retired { "retired".to_owned() } else { about(document) };
        table.row([
            manifest::kind_name(document.kind()).into(),
            document.name.as_str().into(),
            document.version.to_string().into(),
            words::time(document.declared_at.as_ref()).into(),
            about.into(),
        ]);
    }
    table
}

/// One line that tells documents apart.
fn about(document: &Document) -> String {
    match &document.spec {
        Some(Spec::TenantSpec(spec)) => format!("{} {}", spec.display_name, spec.region),
        Some(Spec::SiteSpec(spec)) => format!("{} {}", spec.display_name, spec.region),
        Some(Spec::ResourceSpec(spec)) => format!(
            "tier {}, {}, {} -> {}, RPO {}, RTO {}, owner {}",
            words::tier(spec.tier()),
            words::environment(spec.environment()),
            spec.primary_site,
            spec.dr_site,
            words::duration(spec.rpo.as_ref()),
            words::duration(spec.rto.as_ref()),
            spec.owner,
        ),
        Some(Spec::PlanSpec(spec)) => {
            let steps: usize = spec.phases.iter().map(|phase| phase.steps.len()).sum();
            format!("{steps} steps, {} -> {}, owner {}", spec.from_site, spec.to_site, spec.owner)
        }
        Some(Spec::GroupSpec(spec)) => {
            spec.members.iter().map(|member| member.resource.as_str()).collect::<Vec<_>>().join(", ")
        }
        Some(Spec::PolicySpec(spec)) => {
            format!("{} approval rules, {} readiness rules", spec.approvals.len(), spec.readiness.len())
        }
        Some(Spec::NotificationRouteSpec(spec)) => {
            let events = if spec.events.is_empty() { "everything".to_owned() } else { spec.events.join(", ") };
            format!("{events}{}", if spec.production_on_call { " (production on-call)" } else { "" })
        }
        Some(Spec::ScheduleSpec(spec)) => {
            let when = if spec.cron.is_empty() { &spec.rrule } else { &spec.cron };
            let of = [&spec.resource, &spec.group, &spec.plan].into_iter().find(|name| !name.is_empty());
            format!("{} of {}, {when} {}", spec.what, of.map_or("the tenant", |name| name), spec.time_zone)
        }
        Some(Spec::ContactSpec(spec)) => format!("{} {}", spec.display_name, spec.email),
        Some(Spec::MessageTemplateSpec(spec)) => format!("{} {}", spec.language, spec.kinds.join(", ")),
        None => String::new(),
    }
}

async fn readiness(name: Option<&str>, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let mut all = ListReadinessResponse::default();
    if let Some(name) = name {
        // A mistyped name must not look like "nothing to worry about": the API refuses it.
        let ask = GetReadinessRequest { tenant: session.tenant(), resource: name.to_owned(), min_version: 0 };
        all.resources.extend(session.monitor().get_readiness(session.ask(ask)).await?.into_inner().resource);
    }
    let (mut token, mut pages) = (name.is_none().then(String::new), 0);
    while let Some(after) = token {
        let ask = ListReadinessRequest { tenant: session.tenant(), page: next_page(after), min_version: 0 };
        let answer = session.monitor().list_readiness(session.ask(ask)).await?.into_inner();
        all.resources.extend(answer.resources);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    if !screen.is_table() {
        return screen.value(&all);
    }
    watch::fleet_table(all.resources.iter(), std::time::Duration::ZERO, session.clock.now())
        .print(screen, "no resource is watched")
}

async fn alerts(args: &GetArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    must_be_declared(args.name.as_deref(), session).await?;
    let mut all = ListAlertsResponse::default();
    let (mut token, mut pages) = (Some(String::new()), 0);
    while let Some(after) = token {
        let resource = args.name.clone().unwrap_or_default();
        let ask = ListAlertsRequest {
            tenant: session.tenant(),
            resource,
            include_resolved: args.all,
            page: next_page(after),
            min_version: 0,
        };
        let answer = session.monitor().list_alerts(session.ask(ask)).await?.into_inner();
        all.alerts.extend(answer.alerts);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    if !screen.is_table() {
        return screen.value(&all);
    }
    let mut table = Table::new(&["SEVERITY", "KIND", "RESOURCE", "TIER", "OPENED", "RESOLVED", "REASON"]);
    for alert in &all.alerts {
        let reasons = alert.assessment.as_ref().map(|a| a.reasons.as_slice()).unwrap_or_default();
        table.row([
            words::severity(alert.severity()),
            words::alert_kind(alert.kind()).into(),
            alert.resource.as_str().into(),
            words::tier(alert.tier()).into(),
            words::time(alert.opened_at.as_ref()).into(),
            words::time(alert.resolved_at.as_ref()).into(),
            reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("; ").into(),
        ]);
    }
    table.print(screen, "no alerts")
}

async fn deliveries(args: &GetArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    must_be_declared(args.name.as_deref(), session).await?;
    let mut all = ListDeliveriesResponse::default();
    let (mut token, mut pages) = (Some(String::new()), 0);
    while let Some(after) = token {
        let resource = args.name.clone().unwrap_or_default();
        let ask = ListDeliveriesRequest {
            tenant: session.tenant(),
            resource,
            page: next_page(after),
            ..ListDeliveriesRequest::default()
        };
        let answer = session.notifier().list_deliveries(session.ask(ask)).await?.into_inner();
        all.deliveries.extend(answer.deliveries);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    if !screen.is_table() {
        return screen.value(&all);
    }
    let mut table = Table::new(&["STATE", "QUEUED", "ROUTE", "CHANNEL", "RECIPIENT", "MESSAGE", "TRIES", "ERROR"]);
    for delivery in &all.deliveries {
        table.row([
            words::delivery_state(delivery.state()),
            words::time(delivery.queued_at.as_ref()).into(),
            delivery.route.as_str().into(),
            delivery.channel.as_str().into(),
            delivery.recipient.as_str().into(),
            format!("{} {}", delivery.message_kind, delivery.subject).into(),
            delivery.attempts.to_string().into(),
            delivery.last_error.as_str().into(),
        ]);
    }
    table.print(screen, "nothing was sent yet")
}
