//! `muster projection rebuild NAME`: empties a read model and fills it again from the log.

use std::{io::Write as _, path::Path};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use muster_runtime::{Config, Context, config::Profile};

use crate::services;

pub(crate) async fn rebuild(name: &str, config_file: Option<&Path>) -> Result<()> {
    let projections = services::projections();
    let Some(projection) = projections.iter().find(|projection| projection.name() == name) else {
        let names: Vec<&str> = projections.iter().map(|projection| projection.name()).collect();
        bail!("there is no projection '{name}'; there are: {}", names.join(", "));
    };
    let config = Config::load(config_file, Profile::Production)?;
    let context = Context::connect(config, &services::schemas()).await?;
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{msg:20} {wide_bar} {pos}/{len} events, {per_sec}, {eta} left")?);
    muster_eventlog::rebuild(context.log.clone(), context.db, projection.clone(), |progress| {
        bar.set_message(format!("{} ({}/{})", progress.tenant, progress.tenant_number, progress.tenants));
        bar.set_length(progress.target);
        bar.set_position(progress.sequence);
    })
    .await?;
    bar.finish_and_clear();
    let tenants = context.log.tenants().await?.len();
    writeln!(std::io::stdout(), "{name}: filled anew from the log of {tenants} tenants")?;
    Ok(())
}
