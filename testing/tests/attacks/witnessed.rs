//! The witness itself under bad circumstances.

use anyhow::{Result, ensure};

use crate::{forged, stage::Stage};

const KILLS: usize = 5;

pub(crate) async fn killed(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    let key = here.stolen_key().await?;
    let origin = here.key().await?.name().to_owned();
    let mut size = here.covered().await?.size;
    for _ in 0..KILLS {
        // Right behind events whose checkpoint is on its way to it.
        here.append(3).await?;
        here.witness.kill_9()?;
        here.append(1).await?;
        here.witness.start_again()?;
        let now = here.covered().await?.size;
        ensure!(now > size, "{now} after {size}");
        let (status, text) = here.witness.add(&forged::request(0, &forged::checkpoint(&origin, now, &key))).await?;
        let remembered: u64 = text.trim().parse().unwrap_or(0);
        ensure!(status == 409 && remembered >= now, "it remembers {text} ({status}), and cosigned {now}");
        size = now;
    }
    ensure!(here.life().await?.stopped.is_none(), "a witness that was away is no split");
    here.verify_is_good()
}
