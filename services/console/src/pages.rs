//! The pages. Each asks the API and fills a template; what the API refuses is shown in its own words.

use std::sync::Arc;

use axum::{
    Form,
    extract::{OriginalUri, Path, Query, State},
    http::HeaderMap,
    response::{Html, IntoResponse, Redirect, Response},
};
use minijinja::{Value, context};
use muster_domain::request::type_of;
use muster_domain::{
    access::role_name,
    pb::{
        audit::v1::{AuditFilter, ListEventsRequest},
        common::v1::{PageRequest, Role},
        execution::v1::StopExecutionRequest,
        identity::v1::{WhoAmIRequest, WhoAmIResponse},
        notification::v1::ListDeliveriesRequest,
        readiness::v1::{GetReadinessRequest, GetTrendRequest, ListReadinessRequest, ReadinessView, Status},
        request::v1::{
            ApproveRequestRequest, DenyRequestRequest, GetRequestRequest, ListRequestsRequest, OpenRequestRequest,
            RequestType, StartRequestRequest, WithdrawRequestRequest,
        },
    },
    time::duration_from_pb,
};
use serde::{Deserialize, Serialize};

use crate::{
    Console,
    api::PersonApi,
    error::{Page, PageError, shown},
    login::person,
    session::{Session, random_key},
    trend,
};

/// Enough for a screen; more is a matter of paging.
const LIST: u32 = 100;

/// One person looking at one tenant.
struct Visit {
    api: PersonApi,
    session: Session,
    me: WhoAmIResponse,
    tenant: String,
}

impl Visit {
    async fn begin(console: &Console, headers: &HeaderMap, address: &str, tenant: &str) -> Result<Self, PageError> {
        let session = person(console, headers, address)?;
        let api = console.api.for_person(&session.token)?;
        let me = api.identity().who_am_i(WhoAmIRequest {}).await?.into_inner();
        Ok(Self { api, session, me, tenant: tenant.to_owned() })
    }

    fn roles(&self) -> Vec<Role> {
        let here = self.me.tenants.iter().find(|held| held.tenant == self.tenant);
        here.map(|held| held.roles().collect()).unwrap_or_default()
    }

    /// What the frame of every page shows. A role's buttons are absent for those who do not hold it;
    /// the API decides all the same.
    fn frame(&self) -> Value {
        let roles = self.roles();
        let tenants: Vec<String> = self.me.tenants.iter().map(|held| held.tenant.clone()).collect();
        context! {
            me => self.me.name.clone(),
            tenant => self.tenant.clone(),
            tenants,
            roles => roles.iter().map(|role| role_name(*role)).collect::<Vec<_>>(),
            form_key => self.session.form_key.clone(),
            may_open => roles.contains(&Role::Operator),
            may_start => roles.contains(&Role::Operator),
            may_decide => roles.contains(&Role::ApproverIt) || roles.contains(&Role::ApproverBusiness),
            may_stop => [Role::Operator, Role::ApproverIt, Role::Admin].iter().any(|role| roles.contains(role)),
        }
    }
}

/// GET /: to the first tenant of the person.
pub(crate) async fn home(State(console): State<Arc<Console>>, headers: HeaderMap) -> Response {
    let page = async {
        let visit = Visit::begin(&console, &headers, "/", "").await?;
        let own = visit.me.tenants.iter().map(|held| held.tenant.as_str());
        // The operating tenant has no fleet; whoever has another one means that.
        let first =
            own.clone().find(|tenant| *tenant != muster_domain::TenantId::OPERATING).or_else(|| own.clone().next());
        match first {
            Some(tenant) => Ok(Redirect::to(&format!("/t/{tenant}")).into_response()),
            None => Err(tonic::Status::permission_denied(
                "You are logged in and belong to no tenant. Ask an admin to map one of your groups to a role.",
            )
            .into()),
        }
    };
    shown(&console, page.await)
}

