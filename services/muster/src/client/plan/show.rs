//! One plan in readable form: what it moves and how, where its review stands, what proves it.

use muster_domain::pb::plan::v1::{
    Lint, LintSeverity, PlanSpec, PlanState, PlanStep, PlanTest, PlanView, action, plan_spec::Scope,
};
use muster_domain::time::{duration_from_pb, humane};

use super::{proof_cell, state_cell, version};
use crate::client::{
    error::CliError,
    output::{
        Screen,
        style::Tone,
        table::{Cell, Table},
        words,
    },
};

/// Enough of a hash to tell two apart by eye.
const SHORT_HASH: usize = 12;

pub(super) fn print(view: &PlanView, screen: &Screen) -> Result<(), CliError> {
    if !screen.is_table() {
        return screen.value(view);
    }
    screen.heading(&format!("plan {}", view.name))?;
    screen.field("state", state_cell(view.state()))?;
    screen.field("newest", format!("version {}, hash {}", version(view.newest.as_ref()), hash(view)))?;
    screen.field(
        "in use",
        view.published.as_ref().map_or_else(
            || "the built-in plan: this one was never published".to_owned(),
            |plan| format!("version {}", plan.version),
        ),
    )?;
    screen.field("proof", proof_cell(view.proof()))?;
    screen.field("", view.proof_text.as_str())?;
    let empty = PlanSpec::default();
    let spec = view.spec.as_ref().unwrap_or(&empty);
    what_it_moves(spec, screen)?;
    steps(spec, screen)?;
    review(view, screen)?;
    findings(&view.findings, screen)?;
    tests(&view.tests, screen)?;
    next_step(view, screen)
}

fn hash(view: &PlanView) -> String {
    match view.newest.as_ref().map(|plan| plan.hash.as_str()) {
        Some("") | None => "none: what it moves is not declared".to_owned(),
        Some(hash) => hash.to_owned(),
    }
}

fn what_it_moves(spec: &PlanSpec, screen: &Screen) -> Result<(), CliError> {
    let scope = match &spec.scope {
        Some(Scope::Group(name)) => format!("group {name}"),
        Some(Scope::Resource(name)) => format!("resource {name}"),
        None => "nothing".to_owned(),
    };
    screen.field("moves", format!("{scope} from {} to {}", spec.from_site, spec.to_site))?;
    screen.field("types", if spec.types.is_empty() { "all".to_owned() } else { spec.types.join(", ") })?;
    let length = |value| duration_from_pb(value).map_or_else(|| "not set".to_owned(), humane);
    screen.field("objectives", format!("RTO {}, RPO {}", length(spec.rto.as_ref()), length(spec.rpo.as_ref())))?;
    screen.field("owner", words::or_dash(&spec.owner))
}

fn steps(spec: &PlanSpec, screen: &Screen) -> Result<(), CliError> {
    let mut table = Table::new(&["PHASE", "STEP", "DOES", "AFTER", "AT MOST", "ONLY FOR"]);
    for phase in &spec.phases {
        for step in &phase.steps {
            table.row([
                phase.name.as_str().into(),
                step.id.as_str().into(),
                does(step).into(),
                words::or_dash(&step.after.join(", ")).into(),
                duration_from_pb(step.timeout.as_ref()).map_or_else(|| "-".to_owned(), humane).into(),
                words::or_dash(&step.only_for.join(", ")).into(),
            ]);
        }
    }
    screen.line("")?;
    screen.heading("steps")?;
    table.print(screen, "  none")
}

