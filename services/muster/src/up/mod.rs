//! `muster up`: the whole product on this machine, with its own NATS and PostgreSQL and real databases to protect.

mod config;
mod people;
mod seed;
mod stack;
mod welcome;
mod witness;

use std::{net::SocketAddr, path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use muster_runtime::{Context, Service, Telemetry, issuer, serve};
use nix::{
    fcntl::{Flock, FlockArg},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::net::TcpListener;

use crate::{
    demo::{estate, world},
    place::Place,
    run::{stop_on_signal, wait_for_signal},
    services,
};

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// The port to answer at, on 127.0.0.1. Default: 7400, or the one used before.
    #[arg(long)]
    port: Option<u16>,
    /// Settings on top of the local ones, as in docs/config.md.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Where people expect it; another one is taken when it is in use.
const PORT: u16 = 7400;

pub(crate) async fn run(args: UpArgs, place: &Place) -> Result<()> {
    let _only_one = lock(place)?;
    let _drills = place.drills_until_the_end();
    let listener = listen(place, args.port).await?;
    let address = listener.local_addr()?;
    say("starting NATS and PostgreSQL");
    let mut stack = stack::Stack::start(place).await?;
    let mut estate = estate::Estate::open(place)?;
    let names: Vec<&str> = estate.pairs.iter().map(|pair| pair.resource.as_str()).collect();
    say(&format!("starting the protected systems ({})", names.join(", ")));
    estate.start().await?;
    start_world(place)?;

    let config = config::local(place, &stack, &estate, address, args.config.as_deref())?;
    let telemetry = Telemetry::install(&config.telemetry, "up")?;
    let context = Context::connect(config, &services::schemas()).await?;
    let mut all = vec![Service::new("local-issuer").http(issuer::router(&context.config, context.clock.clone())?)];
    for name in services::NAMES {
        all.push(services::build(name, &context).await.with_context(|| format!("{name} cannot start"))?);
    }
    stop_on_signal(&context);
    stack.witness.introduce_logs(&context);
    let mut serving = tokio::spawn(serve(context.clone(), all, listener));
    let seeded = tokio::select! {
        seeded = seed::seed(&context, place, &estate) => seeded,
        () = context.shutdown.cancelled() => Ok(()),
    };
    let mut outcome = seeded;
    match outcome {
        Ok(()) if !context.shutdown.is_cancelled() => welcome::print(&context, place)?,
        Ok(()) => {}
        Err(_) => context.shutdown.cancel(),
    }
    tokio::select! {
        served = &mut serving => served??,
        error = stack.keep_running() => {
            context.shutdown.cancel();
            serving.await??;
            outcome = Err(error);
        }
    }

    say("stopping");
    tokio::select! {
        stopped = stop_everything(place, &mut stack) => stopped?,
        () = second_signal() => bail!("stopped in the middle of stopping; the next `muster up` puts it right"),
    }
    telemetry.shutdown().await;
    outcome
}

/// The signal that began the stop is over; another one means "now".
async fn second_signal() {
    wait_for_signal().await;
}

async fn stop_everything(place: &Place, stack: &mut stack::Stack) -> Result<()> {
    if let Some(pid) = world::running(place) {
        kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        while world::running(place).is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    // Opened anew: `muster demo` may have changed it meanwhile.
    estate::Estate::open(place)?.stop().await?;
    stack.stop().await
}

/// One product on one place: two would share a store.
fn lock(place: &Place) -> Result<Flock<std::fs::File>> {
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(place.file("up.lock"))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        anyhow::anyhow!(
            "`muster up` is already running in {}; stop it first, or name another place with --data",
            place.root().display()
        )
    })
}

async fn listen(place: &Place, wish: Option<u16>) -> Result<TcpListener> {
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    if let Some(port) = wish {
        let listener = TcpListener::bind(at(port))
            .await
            .with_context(|| format!("port {port} cannot be used; choose another with --port"))?;
        place.port("http", Some(port))?;
        return Ok(listener);
    }
    let before = std::fs::read_to_string(place.file("http.port")).ok().and_then(|text| text.trim().parse().ok());
    for port in before.into_iter().chain([PORT]) {
        if let Ok(listener) = TcpListener::bind(at(port)).await {
            place.port("http", Some(port))?;
            return Ok(listener);
        }
    }
    let listener = TcpListener::bind(at(0)).await?;
    place.port("http", Some(listener.local_addr()?.port()))?;
    Ok(listener)
}

/// The application and the mail box go on when Muster is killed: a process of their own.
fn start_world(place: &Place) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    if world::running(place).is_some() {
        return Ok(());
    }
    let log = std::fs::File::create(place.file("world.log"))?;
    std::process::Command::new(std::env::current_exe()?)
        .args(["--data"])
        .arg(place.root())
        .args(["demo", "world"])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .context("the demo's application cannot be started")?;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "progress for the person who waits at the terminal")]
fn say(text: &str) {
    eprintln!("muster up: {text}");
}
