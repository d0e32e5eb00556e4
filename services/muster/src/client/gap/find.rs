//! A gap by its id, or by enough of its beginning.

use muster_domain::pb::audit::v1::{Gap, ListGapsRequest};

use crate::client::{error::CliError, get::next_page, session::Session};

/// Shorter pieces fit by accident.
const SHORTEST: usize = 4;
/// A UUID with its hyphens.
const WHOLE: usize = 36;
/// More gaps than this are named by their whole id.
const MAX_PAGES: usize = 10;

pub(super) async fn find(text: &str, session: &Session) -> Result<Gap, CliError> {
    let piece = text.trim().to_ascii_lowercase();
    if piece.len() < SHORTEST || piece.len() > WHOLE {
        return Err(CliError::Usage(format!(
            "'{text}': give the gap's id, or at least {SHORTEST} characters of its beginning"
        )));
    }
    let whole = if piece.len() == WHOLE { piece.clone() } else { String::new() };
    let mut found = Vec::new();
    let mut token = String::new();
    for _ in 0..MAX_PAGES {
        let ask = ListGapsRequest {
            tenant: session.tenant(),
            include_closed: true,
            gap_id: whole.clone(),
            page: next_page(token),
            ..ListGapsRequest::default()
        };
        let answer = session.audit().list_gaps(session.ask(ask)).await?.into_inner();
        found.extend(answer.gaps.into_iter().filter(|gap| id_of(gap).starts_with(&piece)));
        token = answer.page.map(|page| page.next_page_token).unwrap_or_default();
        if token.is_empty() {
            break;
        }
    }
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => Err(CliError::Usage(format!("'{text}': no such gap; `muster gap list --all` shows them"))),
        several => Err(CliError::Usage(format!("'{text}': {several} gaps begin so; give more of the id"))),
    }
}

pub(super) fn id_of(gap: &Gap) -> &str {
    gap.opened.as_ref().map(|opened| opened.gap_id.as_str()).unwrap_or_default()
}
