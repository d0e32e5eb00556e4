//! The documents of a plan, made from the live inventory at this moment.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use muster_domain::{
    AggregateId, TenantId,
    pb::inventory::v1::Kind,
    pb::plan::v1::{PlanState, RenderFormat, RenderPlanResponse},
    plan,
    readiness::Readiness,
    refusal::field_refusal,
};

use super::{
    Plans,
    judge::judge,
    not_found,
    surroundings::{reference, scope_of},
    view::know,
};
use crate::{
    document::{self, Book, SigningKey},
    error::CommandError,
};

/// Readiness read from the log at the same time.
const PARALLEL_LOADS: usize = 8;

impl Plans {
    pub(super) async fn render(
        &self,
        tenant: &TenantId,
        name: &str,
        format: RenderFormat,
        now: Timestamp,
    ) -> Result<RenderPlanResponse, CommandError> {
        if format == RenderFormat::Unspecified {
            let next = "name the form";
            return Err(field_refusal(
                "format",
                "FIELD_INVALID",
                "a document has a form",
                "unspecified",
                "markdown, html, run-card",
                next,
            )
            .into());
        }
        let key = match format {
            RenderFormat::RunCard => Some(self.key()?),
            _ => None,
        };
        // Paper of a moment ago is better than none: a document says what it was made from.
        if let Err(error) = self.catch_up(tenant).await {
            tracing::warn!(%error, "a document is made from what the tables hold");
        }
        let inventory = self.around(tenant, &[name.to_owned()]).await?;
        let declared = inventory.get(Kind::Plan, name).ok_or_else(|| not_found(name))?;
        let known = know(&self.ctx, tenant, declared, &inventory).await?;
        // People read drafts; on the day itself they follow the text that Muster would follow.
        let (text, among) = if key.is_some() { known.in_use() } else { (declared, &inventory) };
        let spec = plan::spec_of(text).ok_or_else(|| not_found(name))?;
        let mut view = known.view(judge(&self.ctx, tenant, spec, among), now);
        if text.version != declared.version {
            view.set_state(PlanState::Published);
        }
        view.spec = Some(spec.clone());
        view.newest = Some(reference(text, among));
        let scope = scope_of(spec, among);
        let members: Vec<String> =
            scope.iter().flat_map(|scope| &scope.members).map(|member| member.document.name.clone()).collect();
        let readiness = self.readiness(tenant, &members).await?;
        let path = plan::critical_path(spec, among).map(|path| path.text()).unwrap_or_default();
        let book = Book::new(&view, scope.as_ref(), &readiness, path, now);
        Ok(document::render(&book, format, key.as_ref())?)
    }

    pub(crate) fn key(&self) -> Result<SigningKey, CommandError> {
        Ok(SigningKey::load(&self.ctx.config, &self.ctx.secrets).map_err(|error| error.to_refusal())?)
    }

    /// As recorded with the newest change of the status.
    async fn readiness(&self, tenant: &TenantId, members: &[String]) -> Result<Vec<Readiness>, CommandError> {
        let loads = members.iter().map(|name| async move {
            let Ok(id) = name.parse::<AggregateId>() else { return Ok(Readiness::default()) };
            Ok::<_, CommandError>(self.ctx.log.load::<Readiness>(tenant, &id).await?.state)
        });
        stream::iter(loads.collect::<Vec<_>>()).buffered(PARALLEL_LOADS).try_collect().await
    }
}
