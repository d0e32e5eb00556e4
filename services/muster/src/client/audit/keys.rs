//! `muster audit rotate-key` and `revoke-key`: the keys that the transparency log is signed with.

use clap::Args;
use muster_domain::pb::audit::v1::{RevokeLogKeyRequest, RotateLogKeyRequest};

use crate::client::{
    error::CliError,
    output::{Screen, words},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// Why, as an auditor will read it.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The key, as `muster audit log` shows it.
    key: String,
    /// The last size of the log at which the key was surely in the right hands.
    #[arg(long, value_name = "SIZE")]
    last_good: u64,
    /// Why, as an auditor will read it.
    #[arg(long)]
    reason: String,
}

pub(super) async fn rotate(args: RotateArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = RotateLogKeyRequest { tenant: session.tenant(), reason: args.reason };
    let answer = session.audit().rotate_log_key(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    screen.line(&format!("new key: {}", answer.verifier_key))?;
    screen.line(&format!("both keys sign until {}", words::time(answer.old_until.as_ref())))?;
    screen.note("hand the new key to auditors and to those who run witnesses, on another way than this, before then")
}

pub(super) async fn revoke(args: RevokeArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = RevokeLogKeyRequest {
        tenant: session.tenant(),
        verifier_key: args.key,
        last_good_size: args.last_good,
        reason: args.reason,
    };
    let answer = session.audit().revoke_log_key(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    screen.line(&format!("the key is revoked: nothing that it signed above size {} counts", args.last_good))?;
    screen.line(&format!("new epoch: {}", answer.origin))?;
    screen.line(&format!("new key:   {}", answer.verifier_key))?;
    screen.note("hand the new key to auditors and to those who run witnesses, on another way than this")
}
