//! Alerts that are opened at a pace, and the service that tells them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use muster_domain::{
    AggregateId,
    inventory::{Declared, declare, document_id},
    pb::{
        common::v1::{Environment, Tier},
        inventory::v1::{
            Document, Grouping, Kind, NotificationRouteSpec, WebhookChannel, document::Spec,
            notification_route_spec::Channel,
        },
        readiness::v1::{
            AlertKind, AlertOpened, ReadinessEvent, Severity, Status, StatusChanged, readiness_event::Event,
        },
    },
    readiness::Readiness,
};
use muster_runtime::{Clock, Config, Context, serve};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::receiver::Receiver;
use crate::{
    history,
    stack::{Nats, Postgres},
};

/// From the start until its consumers and plans are made: what is measured is a notifier that runs.
const SETTLES: Duration = Duration::from_secs(3);

/// The notifier with one webhook route.
pub(crate) struct Notifier {
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
    _secrets: tempfile::TempDir,
}

impl Notifier {
    pub(crate) async fn start(
        nats: &Nats,
        postgres: &Postgres,
        receiver: &Receiver,
        grouping: Option<Grouping>,
    ) -> Result<Self> {
        let secrets = tempfile::tempdir()?;
        let of_tenant = secrets.path().join(nats.tenant.as_str());
        std::fs::create_dir_all(&of_tenant)?;
        std::fs::write(of_tenant.join("hook"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
        let mut config = Config::default();
        config.webhooks.allow_private_addresses = vec!["127.0.0.1".into()];
        config.secrets.directory = Some(secrets.path().to_owned());
        let context = Context::assemble(config, Clock::system(), nats.connect().await?, postgres.db.clone())?;
        declare_route(nats, &receiver.url, grouping).await?;
        let (stop, service) = (context.shutdown.clone(), muster_notifier::service(&context).await?);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let task = tokio::spawn(async move { Ok(serve(context, vec![service], listener).await?) });
        tokio::time::sleep(SETTLES).await;
        Ok(Self { stop, task, _secrets: secrets })
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.task.await?
    }
}

async fn declare_route(nats: &Nats, url: &str, grouping: Option<Grouping>) -> Result<()> {
    let spec = NotificationRouteSpec {
        channel: Some(Channel::Webhook(WebhookChannel { url: url.to_owned(), secret_ref: "file:hook".into() })),
        grouping,
        ..NotificationRouteSpec::default()
    };
    let document = Document {
        kind: Kind::NotificationRoute.into(),
        tenant: nats.tenant.to_string(),
        name: "hook".into(),
        spec: Some(Spec::NotificationRouteSpec(spec)),
        ..Document::default()
    };
    let event = declare(&Declared::default(), &document, "ada", Timestamp::now()).context("nothing was declared")?;
    let id = document_id(Kind::NotificationRoute, "hook")?;
    nats.log.append::<Declared>(&nats.tenant, &id, 1, &history::meta("route"), &event).await?;
    Ok(())
}

/// What is written: so many events a second, of which one in so many opens an alert, the others are news of no alert.
pub(crate) struct Load {
    pub(crate) per_second: usize,
    pub(crate) lasts: Duration,
    pub(crate) alert_every: usize,
    /// Of so many alerts one is critical and of tier 1; the others are warnings of tier 3.
    pub(crate) tier_1_every: usize,
}

impl Load {
    pub(crate) fn alerts(&self) -> usize {
        (self.per_second * self.lasts.as_secs() as usize).div_ceil(self.alert_every)
    }

    /// Writes it: when the log had each alert, by its id.
    pub(crate) async fn write(&self, nats: &Nats) -> Result<BTreeMap<String, Instant>> {
        let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / self.per_second as f64));
        let mut writing = tokio::task::JoinSet::new();
        for number in 0..self.per_second * self.lasts.as_secs() as usize {
            pace.tick().await;
            let (log, tenant) = (nats.log.clone(), nats.tenant.clone());
            let alert = (number % self.alert_every == 0).then(|| Uuid::now_v7().to_string());
            let tier_1 = (number / self.alert_every).is_multiple_of(self.tier_1_every);
            writing.spawn(async move {
                let id: AggregateId = format!("db-{number}").parse()?;
                let event = match &alert {
                    Some(alert) => Event::AlertOpened(opened(alert, &id, tier_1)),
                    None => Event::StatusChanged(changed(&id)),
                };
                let event = ReadinessEvent { event: Some(event) };
                log.append::<Readiness>(&tenant, &id, 1, &history::meta(&format!("{alert:?} {number}")), &event)
                    .await?;
                Ok::<_, anyhow::Error>(alert.map(|alert| (alert, Instant::now())))
            });
        }
        let mut at = BTreeMap::new();
        while let Some(one) = writing.join_next().await {
            at.extend(one??);
        }
        Ok(at)
    }
}

fn opened(alert: &str, resource: &AggregateId, tier_1: bool) -> AlertOpened {
    let (tier, severity) = if tier_1 { (Tier::Tier1, Severity::Critical) } else { (Tier::Tier3, Severity::Warning) };
    AlertOpened {
        alert_id: alert.to_owned(),
        resource: resource.to_string(),
        kind: AlertKind::RpoBreach.into(),
        severity: severity.into(),
        tier: tier.into(),
        environment: Environment::Production.into(),
        ..AlertOpened::default()
    }
}

fn changed(resource: &AggregateId) -> StatusChanged {
    StatusChanged { resource: resource.to_string(), from: Status::Yellow.into(), ..StatusChanged::default() }
}
