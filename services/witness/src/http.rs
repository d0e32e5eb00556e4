//! `POST /add-checkpoint` as C2SP tlog-witness has it, and a page that says what this is.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::{
    request::{self, MAX_BODY_BYTES},
    witness::{No, Witness},
};

const SIZE: &str = "text/x.tlog.size";

pub(crate) fn router(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/", get(about))
        .route("/add-checkpoint", post(add_checkpoint))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(witness)
}

async fn about(State(witness): State<Arc<Witness>>) -> String {
    let verifier = witness.key().verifier();
    format!(
        "A witness of transparency logs (https://c2sp.org/tlog-witness).\n\
         name          {}\nverifier key  {verifier}\nlogs seen     {}\n\n\
         It cosigns a checkpoint of a log it knows only if it extends all that it cosigned of that log before.\n",
        verifier.name(),
        witness.known_origins(),
    )
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    let asked = match request::parse(&body) {
        Ok(asked) => asked,
        Err(wrong) => return said("malformed", StatusCode::BAD_REQUEST, &wrong),
    };
    let (origin, size, note) = (asked.checkpoint.origin.clone(), asked.checkpoint.size, asked.note.to_string());
    // It waits for the disk.
    let judged = tokio::task::spawn_blocking(move || witness.add(&asked)).await;
    let judged = judged.unwrap_or_else(|error| Err(No::Failed(error.to_string())));
    match judged {
        Ok(line) => {
            metrics::counter!("muster_witness_cosigned_total").increment(1);
            tracing::debug!(origin, size, "cosigned");
            format!("{line}\n").into_response()
        }
        Err(no) => refuse(&no, &origin, size, &note),
    }
}

fn refuse(no: &No, origin: &str, size: u64, note: &str) -> Response {
    match no {
        No::UnknownLog(_) | No::EpochOver { .. } => {
            tracing::warn!(origin, size, %no, "not cosigned");
            said("unknown log", StatusCode::NOT_FOUND, no)
        }
        No::NotSigned => {
            tracing::warn!(origin, size, %no, "not cosigned");
            said("not signed", StatusCode::FORBIDDEN, no)
        }
        No::OtherSize(cosigned) => {
            // Also how a log that does not know asks for it.
            tracing::debug!(origin, size, cosigned, "asked with another old size");
            told_size("other size", *cosigned)
        }
        No::OtherTree(cosigned) => {
            // Signed by the log's key, and contradicting what was cosigned: whoever reads this holds the proof.
            tracing::error!(origin, size, %no, note, "WITNESS ALARM: a log signed two different trees");
            told_size("other tree", *cosigned)
        }
        No::Inconsistent(_) => {
            tracing::error!(origin, size, %no, note, "WITNESS ALARM: a log signed a tree that does not extend its own");
            said("inconsistent", StatusCode::UNPROCESSABLE_ENTITY, no)
        }
        No::Failed(_) => {
            tracing::error!(origin, size, %no, "not cosigned");
            said("failed", StatusCode::INTERNAL_SERVER_ERROR, no)
        }
    }
}

fn said(why: &'static str, status: StatusCode, text: &dyn std::fmt::Display) -> Response {
    metrics::counter!("muster_witness_refused_total", "why" => why).increment(1);
    (status, format!("{text}\n")).into_response()
}

fn told_size(why: &'static str, size: u64) -> Response {
    metrics::counter!("muster_witness_refused_total", "why" => why).increment(1);
    (StatusCode::CONFLICT, [(CONTENT_TYPE, SIZE)], format!("{size}\n")).into_response()
}
