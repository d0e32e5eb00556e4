//! GET /t/{tenant}/requests/{id}/report: the run report, as the API makes it.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use muster_domain::pb::audit::v1::{GetRunReportRequest, ReportFormat};

use crate::{Console, error::shown, login::person};

/// The page names its own style sheet by its digest, and nothing else; here it is the header too.
const POLICY_BEGINS: &str = "http-equiv=\"Content-Security-Policy\" content=\"";

pub(crate) async fn page(
    State(console): State<Arc<Console>>,
    Path((tenant, request_id)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let page = async {
        let session = person(&console, &headers, uri.path())?;
        let api = console.api.for_person(&session.token)?;
        let asked = GetRunReportRequest { tenant, request_id, format: ReportFormat::Html.into() };
        let content = api.audit().get_run_report(asked).await?.into_inner().content;
        let content = String::from_utf8_lossy(&content).into_owned();
        Ok(([(header::CONTENT_SECURITY_POLICY, policy_of(&content))], Html(content)).into_response())
    };
    shown(&console, page.await)
}

/// Without one, nothing of the page is used but its text.
fn policy_of(content: &str) -> HeaderValue {
    let own = content.split(POLICY_BEGINS).nth(1).and_then(|rest| rest.split('"').next());
    own.and_then(|own| HeaderValue::from_str(&format!("{own}; frame-ancestors 'none'")).ok())
        .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

#[cfg(test)]
mod tests {
    use super::policy_of;

    #[test]
    fn a_page_without_a_policy_of_its_own_gets_nothing() {
        let page = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-x'\">";
        assert_eq!(policy_of(page), "default-src 'none'; style-src 'sha256-x'; frame-ancestors 'none'");
        assert_eq!(policy_of("<p>"), "default-src 'none'; frame-ancestors 'none'");
    }
}
