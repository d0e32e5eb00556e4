//! A git repository, of the customer for example: one commit for each checkpoint, on a branch of its own, through the
//! `git` program. Only plumbing that touches no work tree, so a bare repository does as well as any other.

use std::{path::PathBuf, process::Stdio, time::Duration};

use async_trait::async_trait;
use tokio::{io::AsyncWriteExt, process::Command};

use super::{Anchor, AnchorError, Receipt, Signed, body_of, size_of};

const BRANCH: &str = "refs/heads/muster-checkpoints";
const NONE: &str = "0000000000000000000000000000000000000000";
/// Local work on small objects; a repository on a dead network drive must not hold up the others.
const TIMEOUT: Duration = Duration::from_secs(20);
const WHO: &str = "Muster";
const ADDRESS: &str = "muster@localhost";

pub(super) struct Repository {
    path: PathBuf,
}

impl Repository {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.into() }
    }

    /// A bare one is made where there is none.
    async fn prepare(&self) -> Result<(), AnchorError> {
        if self.path.exists() {
            return Ok(());
        }
        let mut init = Command::new("git");
        init.args(["init", "--quiet", "--bare"]).arg(&self.path);
        run(init, &[]).await.map(drop)
    }

    async fn git(&self, args: &[&str], input: &[u8], index: Option<&PathBuf>) -> Result<String, AnchorError> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.path).args(args);
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        run(command, input).await
    }

    async fn head(&self) -> Result<Option<String>, AnchorError> {
        let found = self.git(&["for-each-ref", "--format=%(objectname)", BRANCH], &[], None).await?;
        Ok((!found.trim().is_empty()).then(|| found.trim().to_owned()))
    }

    async fn at(&self, head: Option<&str>, origin: &str) -> Result<Option<String>, AnchorError> {
        let Some(head) = head else { return Ok(None) };
        let listed = self.git(&["ls-tree", "-r", "--name-only", head, "--", &file_of(origin)], &[], None).await?;
        if listed.trim().is_empty() {
            return Ok(None);
        }
        self.git(&["cat-file", "blob", &format!("{head}:{}", file_of(origin))], &[], None).await.map(Some)
    }

    async fn commit(&self, head: Option<&str>, signed: &Signed) -> Result<String, AnchorError> {
        let scratch = tempfile::tempdir().map_err(|error| AnchorError::failed("a scratch directory", error))?;
        let index = scratch.path().join("index");
        if let Some(head) = head {
            self.git(&["read-tree", head], &[], Some(&index)).await?;
        }
        let blob = self.git(&["hash-object", "-w", "--stdin"], signed.note.as_bytes(), None).await?;
        let entry = format!("100644,{},{}", blob.trim(), file_of(&signed.checkpoint.origin));
        self.git(&["update-index", "--add", "--cacheinfo", &entry], &[], Some(&index)).await?;
        let tree = self.git(&["write-tree"], &[], Some(&index)).await?;
        let message = format!("{} at {}", signed.checkpoint.origin, signed.checkpoint.size);
        let mut args = vec!["commit-tree", tree.trim(), "-m", &message];
        if let Some(head) = head {
            args.extend(["-p", head]);
        }
        let commit = self.git(&args, &[], None).await?.trim().to_owned();
        // Only from where it was: of two writers at once, the second begins again.
        self.git(&["update-ref", BRANCH, &commit, head.unwrap_or(NONE)], &[], None).await?;
        Ok(commit)
    }
}

