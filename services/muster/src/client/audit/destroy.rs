//! `muster audit destroy-payload-key`: the only command that takes anything away, and it takes it for ever.

use std::io::{IsTerminal as _, Write as _};

use clap::Args;
use muster_domain::pb::audit::v1::DestroyPayloadKeyRequest;

use crate::client::{error::CliError, output::Screen, session::Session};

#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    /// Why, as an auditor will read it years later.
    #[arg(long)]
    reason: String,
    /// The tenant's name, for scripts; a person is asked for it.
    #[arg(long, value_name = "TENANT")]
    confirm: Option<String>,
}

pub(super) async fn run(args: DestroyArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let confirmation = match args.confirm {
        Some(name) => name,
        None => ask_for_name(&session.tenant())?,
    };
    let ask = DestroyPayloadKeyRequest { tenant: session.tenant(), reason: args.reason, confirmation };
    let answer = session.audit().destroy_payload_key(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    screen.line(&format!("the payload key {} of {} is destroyed", answer.key_id, session.tenant()))?;
    screen.line(&format!("receipt: {}", answer.receipt))?;
    screen.note("copies of the keyring and of the databases keep the content readable until they are destroyed, too: docs/payload-encryption.md lists them")
}

fn ask_for_name(tenant: &str) -> Result<String, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "destroying a payload key takes the tenant's name: type it at a terminal, or give --confirm TENANT"
                .to_owned(),
        ));
    }
    let mut prompt = std::io::stderr();
    write!(
        prompt,
        "This makes the content of every encrypted event of {tenant} unreadable, for everybody and for ever, and ends the\n\
         tenant: nothing new can be written. Order, times, actor ids and proofs stay. Exports that are needed beyond this\n\
         have to be made before.\nType the tenant's name to go on, or nothing to leave it:\n> "
    )?;
    prompt.flush()?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    match typed.trim() {
        "" => Err(CliError::Failed("nothing was typed; nothing was destroyed".to_owned())),
        name => Ok(name.to_owned()),
    }
}