/// "move orders-db"
fn does(step: &PlanStep) -> String {
    match step.action.as_ref().and_then(|action| action.kind.as_ref()) {
        Some(action::Kind::Move(to_move)) => format!("move {}", to_move.resource),
        Some(action::Kind::Wait(_)) => "wait".to_owned(),
        Some(action::Kind::Http(call)) => format!("{} {}", call.method, words::shortened(&call.url)),
        Some(action::Kind::Dns(change)) => format!("switch {} {}", change.name, change.r#type),
        Some(action::Kind::Command(command)) => format!("command {}", command.name),
        Some(action::Kind::Notify(_)) => "notify".to_owned(),
        Some(action::Kind::Manual(manual)) => {
            format!("{}: {}", muster_domain::access::role_name(manual.role()), words::shortened(&manual.instructions))
        }
        None => "nothing".to_owned(),
    }
}

fn review(view: &PlanView, screen: &Screen) -> Result<(), CliError> {
    screen.line("")?;
    screen.heading("review")?;
    if let Some(submitted) = &view.submitted {
        let text = format!(
            "version {} by {} at {}",
            version(submitted.plan.as_ref()),
            words::actor(submitted.actor.as_ref()),
            words::time(submitted.submitted_at.as_ref())
        );
        screen.field("submitted", text)?;
    }
    if let Some(returned) = &view.returned {
        let text = format!(
            "version {} by {} at {}: {}",
            version(returned.plan.as_ref()),
            words::actor(returned.actor.as_ref()),
            words::time(returned.returned_at.as_ref()),
            returned.reason
        );
        screen.field("returned", Cell::toned(Tone::Warning, text))?;
    }
    if let Some(published) = &view.publication {
        let note = if published.note.is_empty() { String::new() } else { format!(": {}", published.note) };
        let text = format!(
            "version {} by {} at {}{note}",
            version(published.plan.as_ref()),
            words::actor(published.actor.as_ref()),
            words::time(published.published_at.as_ref())
        );
        screen.field("published", Cell::toned(Tone::Good, text))?;
    }
    if view.submitted.is_none() && view.returned.is_none() && view.publication.is_none() {
        screen.line("  never submitted")?;
    }
    Ok(())
}

pub(super) fn findings(findings: &[Lint], screen: &Screen) -> Result<(), CliError> {
    screen.line("")?;
    screen.heading("findings")?;
    if findings.is_empty() {
        return screen.line("  none");
    }
    for lint in findings {
        let place = if lint.step.is_empty() { "plan".to_owned() } else { format!("step {}", lint.step) };
        let (tone, word) = severity(lint.severity());
        let head = Cell::toned(tone, word).painted(screen);
        screen.line(&format!(
            "  {head} {} {}: {}",
            lint.code,
            Cell::from(place).painted(screen),
            Cell::from(lint.text.as_str()).painted(screen)
        ))?;
        screen.field("", format!("next: {}", lint.next_action))?;
    }
    Ok(())
}

/// "2 errors, 1 warning"
pub(super) fn count_of(findings: &[Lint]) -> Cell {
    let count = |severity: LintSeverity| findings.iter().filter(|lint| lint.severity() == severity).count();
    match (count(LintSeverity::Error), count(LintSeverity::Warning)) {
        (0, 0) => Cell::toned(Tone::Good, "none"),
        (0, warnings) => Cell::toned(Tone::Warning, format!("{warnings} warnings")),
        (errors, warnings) => Cell::toned(Tone::Bad, format!("{errors} errors, {warnings} warnings")),
    }
}

fn severity(severity: LintSeverity) -> (Tone, &'static str) {
    match severity {
        LintSeverity::Error => (Tone::Bad, "ERROR"),
        LintSeverity::Warning => (Tone::Warning, "warning"),
        LintSeverity::Info => (Tone::Dim, "note"),
        LintSeverity::Unspecified => (Tone::Dim, words::UNKNOWN),
    }
}

fn tests(tests: &[PlanTest], screen: &Screen) -> Result<(), CliError> {
    let mut table = Table::new(&["WHEN", "WHAT", "VERSION", "OUTCOME", "TIME", "REQUEST"]);
    for test in tests {
        let outcome = match (test.passed, test.rto_met) {
            (true, true) => Cell::toned(Tone::Good, "passed"),
            (true, false) if test.rto_measured.is_some() => Cell::toned(Tone::Warning, "passed, too slow"),
            (true, false) => Cell::toned(Tone::Good, "passed"),
            (false, _) => Cell::toned(Tone::Bad, format!("FAILED: {}", words::shortened(&test.reason))),
        };
        table.row([
            words::time(test.at.as_ref()).into(),
            test.r#type.as_str().into(),
            version(test.plan.as_ref()).into(),
            outcome,
            duration_from_pb(test.rto_measured.as_ref()).map_or_else(|| "not measured".to_owned(), humane).into(),
            test.request_id.as_str().into(),
        ]);
    }
    screen.line("")?;
    screen.heading("tests")?;
    table.print(screen, "  never tested")
}

fn next_step(view: &PlanView, screen: &Screen) -> Result<(), CliError> {
    let errors = muster_domain::plan::errors(&view.findings).len();
    let next = match view.state() {
        PlanState::Draft if errors > 0 => "correct the errors, then submit it".to_owned(),
        PlanState::Draft => format!("muster plan submit {}", view.name),
        PlanState::InReview => {
            let submitted = view.submitted.as_ref().and_then(|submitted| submitted.plan.as_ref());
            let hash: String = submitted.map(|plan| plan.hash.chars().take(SHORT_HASH).collect()).unwrap_or_default();
            format!("somebody else: muster plan publish {} --hash {hash}, or muster plan return", view.name)
        }
        PlanState::Published | PlanState::Unspecified => return Ok(()),
    };
    screen.line("")?;
    screen.field("next", next)
}