#[async_trait]
impl Anchor for Repository {
    fn kind(&self) -> &'static str {
        "git"
    }

    async fn keep(&self, signed: &Signed) -> Result<Receipt, AnchorError> {
        self.prepare().await?;
        let head = self.head().await?;
        let there = self.at(head.as_deref(), &signed.checkpoint.origin).await?;
        let commit = match (head, there) {
            (Some(head), Some(theirs)) if body_of(&theirs) == body_of(&signed.note) => head,
            (_, Some(theirs)) if size_of(&theirs).is_none_or(|size| size >= signed.checkpoint.size) => {
                let theirs_size = size_of(&theirs).unwrap_or(0);
                return Err(AnchorError::Different { theirs, theirs_size });
            }
            (head, _) => self.commit(head.as_deref(), signed).await?,
        };
        let location = format!("{} commit {commit}", self.path.display());
        Ok(Receipt { location, bytes: commit.into_bytes(), files: Vec::new() })
    }

    async fn largest(&self, origin: &str) -> Result<Option<String>, AnchorError> {
        if !self.path.exists() {
            return Ok(None);
        }
        self.at(self.head().await?.as_deref(), origin).await
    }
}

fn file_of(origin: &str) -> String {
    format!("{origin}/checkpoint")
}

/// No terminal, nobody's configuration, our name; the error is what git said.
async fn run(mut command: Command, input: &[u8]) -> Result<String, AnchorError> {
    let failed = |error: std::io::Error| AnchorError::failed("git cannot be run", error);
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), WHO).env(format!("GIT_{role}_EMAIL"), ADDRESS);
    }
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    let mut stdin = child.stdin.take();
    let work = async {
        if let Some(stdin) = stdin.as_mut() {
            // A program that ended early says why on its own.
            let _ = stdin.write_all(input).await;
        }
        drop(stdin);
        child.wait_with_output().await
    };
    let limit = || AnchorError::Failed(format!("git did not answer within {} s", TIMEOUT.as_secs()));
    let output = tokio::time::timeout(TIMEOUT, work).await.map_err(|_| limit())?.map_err(failed)?;
    if !output.status.success() {
        return Err(AnchorError::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    String::from_utf8(output.stdout).map_err(|error| AnchorError::failed("git's answer", error))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::pb::audit::v1::CheckpointRef;

    use super::*;

    fn checkpoint(epoch: u32, size: u64, root: &str) -> Signed {
        let origin = format!("audit.example/one/record/{epoch}");
        let note = format!("{origin}\n{size}\n{root}\n\n\u{2014} {origin} c2lnbmF0dXJl\n");
        Signed { checkpoint: CheckpointRef { origin, size, root: String::new() }, note }
    }

    #[tokio::test]
    async fn each_checkpoint_is_a_commit_and_a_smaller_or_other_tree_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("customer.git");
        let repository = Repository::new(&path.display().to_string());
        assert_eq!(repository.largest("audit.example/one/record/1").await.unwrap(), None);
        for (epoch, size) in [(1, 9), (1, 20), (2, 3)] {
            repository.keep(&checkpoint(epoch, size, "AAAA")).await.unwrap();
        }
        let again = repository.keep(&checkpoint(1, 20, "AAAA")).await.unwrap();
        let log = repository.git(&["log", "--format=%s", BRANCH], &[], None).await.unwrap();
        let titles: Vec<&str> = log.lines().collect();
        let expected =
            ["audit.example/one/record/2 at 3", "audit.example/one/record/1 at 20", "audit.example/one/record/1 at 9"];
        assert_eq!(titles, expected);
        assert!(again.location.ends_with(&String::from_utf8(again.bytes).unwrap()), "{}", again.location);

        for rolled_back in [checkpoint(1, 9, "AAAA"), checkpoint(1, 20, "BBBB")] {
            let error = repository.keep(&rolled_back).await.unwrap_err();
            assert!(matches!(error, AnchorError::Different { theirs_size: 20, .. }), "{error}");
        }
        let largest = repository.largest("audit.example/one/record/1").await.unwrap();
        assert_eq!(largest.as_deref(), Some(checkpoint(1, 20, "AAAA").note.as_str()));
    }

    #[tokio::test]
    async fn what_git_says_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let error =
            Repository::new(&folder.path().display().to_string()).keep(&checkpoint(1, 9, "A")).await.unwrap_err();
        assert!(error.to_string().contains("not a git repository"), "{error}");
    }
}