/// One row of the fleet, with what CSS and people need.
#[derive(Serialize)]
pub(crate) struct FleetRow {
    #[serde(flatten)]
    view: serde_json::Value,
    light: &'static str,
    fresh: bool,
}

/// The rows, and how many there are of each light.
pub(crate) fn fleet_values(resources: &[ReadinessView]) -> Value {
    let rows: Vec<FleetRow> = resources.iter().map(fleet_row).collect();
    let count = |light: &str| rows.iter().filter(|row| row.light == light).count();
    let counts = context! { red => count("red"), unknown => count("unknown"), yellow => count("yellow"), green => count("green") };
    context! { rows => value(&rows), counts }
}

fn fleet_row(resource: &ReadinessView) -> FleetRow {
    let status = resource.assessment.as_ref().map_or(Status::Unknown, |assessment| assessment.status());
    let light = match status {
        Status::Green => "green",
        Status::Yellow => "yellow",
        Status::Red => "red",
        Status::Unknown | Status::Unspecified => "unknown",
    };
    let stale_after = resource.thresholds.as_ref().and_then(|t| duration_from_pb(t.stale_after.as_ref()));
    let age = duration_from_pb(resource.freshness.as_ref());
    let fresh = matches!((age, stale_after), (Some(age), Some(limit)) if age <= limit);
    FleetRow { view: serde_json::to_value(resource).unwrap_or_default(), light, fresh }
}

/// GET /t/{tenant}
pub(crate) async fn fleet(
    State(console): State<Arc<Console>>,
    Path(tenant): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let page = async {
        let visit = Visit::begin(&console, &headers, uri.path(), &tenant).await?;
        let asked = ListReadinessRequest { tenant: tenant.clone(), page: page_of(LIST), ..Default::default() };
        let resources = visit.api.monitor().list_readiness(asked).await?.into_inner().resources;
        html(&console, "fleet.html", context! { frame => visit.frame(), tenant, ..fleet_values(&resources) })
    };
    shown(&console, page.await)
}

