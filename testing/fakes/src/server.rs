//! What the fakes share: a server on a free port, the requests it saw, and trouble on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::response::Response;
use http::{HeaderMap, Method};
use serde_json::Value;

/// More than any of the services takes.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// Path and query, byte for byte.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: vec![("content-type", "application/json".into())], body: body.to_string() }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    /// "Later", after so many seconds.
    pub fn too_many(after_s: u64) -> Self {
        Self { status: 429, headers: vec![("retry-after", after_s.to_string())], body: String::new() }
    }

    pub fn redirect(to: &str) -> Self {
        Self { status: 307, headers: vec![("location", to.to_owned())], body: String::new() }
    }
}

/// What a fake does with a request.
pub trait Service: Send + 'static {
    fn handle(&mut self, request: &Request) -> Reply;
}

/// What happens to the next request instead of, or after, what it asks for.
pub enum Trouble {
    /// Not looked at: answered like this.
    Instead(Reply),
    /// Done, and never answered.
    SilenceAfterEffect,
    /// This is done first: the world changes between two requests.
    Meanwhile(Box<dyn FnOnce() + Send>),
}

struct Shared<S> {
    service: S,
    requests: Vec<Request>,
    trouble: VecDeque<Trouble>,
}

/// A running fake. Its port is free again when it is dropped.
pub struct Fake<S> {
    /// "http://127.0.0.1:PORT"
    pub url: String,
    shared: Arc<Mutex<Shared<S>>>,
    task: tokio::task::JoinHandle<()>,
}

impl<S: Service> Fake<S> {
    pub async fn start(service: S) -> std::io::Result<Self> {
        let shared = Arc::new(Mutex::new(Shared { service, requests: Vec::new(), trouble: VecDeque::new() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new().fallback(answer::<S>).with_state(shared.clone());
        let task = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { url, shared, task })
    }

    /// For the next request that has none yet.
    pub fn trouble(&self, trouble: Trouble) {
        self.lock().trouble.push_back(trouble);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// Looks at, or changes, what the service knows.
    pub fn with<T>(&self, look: impl FnOnce(&mut S) -> T) -> T {
        look(&mut self.lock().service)
    }

    fn lock(&self) -> MutexGuard<'_, Shared<S>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Drop for Fake<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer<S: Service>(State(shared): State<Arc<Mutex<Shared<S>>>>, request: HttpRequest) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let request = Request { method: parts.method, target, headers: parts.headers, body };
    let reply = {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.requests.push(request.clone());
        match shared.trouble.pop_front() {
            Some(Trouble::Instead(reply)) => Some(reply),
            Some(Trouble::SilenceAfterEffect) => {
                shared.service.handle(&request);
                None
            }
            Some(Trouble::Meanwhile(change)) => {
                change();
                Some(shared.service.handle(&request))
            }
            None => Some(shared.service.handle(&request)),
        }
    };
    let Some(reply) = reply else { return std::future::pending().await };
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = http::StatusCode::from_u16(reply.status).unwrap_or(http::StatusCode::IM_A_TEAPOT);
    for (name, value) in reply.headers {
        if let Ok(value) = http::HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Sliding windows for each key, as the real ones count.
#[derive(Default)]
pub struct Windows {
    seen: BTreeMap<String, VecDeque<Instant>>,
}

impl Windows {
    /// Counts one, or says how many seconds to wait.
    pub fn count(&mut self, key: &str, limits: &[(usize, u64)]) -> Result<(), u64> {
        let now = Instant::now();
        let longest = limits.iter().map(|(_, seconds)| *seconds).max().unwrap_or(0);
        let seen = self.seen.entry(key.to_owned()).or_default();
        while seen.front().is_some_and(|at| now.duration_since(*at) > Duration::from_secs(longest)) {
            seen.pop_front();
        }
        for (most, seconds) in limits {
            let length = Duration::from_secs(*seconds);
            if seen.iter().filter(|at| now.duration_since(**at) < length).count() >= *most {
                return Err(*seconds);
            }
        }
        seen.push_back(now);
        Ok(())
    }
}
