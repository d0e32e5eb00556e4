//! docs/cli.md, made from the commands themselves, so that the page and the program cannot differ.

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::exit::Exit;

const INTRODUCTION: &str = "\
# The command line

`muster` is one program: the server and the commands of people. This page is made from the program
(`muster docs write`); `muster help COMMAND` says the same.

- Everything goes through the gRPC API with your own login: what you may not do there, no command can do.
- Each command that changes something carries a key of its own: when its answer is lost on the way, the repetition by
  the transport is the same command, not a second one.
- Refusals go to standard error and name the rule, the value found, what is allowed, and what to do next.
- `-o json` is proto3 JSON of the API's messages and stays stable; errors are JSON then, too.
- Colours appear on a terminal only, never alone without a word, and not at all with `NO_COLOR`.
- Logins are kept in `$XDG_CONFIG_HOME/muster/profiles/` (`~/.config` without it), readable by you alone. `--profile`
  keeps several people apart on one machine: `muster --profile ingo login --as ingo`.

";

/// The whole page.
pub(crate) fn render_cli_docs() -> String {
    let mut root = crate::Cli::command();
    root.build();
    let mut page = INTRODUCTION.to_owned();
    page.push_str("## Exit codes\n\n| code | means |\n|---|---|\n");
    for (exit, means) in Exit::ALL {
        page.push_str(&format!("| {} | {means} |\n", exit.code()));
    }
    let globals: Vec<&Arg> = root.get_arguments().filter(|arg| arg.is_global_set() && !is_help(arg)).collect();
    page.push_str("\n## Options of every command\n\n");
    page.push_str(&options(&globals));
    page.push_str("\n## Commands\n");
    for command in root.get_subcommands() {
        describe(command, "muster", &mut page);
    }
    page
}

fn describe(command: &Command, above: &str, page: &mut String) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{above} {}", command.get_name());
    page.push_str(&format!("\n### `{name}`\n\n"));
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        page.push_str(&format!("{}.\n\n", about.to_string().trim_end_matches('.')));
    }
    let arguments: Vec<&Arg> =
        command.get_arguments().filter(|arg| !arg.is_global_set() && !is_help(arg) && !arg.is_hide_set()).collect();
    let placed: String = arguments.iter().filter(|arg| arg.is_positional()).map(|arg| format!(" {arg}")).collect();
    let more = if arguments.iter().any(|arg| !arg.is_positional()) { " [OPTIONS]" } else { "" };
    let below = if command.has_subcommands() { " COMMAND" } else { "" };
    page.push_str(&format!("```\n{name}{more}{placed}{below}\n```\n"));
    if !arguments.is_empty() {
        page.push('\n');
        page.push_str(&options(&arguments));
    }
    for inner in command.get_subcommands() {
        describe(inner, &name, page);
    }
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn options(arguments: &[&Arg]) -> String {
    let mut table = String::from("| argument | meaning |\n|---|---|\n");
    for arg in arguments {
        table.push_str(&format!(
            "| `{}` | {} |\n",
            spelling(arg).replace('|', "\\|"),
            meaning(arg).replace('|', "\\|")
        ));
    }
    table
}

/// "-f, --file FILE|DIR|-"
fn spelling(arg: &Arg) -> String {
    if arg.is_positional() {
        return arg.to_string();
    }
    let mut text = String::new();
    if let Some(short) = arg.get_short() {
        text.push_str(&format!("-{short}, "));
    }
    if let Some(long) = arg.get_long() {
        text.push_str(&format!("--{long}"));
    }
    if matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
        let names = arg.get_value_names().unwrap_or_default();
        text.push_str(&names.iter().map(|name| format!(" {name}")).collect::<String>());
    }
    text
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    // clap takes the last full stop away.
    if !text.is_empty() && !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    if arg.is_required_set() && !arg.is_positional() {
        text.push_str(" Required.");
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    if takes_value && !values.is_empty() {
        text.push_str(&format!(" One of {}.", values.join(", ")));
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .filter(|value| !value.is_empty())
        .collect();
    if takes_value && !defaults.is_empty() {
        text.push_str(&format!(" Default: `{}`.", defaults.join(", ")));
    }
    if let Some(variable) = arg.get_env() {
        text.push_str(&format!(" Environment: `{}`.", variable.to_string_lossy()));
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_command_and_exit_code() {
        let page = render_cli_docs();
        for command in
            ["muster apply", "muster request start", "muster audit export", "muster completion", "muster login"]
        {
            assert!(page.contains(&format!("### `{command}`")), "{command}");
        }
        assert!(page.contains("| 3 | refused by a rule"));
        assert!(page.contains("`-f, --file FILE\\|DIR\\|-`"), "{page}");
        assert!(!page.contains("### `muster docs`"), "hidden commands stay hidden");
    }

    #[test]
    fn the_arguments_fit_together() {
        crate::Cli::command().debug_assert();
    }
}