/// GET /t/{tenant}/resources/{name}
pub(crate) async fn resource(
    State(console): State<Arc<Console>>,
    Path((tenant, name)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let page = async {
        let visit = Visit::begin(&console, &headers, uri.path(), &tenant).await?;
        let mut monitor = visit.api.monitor();
        let asked = GetReadinessRequest { tenant: tenant.clone(), resource: name.clone(), ..Default::default() };
        let view = monitor.get_readiness(asked).await?.into_inner().resource.unwrap_or_default();
        let points = monitor
            .get_trend(GetTrendRequest { tenant: tenant.clone(), resource: name.clone(), ..Default::default() })
            .await?
            .into_inner()
            .points;
        let limit =
            view.thresholds.as_ref().and_then(|t| duration_from_pb(t.rpo_breach.as_ref())).map(|d| d.as_secs_f64());
        let asked = ListRequestsRequest {
            tenant: tenant.clone(),
            resource: name.clone(),
            page: page_of(10),
            ..Default::default()
        };
        let requests = visit.api.approval().list_requests(asked).await?.into_inner().requests;
        let row = fleet_row(&view);
        let target = if view.active_site == view.dr_site { &view.primary_site } else { &view.dr_site };
        html(
            &console,
            "resource.html",
            context! { frame => visit.frame(), row => value(&row), tenant, trend => value(&trend::draw(&points, limit)), requests => value(&requests), target, request_key => random_key() },
        )
    };
    shown(&console, page.await)
}

/// GET /t/{tenant}/requests
pub(crate) async fn requests(
    State(console): State<Arc<Console>>,
    Path(tenant): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let page = async {
        let visit = Visit::begin(&console, &headers, uri.path(), &tenant).await?;
        let asked = ListRequestsRequest { tenant: tenant.clone(), page: page_of(LIST), ..Default::default() };
        let requests = visit.api.approval().list_requests(asked).await?.into_inner().requests;
        html(&console, "requests.html", context! { frame => visit.frame(), requests => value(&requests), tenant })
    };
    shown(&console, page.await)
}

/// GET /t/{tenant}/requests/{id}
pub(crate) async fn request(
    State(console): State<Arc<Console>>,
    Path((tenant, id)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let page = async {
        let visit = Visit::begin(&console, &headers, uri.path(), &tenant).await?;
        let asked = GetRequestRequest { tenant: tenant.clone(), request_id: id.clone(), ..Default::default() };
        let request = visit.api.approval().get_request(asked).await?.into_inner().request.unwrap_or_default();
        let asked = ListDeliveriesRequest {
            tenant: tenant.clone(),
            request_id: id.clone(),
            page: page_of(50),
            ..Default::default()
        };
        let deliveries = visit.api.notifier().list_deliveries(asked).await?.into_inner().deliveries;
        html(
            &console,
            "request.html",
            context! { frame => visit.frame(), request => value(&request), deliveries => value(&deliveries), tenant, action_key => random_key() },
        )
    };
    shown(&console, page.await)
}

#[derive(Deserialize)]
pub(crate) struct OpenForm {
    form_key: String,
    request_key: String,
    resource: String,
    kind: String,
    target_site: String,
    reason: String,
    #[serde(default)]
    ticket: String,
}

/// POST /t/{tenant}/requests
pub(crate) async fn open_request(
    State(console): State<Arc<Console>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Form(form): Form<OpenForm>,
) -> Response {
    let page = async {
        let visit = Visit::begin(&console, &headers, &format!("/t/{tenant}/requests"), &tenant).await?;
        same_form(&visit, &form.form_key)?;
        let kind = type_of(&form.kind).unwrap_or(RequestType::Unspecified);
        let asked = OpenRequestRequest {
            tenant: tenant.clone(),
            r#type: kind.into(),
            resource: form.resource,
            target_site: form.target_site,
            reason: form.reason,
            ticket: form.ticket,
            idempotency_key: form.request_key,
            ..OpenRequestRequest::default()
        };
        let request = visit.api.approval().open_request(asked).await?.into_inner().request.unwrap_or_default();
        Ok(Redirect::to(&format!("/t/{tenant}/requests/{}", request.request_id)).into_response())
    };
    shown(&console, page.await)
}

#[derive(Deserialize)]
pub(crate) struct ActForm {
    form_key: String,
    action_key: String,
    #[serde(default)]
    text: String,
}

/// POST /t/{tenant}/requests/{id}/{action}
pub(crate) async fn act(
    State(console): State<Arc<Console>>,
    Path((tenant, request_id, action)): Path<(String, String, String)>,
    headers: HeaderMap,
    Form(form): Form<ActForm>,
) -> Response {
    let page = async {
        let back_to = format!("/t/{tenant}/requests/{request_id}");
        let visit = Visit::begin(&console, &headers, &back_to, &tenant).await?;
        same_form(&visit, &form.form_key)?;
        let (idempotency_key, text) = (form.action_key, form.text);
        let mut approval = visit.api.approval();
        match action.as_str() {
            "approve" => approval
                .approve_request(ApproveRequestRequest {
                    tenant,
                    request_id,
                    note: text,
                    idempotency_key,
                    ..ApproveRequestRequest::default()
                })
                .await
                .map(drop)?,
            "deny" => approval
                .deny_request(DenyRequestRequest { tenant, request_id, reason: text, idempotency_key })
                .await
                .map(drop)?,
            "withdraw" => approval
                .withdraw_request(WithdrawRequestRequest { tenant, request_id, reason: text, idempotency_key })
                .await
                .map(drop)?,
            "start" => approval
                .start_request(StartRequestRequest { tenant, request_id, confirmation: text, idempotency_key })
                .await
                .map(drop)?,
            "stop" => visit
                .api
                .executor()
                .stop_execution(StopExecutionRequest { tenant, request_id, reason: text, idempotency_key })
                .await
                .map(drop)?,
            other => return Err(tonic::Status::not_found(format!("There is no action '{other}' on a request.")).into()),
        }
        Ok(Redirect::to(&back_to).into_response())
    };
    shown(&console, page.await)
}

#[derive(Clone, Deserialize, Serialize, Default)]
#[serde(default)]
pub(crate) struct AuditQuery {
    resource: String,
    request_id: String,
    actor: String,
    kind: String,
    page: String,
}

/// GET /t/{tenant}/audit
pub(crate) async fn audit(
    State(console): State<Arc<Console>>,
    Path(tenant): Path<String>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<AuditQuery>,
    headers: HeaderMap,
) -> Response {
    let page = async {
        let address = uri.path_and_query().map_or("/", |address| address.as_str());
        let visit = Visit::begin(&console, &headers, address, &tenant).await?;
        let filter = AuditFilter {
            resource: query.resource.clone(),
            request_id: query.request_id.clone(),
            actor: query.actor.clone(),
            types: Some(query.kind.clone()).filter(|kind| !kind.is_empty()).into_iter().collect(),
            ..Default::default()
        };
        let asked = ListEventsRequest {
            tenant: tenant.clone(),
            filter: Some(filter),
            newest_first: true,
            page: Some(PageRequest { page_size: LIST, page_token: query.page.clone() }),
            ..Default::default()
        };
        let found = visit.api.audit().list_events(asked).await?.into_inner();
        let next = found.page.map(|page| page.next_page_token).filter(|token| !token.is_empty());
        let next = next.map(|page| older(&AuditQuery { page, ..query.clone() }));
        html(
            &console,
            "audit.html",
            context! { frame => visit.frame(), records => value(&found.records), query => value(&query), next, tenant },
        )
    };
    shown(&console, page.await)
}

/// The address of the page that follows.
fn older(query: &AuditQuery) -> String {
    let fields = [
        ("resource", &query.resource),
        ("request_id", &query.request_id),
        ("actor", &query.actor),
        ("kind", &query.kind),
        ("page", &query.page),
    ];
    format!("?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
}

fn html(console: &Console, template: &str, values: Value) -> Page {
    Ok(Html(console.templates.render(template, values)?).into_response())
}

/// As the API's JSON form: the templates use its names.
pub(crate) fn value(shown: &impl Serialize) -> Value {
    Value::from(minijinja::value::Serde(shown))
}

fn page_of(page_size: u32) -> Option<PageRequest> {
    Some(PageRequest { page_size, page_token: String::new() })
}

/// The form came from a page that this session was given.
fn same_form(visit: &Visit, form_key: &str) -> Result<(), PageError> {
    if visit.session.form_key == form_key {
        return Ok(());
    }
    Err(tonic::Status::failed_precondition(
        "This form is not from your present session. Nothing was done. Go back, reload the page and try again.",
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_domain::pb::{common::v1::Thresholds, readiness::v1::Assessment};
    use muster_domain::time::duration_to_pb;

    #[test]
    fn a_row_without_an_observation_is_unknown_and_not_fresh() {
        let row = fleet_row(&ReadinessView::default());
        assert_eq!((row.light, row.fresh), ("unknown", false));
    }

    #[test]
    fn freshness_is_judged_by_the_resource_s_own_limit() {
        let seconds = |s| Some(duration_to_pb(jiff::SignedDuration::from_secs(s)));
        let mut view = ReadinessView {
            assessment: Some(Assessment { status: Status::Green.into(), ..Default::default() }),
            thresholds: Some(Thresholds { stale_after: seconds(10), ..Default::default() }),
            freshness: seconds(9),
            ..Default::default()
        };
        assert!(fleet_row(&view).fresh);
        view.freshness = seconds(11);
        assert!(!fleet_row(&view).fresh);
    }
}
