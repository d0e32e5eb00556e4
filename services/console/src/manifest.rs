//! GET /t/{tenant}/documents/{kind}/{name}: a declared document as the manifest that declares it, for the editor.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use muster_domain::pb::inventory::v1::{Document, GetDocumentRequest, Kind};

use crate::{Console, error::shown, login::person};

/// Writes a document as people write it. Given from outside: manifests belong to the planner.
pub type WriteManifest = fn(&Document) -> Result<String, String>;

pub(crate) async fn file(
    State(console): State<Arc<Console>>,
    Path((tenant, kind, name)): Path<(String, String, String)>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let Some(kind) = kind_of(&kind) else {
        return (StatusCode::NOT_FOUND, "There is no such kind of document.").into_response();
    };
    let written = async {
        let session = person(&console, &headers, uri.path())?;
        let api = console.api.for_person(&session.token)?;
        let asked = GetDocumentRequest { tenant, kind: kind.into(), name, min_version: 0 };
        let document = api.planner().get_document(asked).await?.into_inner().document.unwrap_or_default();
        let text = (console.write_manifest)(&document).map_err(tonic::Status::internal)?;
        Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
    };
    shown(&console, written.await)
}

/// "message-template", as addresses name it.
fn kind_of(token: &str) -> Option<Kind> {
    let name = format!("KIND_{}", token.to_ascii_uppercase().replace('-', "_"));
    Kind::from_str_name(&name).filter(|kind| *kind != Kind::Unspecified)
}

#[cfg(test)]
mod tests {
    use muster_domain::inventory::kind_token;

    use super::{Kind, kind_of};

    #[test]
    fn every_kind_has_an_address_and_nothing_else_has() {
        let kinds: Vec<Kind> = (1..).map_while(|number| Kind::try_from(number).ok()).collect();
        assert!(kinds.len() >= 10);
        for kind in kinds {
            assert_eq!(kind_of(kind_token(kind)), Some(kind));
        }
        for token in ["", "unspecified", "unknown", "secret", "../plan"] {
            assert_eq!(kind_of(token), None, "{token}");
        }
    }
}
