//! Just so much of S3 that the client's conditional writes are really sent: objects with ETags, `If-None-Match: *`,
//! `If-Match`, and a list.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use object_store::{ObjectStore, aws::AmazonS3Builder};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

const BUCKET: &str = "logs";

#[derive(Clone, Default)]
struct Objects(Arc<Mutex<BTreeMap<String, Bytes>>>);

/// A client of a bucket of its own.
pub(crate) async fn start() -> Arc<dyn ObjectStore> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(Objects::default());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let store = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_bucket_name(BUCKET)
        .with_region("eu-central-1")
        .with_access_key_id("key")
        .with_secret_access_key("secret")
        .build()
        .unwrap();
    Arc::new(store)
}

fn e_tag(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    format!("\"{}\"", digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>())
}

async fn answer(State(objects): State<Objects>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let key = parts.uri.path().trim_start_matches('/').trim_start_matches(BUCKET).trim_start_matches('/').to_owned();
    let content = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let mut all = objects.0.lock().unwrap();
    match parts.method {
        Method::PUT => put(&mut all, key, content, &parts.headers),
        Method::GET if key.is_empty() => list(&all, parts.uri.query().unwrap_or_default()),
        Method::GET => match all.get(&key) {
            Some(content) => {
                let headers =
                    [(header::ETAG, e_tag(content)), (header::LAST_MODIFIED, "Sun, 22 Nov 2026 03:00:00 GMT".into())];
                (headers, content.clone()).into_response()
            }
            None => (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response(),
        },
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn put(all: &mut BTreeMap<String, Bytes>, key: String, content: Bytes, headers: &HeaderMap) -> Response {
    let there = all.get(&key).map(|content| e_tag(content));
    let wanted = headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap().to_owned());
    let must_be_new = headers.contains_key(header::IF_NONE_MATCH);
    if (must_be_new && there.is_some()) || (wanted.is_some() && wanted != there) {
        return (StatusCode::PRECONDITION_FAILED, "<Error><Code>PreconditionFailed</Code></Error>").into_response();
    }
    let e_tag = e_tag(&content);
    all.insert(key, content);
    [(header::ETAG, e_tag)].into_response()
}

fn list(all: &BTreeMap<String, Bytes>, query: &str) -> Response {
    let value = |name: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap_or_default();
        found.replace("%2F", "/")
    };
    let (prefix, delimiter) = (value("prefix"), value("delimiter"));
    let (mut contents, mut folders) = (String::new(), std::collections::BTreeSet::new());
    for (key, content) in all.iter().filter(|(key, _)| key.starts_with(&prefix)) {
        match key[prefix.len()..].split_once('/') {
            Some((folder, _)) if !delimiter.is_empty() => {
                folders.insert(format!("{prefix}{folder}/"));
            }
            _ => contents.push_str(&format!(
                "<Contents><Key>{key}</Key><LastModified>2026-11-22T03:00:00.000Z</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                e_tag(content).replace('"', "&quot;"),
                content.len()
            )),
        }
    }
    let folders: String =
        folders.iter().map(|folder| format!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>")).collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}{folders}</ListBucketResult>").into_response()
}
