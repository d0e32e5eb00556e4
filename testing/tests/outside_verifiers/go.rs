//! Go's `golang.org/x/mod/sumdb` (`note` and `tlog`), out of the toolchain that scripts/setup brings.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::evidence::{Evidence, repository};

/// Kept between runs: compiling the standard library is most of the time.
fn state() -> PathBuf {
    let state = Command::new(repository().join("scripts/setup")).arg("--where").output().unwrap();
    PathBuf::from(String::from_utf8_lossy(&state.stdout).trim()).join("tools")
}

/// The root of the Go toolchain, or why there is none.
fn toolchain() -> Result<PathBuf, String> {
    let tools = state();
    let named = |entry: &Path| entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("go-1"));
    let entries = fs::read_dir(&tools).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let found = entries.filter(|path| named(path)).map(|path| path.join("go")).find(|go| go.join("bin/go").is_file());
    found.ok_or_else(|| {
        let why =
            fs::read_to_string(tools.join("missing/go")).unwrap_or_else(|_| "scripts/setup go was not run".to_owned());
        why.trim().to_owned()
    })
}

/// The verifier, compiled from go/main.go and the library's copy in the toolchain; nothing is fetched.
fn build(go: &Path, work: &Path) -> PathBuf {
    let source = repository().join("testing/tests/outside_verifiers/go");
    let (vendor, program) = (work.join("go/vendor"), work.join("outside"));
    let library = "golang.org/x/mod/sumdb";
    for package in ["note", "tlog"] {
        let (from, to) = (go.join("src/cmd/vendor").join(library).join(package), vendor.join(library).join(package));
        fs::create_dir_all(&to).unwrap();
        for file in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    for (file, to) in [("go.mod", "go/go.mod"), ("main.go", "go/main.go"), ("modules.txt", "go/vendor/modules.txt")] {
        fs::copy(source.join(file), work.join(to)).unwrap();
    }
    let mut build = Command::new(go.join("bin/go"));
    build.args(["build", "-mod=vendor", "-o"]).arg(&program).arg(".").current_dir(work.join("go")).env_clear();
    build.env("PATH", "/usr/bin:/bin").env("HOME", work).env("GOROOT", go).env("GOCACHE", state().join("go-cache"));
    build.env("GOTOOLCHAIN", "local").env("GOPROXY", "off").env("GOFLAGS", "-buildvcs=false").env("CGO_ENABLED", "0");
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

fn verify(program: &Path, evidence: &Evidence) -> (bool, String) {
    let output = Command::new(program).arg(evidence.package()).arg(evidence.keys()).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn gos_library_accepts_the_package_and_refuses_the_six_broken_logs() {
    let go = match toolchain() {
        Ok(go) => go,
        Err(why) => {
            println!("skipped: Go's library does not verify here: {why}");
            return;
        }
    };
    let evidence = Evidence::new();
    let program = build(&go, evidence.scratch());
    let (good, said) = verify(&program, &evidence);
    assert!(good, "{said}");
    for line in ["checkpoint signed and witnessed: 22 leaves", "inclusion proofs: 21", "grown from 17 to 22"] {
        assert!(said.contains(line), "{line:?} is not said:\n{said}");
    }

    let refused = |change: &dyn Fn(&Evidence), says: &str| {
        let evidence = Evidence::new();
        change(&evidence);
        let (good, said) = verify(&program, &evidence);
        assert!(!good && said.contains("REFUSED: ") && said.contains(says), "{says:?} is not said:\n{said}");
    };
    let leaf = fs::read(repository().join("testing/vectors/tlog/bad/edited-event.leaf")).unwrap();
    refused(&|e| e.change_leaves(|leaves| leaves[16] = leaf.clone()), "22 leaves lead to");
    refused(&|e| e.change_leaves(|leaves| drop(leaves.remove(16))), "21 leaves lead to");
    refused(&|e| e.change_leaves(|leaves| leaves.swap(9, 10)), "22 leaves lead to");
    refused(&|e| e.put_bad("forged.checkpoint", "checkpoint"), "invalid signature");
    refused(&|e| e.put_bad("split-view.checkpoint", "checkpoint"), "signed by 1 of the log and its witness");
    refused(&|e| e.put_bad("truncated.checkpoint", "checkpoint"), "signed by 1 of the log and its witness");
    let proof = "proofs/seq-000016.tlog-proof";
    refused(&|e| e.edit(proof, "\nindex 16\n", "\nindex 15\n"), "seq-000016.tlog-proof: invalid transparency proof");
    // Signed by both, and not the beginning of this log.
    refused(&|e| e.edit("checkpoint.17", "\n17\n", "\n16\n"), "checkpoint.17: ");
}
