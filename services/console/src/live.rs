//! The fleet as it changes: server-sent events with the rows ready to be shown.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response, Sse, sse::Event},
};
use futures::StreamExt as _;
use minijinja::context;
use muster_domain::pb::readiness::v1::WatchReadinessRequest;

use crate::{
    Console,
    error::{PageError, shown},
    login::person,
    pages::fleet_values,
};

pub(crate) async fn stream(
    State(console): State<Arc<Console>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
) -> Response {
    match watch(&console, tenant, &headers).await {
        Ok(response) => response,
        Err(e) => shown(&console, Err(e)),
    }
}

async fn watch(console: &Arc<Console>, tenant: String, headers: &HeaderMap) -> Result<Response, PageError> {
    let session = person(console, headers, "/")?;
    let api = console.api.for_person(&session.token)?;
    let updates = api.monitor().watch_readiness(WatchReadinessRequest { tenant: tenant.clone() }).await?.into_inner();
    let console = Arc::clone(console);
    let events = updates.map(move |update| {
        // The stream of the API ended or failed: the page says so and asks again.
        let event = match update {
            Ok(fleet) => {
                let page = context! { tenant => &tenant, ..fleet_values(&fleet.resources) };
                match console.templates.render("fleet_table.html", page) {
                    Ok(html) => Event::default().event("fleet").data(html),
                    Err(e) => Event::default().event("trouble").data(e.to_string()),
                }
            }
            Err(status) => Event::default().event("trouble").data(status.message()),
        };
        Ok::<_, Infallible>(event)
    });
    Ok(Sse::new(events).keep_alive(axum::response::sse::KeepAlive::default()).into_response())
}
