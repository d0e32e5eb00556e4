//! A request by its id, or by enough of it.

use muster_domain::pb::request::v1::{GetRequestRequest, ListRequestsRequest, RequestView};

use crate::client::{error::CliError, get::next_page, session::Session};

/// Shorter pieces fit by accident.
const SHORTEST: usize = 4;
/// A UUID with its hyphens.
const WHOLE: usize = 36;
/// Newest first: requests older than the newest 5,000 are named by their whole id.
const MAX_PAGES: usize = 10;

pub(crate) async fn find(text: &str, session: &Session) -> Result<RequestView, CliError> {
    let text = text.trim().to_ascii_lowercase();
    let id = if text.len() == WHOLE { text } else { complete(&text, session).await? };
    get(&id, session).await
}

pub(super) async fn get(id: &str, session: &Session) -> Result<RequestView, CliError> {
    let ask = GetRequestRequest { tenant: session.tenant(), request_id: id.to_owned(), min_version: 0 };
    let answer = session.approval().get_request(session.ask(ask)).await?.into_inner();
    answer.request.ok_or_else(|| CliError::Failed("the answer has no request".to_owned()))
}

async fn complete(piece: &str, session: &Session) -> Result<String, CliError> {
    if piece.len() < SHORTEST || piece.len() > WHOLE {
        return Err(CliError::Usage(format!(
            "'{piece}': give the request's id, or at least {SHORTEST} characters of its beginning or end"
        )));
    }
    let mut ids = Vec::new();
    let mut token = String::new();
    for _ in 0..MAX_PAGES {
        let ask =
            ListRequestsRequest { tenant: session.tenant(), page: next_page(token), ..ListRequestsRequest::default() };
        let answer = session.approval().list_requests(session.ask(ask)).await?.into_inner();
        ids.extend(answer.requests.into_iter().map(|view| view.request_id));
        token = answer.page.map(|page| page.next_page_token).unwrap_or_default();
        if token.is_empty() {
            break;
        }
    }
    only_match(piece, &ids)
}

fn only_match(piece: &str, ids: &[String]) -> Result<String, CliError> {
    let fits: Vec<&String> = ids.iter().filter(|id| id.starts_with(piece) || id.ends_with(piece)).collect();
    match fits.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(CliError::Refused(Box::new(muster_domain::refusal::refusal(
            "REQUEST_NOT_FOUND",
            "there is no such request in this tenant",
            piece,
            "the beginning or end of a request's id",
            "list them with `muster request list`",
        )))),
        several => {
            let ids = several.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
            Err(CliError::Usage(format!("'{piece}' fits several requests, give more of it: {ids}")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn a_piece_must_fit_one_request_only() {
        let ids =
            ["019345aa-0000-7000-8000-00000000beef".to_owned(), "019345aa-0000-7000-8000-00000000cafe".to_owned()];
        assert_eq!(only_match("cafe", &ids).unwrap(), ids[1]);
        assert_eq!(only_match("019345aa", &ids).unwrap_err().exit().code(), 2);
        assert_eq!(only_match("dead", &ids).unwrap_err().exit().code(), 3);
    }
}
