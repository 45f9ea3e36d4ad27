//! Ids on a command line: one in 64 begins with `-`, and is no flag.

use std::ffi::OsString;

use clap::{Arg, Command};

/// How long the ids are that people type: of a service key, of a session.
const LENGTHS: [usize; 2] = [12, 24];

/// How arguments that are ids are declared.
const DECLARED: &str = "ID";

/// The line with such ids where they are taken for what they are: behind `--`, or joined to the
/// flag that they belong to. A line with a `--` of its own, or of a command that takes no ids,
/// stays as it is.
pub(super) fn told_from_flags(root: &Command, line: Vec<OsString>) -> Vec<OsString> {
    let command = asked_for(root, &line);
    if line.iter().any(|word| word == "--") {
        return line;
    }
    let takes_ids = command.get_positionals().any(is_declared);
    let (mut before, mut ids) = (Vec::with_capacity(line.len()), Vec::new());
    for word in line {
        if !is_id(&word) {
            before.push(word);
        } else if let Some(flag) = before.last_mut().filter(|flag| wants_id(command, flag)) {
            flag.push("=");
            flag.push(word);
        } else if takes_ids {
            ids.push(word);
        } else {
            before.push(word);
        }
    }
    if !ids.is_empty() {
        before.push("--".into());
        before.append(&mut ids);
    }
    before
}

/// The command that the line names.
fn asked_for<'a>(root: &'a Command, line: &[OsString]) -> &'a Command {
    line.iter().skip(1).fold(root, |command, word| command.find_subcommand(word).unwrap_or(command))
}

fn is_declared(argument: &Arg) -> bool {
    let names = argument.get_value_names().unwrap_or_default();
    names.iter().any(|name| name.split('|').any(|name| name == DECLARED))
}

fn wants_id(command: &Command, flag: &OsString) -> bool {
    let name = flag.to_str().and_then(|flag| flag.strip_prefix("--"));
    let is_it = |argument: &&Arg| name.is_some() && argument.get_long() == name;
    command.get_opts().find(is_it).is_some_and(is_declared)
}

/// Whether it is an id that could be taken for a flag: nothing else looks so, a flag with a
/// mistake in it least of all.
fn is_id(word: &OsString) -> bool {
    let Some(text) = word.to_str().filter(|text| LENGTHS.contains(&text.len())) else {
        return false;
    };
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_of_flag = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    text.starts_with('-') && text.bytes().all(is_base64url) && !text.bytes().all(is_of_flag)
}

#[cfg(test)]
#[cfg(feature = "serve")]
mod tests {
    use super::*;

    const SESSION: &str = "-6wTqQ-3JmZl0s1c8-Xb_k9A";
    const KEY: &str = "-h4nJ-_Vw0aB";

    fn told(line: &str) -> String {
        let line = line.split(' ').map(OsString::from).collect();
        let told = told_from_flags(&crate::args::command(), line);
        told.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn ids_that_begin_with_a_hyphen_come_behind_the_flags() {
        assert_eq!(
            told(&format!("handstamp sessions end {SESSION} A -{KEY}2345678901a --json")),
            format!("handstamp sessions end A --json -- {SESSION} -{KEY}2345678901a")
        );
        for command in ["sessions show", "sessions why", "sessions undo", "service-key revoke"] {
            assert_eq!(
                told(&format!("handstamp {command} {KEY} --json")),
                format!("handstamp {command} --json -- {KEY}")
            );
        }
    }

    #[test]
    fn an_id_that_a_flag_asks_for_stays_with_it() {
        assert_eq!(
            told(&format!("handstamp audit tail --session {SESSION} --json")),
            format!("handstamp audit tail --session={SESSION} --json")
        );
    }

    #[test]
    fn what_is_no_id_and_where_none_is_taken_stays_as_it_is() {
        for line in [
            "handstamp sessions end --subject ada --undo-seconds 3600 --json",
            "handstamp sessions show --no-such-flg",
            "handstamp sessions why -",
            &format!("handstamp subject show {SESSION}"),
            &format!("handstamp sessions show --json -- {SESSION}"),
        ] {
            assert_eq!(told(line), line);
        }
    }
}
