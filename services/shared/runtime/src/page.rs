//! Pages of lists: a bounded size, and a token that says where the next one begins.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use muster_domain::{
    Refusal,
    pb::common::v1::{PageRequest, PageResponse},
    refusal::field_refusal,
};
use serde::{Serialize, de::DeserializeOwned};

/// What one answer holds when nobody said. Also in the contract (common.proto).
pub const DEFAULT_SIZE: u32 = 100;
/// 500 rows stay well below the 4 MiB of a message.
pub const MAX_SIZE: u32 = 500;
/// A token is a few column values; more is not ours.
const MAX_TOKEN: usize = 1024;

/// What the caller asked for. `C` is the cursor: the sort key of the last row that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<C> {
    pub size: u32,
    /// Absent on the first page.
    pub after: Option<C>,
}

/// Reads the page a request asks for. `list` names the list and its filter, so that a token of one list is
/// refused by another ("requests:acme").
pub fn parse<C: DeserializeOwned>(request: Option<&PageRequest>, list: &str) -> Result<Page<C>, Refusal> {
    let (size, token) = request.map_or((0, ""), |r| (r.page_size, r.page_token.as_str()));
    if size > MAX_SIZE {
        return Err(field_refusal(
            "page.page_size",
            "PAGE_SIZE_TOO_LARGE",
            "a page is bounded",
            size.to_string(),
            format!("1 to {MAX_SIZE}; 0 means {DEFAULT_SIZE}"),
            "ask for smaller pages and follow next_page_token",
        ));
    }
    let after = if token.is_empty() { None } else { Some(decode(token, list).ok_or_else(|| not_ours(token))?) };
    Ok(Page { size: if size == 0 { DEFAULT_SIZE } else { size }, after })
}

/// Cuts rows that were read with `limit size + 1` to one page and makes the token for the next.
pub fn finish<T, C: Serialize>(
    page_size: u32,
    list: &str,
    rows: &mut Vec<T>,
    cursor: impl Fn(&T) -> C,
) -> PageResponse {
    let size = usize::try_from(page_size).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| more).map(|last| encode(list, &cursor(last)));
    PageResponse { next_page_token: next.unwrap_or_default() }
}

/// An opaque token for "after this row".
pub fn encode<C: Serialize>(list: &str, cursor: &C) -> String {
    // A cursor is a tuple of plain values: serialising it cannot fail; an empty token would only end the list.
    serde_json::to_vec(&(list, cursor)).map(|json| URL_SAFE_NO_PAD.encode(json)).unwrap_or_default()
}

fn decode<C: DeserializeOwned>(token: &str, list: &str) -> Option<C> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (of, cursor): (String, C) = serde_json::from_slice(&json).ok()?;
    (of == list).then_some(cursor)
}

fn not_ours(token: &str) -> Refusal {
    field_refusal(
        "page.page_token",
        "PAGE_TOKEN_INVALID",
        "a page token must come from the previous answer of the same list with the same filter",
        token.chars().take(40).collect::<String>(),
        "next_page_token of the previous answer, or empty",
        "start again with an empty page_token",
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn request(page_size: u32, page_token: &str) -> PageRequest {
        PageRequest { page_size, page_token: page_token.to_owned() }
    }

    #[test]
    fn walks_a_list_to_its_end() {
        let all: Vec<u64> = (1..=5).collect();
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let page: Page<u64> = parse(Some(&request(2, &token)), "numbers").unwrap();
            let mut rows: Vec<u64> =
                all.iter().copied().filter(|n| page.after.is_none_or(|a| *n > a)).take(3).collect();
            let answer = finish(page.size, "numbers", &mut rows, |n| *n);
            seen.extend(rows);
            token = answer.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn refuses_what_it_did_not_make() {
        let other = encode("alerts:acme", &7_u64);
        for token in ["garbage!", "AAAA", &other, &"A".repeat(5000)] {
            let refusal = parse::<u64>(Some(&request(0, token)), "requests:acme").unwrap_err();
            assert_eq!((refusal.code.as_str(), refusal.field.as_str()), ("PAGE_TOKEN_INVALID", "page.page_token"));
        }
        assert_eq!(parse::<u64>(Some(&request(501, "")), "x").unwrap_err().code, "PAGE_SIZE_TOO_LARGE");
        assert_eq!(parse::<u64>(None, "x").unwrap().size, DEFAULT_SIZE);
    }
}
