//! gRPC: muster.inventory.v1.PlannerService.

use std::time::Duration;

use muster_domain::pb::inventory::v1::{
    ApplyRequest, ApplyResponse, Document, GetDocumentRequest, GetDocumentResponse, Kind, ListDocumentsRequest,
    ListDocumentsResponse, RetireDocumentRequest, RetireDocumentResponse, planner_service_server::PlannerService,
};
use muster_domain::{Refusal, TenantId, inventory::kind_token, refusal::field_refusal, refusal::refusal};
use muster_eventlog::wait_for;
use muster_runtime::{
    Call, Context, page, refused,
    status::{IntoStatus, RefusalClass},
};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::{
    apply::Apply,
    error::CommandError,
    projection::PROJECTION,
    query::{self, Cursor},
    retire::Retire,
};

/// How long a read waits for the tables to reach `min_version`.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// A page ends early rather than outgrow the 4 MiB of a gRPC message.
const MAX_PAGE_BYTES: usize = 3 * 1024 * 1024;

pub(crate) struct Planner {
    ctx: Context,
}

impl Planner {
    pub(crate) fn new(ctx: Context) -> Self {
        Self { ctx }
    }

    async fn wait(&self, tenant: &TenantId, min_version: u64) -> Result<(), Status> {
        if min_version == 0 {
            return Ok(());
        }
        wait_for(&self.ctx.db, PROJECTION, tenant, min_version, MAX_WAIT).await.map_err(IntoStatus::into_status)
    }

    /// A rule that protects what is there and said no is part of the record; a typing mistake or a busy moment is not.
    async fn answer<T>(&self, call: &Call<T>, error: CommandError, resource: &str) -> Status {
        match error {
            CommandError::Refused(refusal) if RefusalClass::of(&refusal) == RefusalClass::State => {
                self.ctx.deny(call, &refusal, resource, "").await
            }
            error => error.into_status(),
        }
    }
}

#[tonic::async_trait]
impl PlannerService for Planner {
    async fn apply(&self, request: Request<ApplyRequest>) -> Result<Response<ApplyResponse>, Status> {
        let (message, call) = self.ctx.authorize(request).await?.split();
        let meta = call.meta(&message.idempotency_key)?;
        let (log, db) = (&self.ctx.log, &self.ctx.db);
        let apply = Apply { log, db, tenant: &call.tenant, manifest: &message.manifest, meta: &meta };
        let done = if message.dry_run { apply.dry_run().await } else { apply.run().await };
        match done {
            Ok(response) => Ok(Response::new(response)),
            Err(error) => Err(self.answer(&call, error, "").await),
        }
    }

    async fn get_document(
        &self,
        request: Request<GetDocumentRequest>,
    ) -> Result<Response<GetDocumentResponse>, Status> {
        let (message, call) = self.ctx.authorize(request).await?.split();
        if message.kind() == Kind::Unspecified {
            return Err(refused(&kind_missing()));
        }
        self.wait(&call.tenant, message.min_version).await?;
        let found = query::get(&self.ctx.db, &call.tenant, message.kind(), &message.name).await;
        let document = found.map_err(IntoStatus::into_status)?;
        match document {
            Some(document) => Ok(Response::new(GetDocumentResponse { document: Some(document) })),
            None => Err(refused(&not_found(message.kind(), &message.name))),
        }
    }

    async fn list_documents(
        &self,
        request: Request<ListDocumentsRequest>,
    ) -> Result<Response<ListDocumentsResponse>, Status> {
        let (message, call) = self.ctx.authorize(request).await?.split();
        let kind = Some(message.kind()).filter(|kind| *kind != Kind::Unspecified);
        if kind.is_none() && message.kind != 0 {
            // A kind of a newer version: all documents would be an answer to another question.
            return Err(refused(&kind_missing()));
        }
        let list = format!("documents:{}:{}:{}", call.tenant, kind.map_or("all", kind_token), message.include_retired);
        let asked = page::parse::<Cursor>(message.page.as_ref(), &list).map_err(IntoStatus::into_status)?;
        self.wait(&call.tenant, message.min_version).await?;
        let read =
            query::list(&self.ctx.db, &call.tenant, kind, message.include_retired, asked.after.as_ref(), asked.size);
        let mut documents = read.await.map_err(IntoStatus::into_status)?;
        let size = fitting(&documents, asked.size);
        let page = page::finish(size, &list, &mut documents, |document| {
            (kind_token(document.kind()).to_owned(), document.name.clone())
        });
        Ok(Response::new(ListDocumentsResponse { documents, page: Some(page) }))
    }

    async fn retire_document(
        &self,
        request: Request<RetireDocumentRequest>,
    ) -> Result<Response<RetireDocumentResponse>, Status> {
        let (message, call) = self.ctx.authorize(request).await?.split();
        let meta = call.meta(&message.idempotency_key)?;
        let retire = Retire {
            log: &self.ctx.log,
            db: &self.ctx.db,
            tenant: &call.tenant,
            kind: message.kind(),
            name: &message.name,
            reason: &message.reason,
            meta: &meta,
        };
        match retire.run().await {
            Ok(version) => Ok(Response::new(RetireDocumentResponse { version })),
            Err(error) => {
                let resource = if message.kind() == Kind::Resource { message.name.as_str() } else { "" };
                Err(self.answer(&call, error, resource).await)
            }
        }
    }
}

/// How many of the documents go into one page: at least one.
fn fitting(documents: &[Document], size: u32) -> u32 {
    let mut bytes = 0;
    let fits = documents.iter().take_while(|document| {
        bytes += document.encoded_len();
        bytes <= MAX_PAGE_BYTES
    });
    u32::try_from(fits.count()).unwrap_or(size).clamp(1, size)
}

fn kind_missing() -> Refusal {
    let kinds = crate::manifest::KINDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    field_refusal("kind", "FIELD_INVALID", "a document has a kind", "unspecified", kinds, "name the kind")
}

fn not_found(kind: Kind, name: &str) -> Refusal {
    refusal(
        "DOCUMENT_NOT_FOUND",
        "there is no such document in this tenant",
        format!("{} {}", kind_token(kind), name.chars().take(80).collect::<String>()),
        "a declared document",
        "list them with `muster get`",
    )
}
