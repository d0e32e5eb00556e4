//! One page about one run, ready when the run has ended: made from the log each time, so that it says what the log says.
//!
//! | file | is |
//! |---|---|
//! | `model` | everything that a report says, as data; its JSON form is the report |
//! | `make` | from a request, its run and its story to a report |
//! | `asked`, `decisions`, `objectives`, `steps`, `timeline`, `deviations` | one part each |
//! | `proof` | leaf hashes and the checkpoint, from the transparency log's files |
//! | `html`, `run-report.html` | the page: no scripts, nothing from elsewhere, printable |

mod asked;
mod decisions;
mod deviations;
mod html;
mod make;
mod model;
mod objectives;
mod proof;
mod steps;
mod timeline;

use muster_domain::pb::audit::v1::{self as pb, ReportFormat};
use muster_runtime::{Call, Context, status::internal};
use tonic::Status;

use crate::{gaps, story};

pub(crate) async fn get_run_report(
    context: &Context,
    call: Call<pb::GetRunReportRequest>,
) -> Result<pb::GetRunReportResponse, Status> {
    let id = story::request_id(&call.message.request_id)?;
    let gathered = story::gather(context, &call.tenant, &id, 0).await?;
    let gaps = gaps::of_request(&context.db, &call.tenant, id.as_str(), call.now).await.map_err(|e| internal(&e))?;
    let sequences: Vec<u64> = gathered.records.iter().map(|record| record.sequence).collect();
    let proof = proof::of(context, &call.tenant, &sequences).await;
    let report = make::report(&call.tenant, gathered, gaps, proof, call.now);
    let content = match call.message.format() {
        ReportFormat::Json => serde_json::to_vec_pretty(&report).map_err(|e| internal(&e))?,
        ReportFormat::Html | ReportFormat::Unspecified => html::page(&report).map_err(|e| internal(&e))?.into_bytes(),
    };
    Ok(pb::GetRunReportResponse { content })
}
