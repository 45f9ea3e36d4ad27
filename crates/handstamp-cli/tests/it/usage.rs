//! Help, and lines that cannot be understood.

use crate::world::World;

fn run(arguments: &[&str]) -> crate::world::Ran {
    World::new().run(arguments)
}

#[test]
fn help_says_what_there_is_and_what_exit_codes_mean() {
    let help = run(&["--help"]).good();
    for command in [
        "serve",
        "config",
        "keys",
        "service-key",
        "sessions",
        "subject",
        "audit",
        "dashboard",
        "doctor",
        "login",
        "status",
        "whoami",
        "devices",
        "logout",
        "accounts",
        "token",
        "completions",
        "man",
    ] {
        assert!(help.contains(&format!("  {command} ")), "{command}: {help}");
    }
    for code in [
        "0  done",
        "1  could",
        "2  the command line",
        "3  what was",
        "4  not",
        "5  the service",
        "6  nobody",
    ] {
        assert!(help.contains(code), "{code}: {help}");
    }
    assert!(run(&["--version"]).good().starts_with("handstamp "));
}

#[test]
fn no_line_of_help_is_wider_than_a_terminal() {
    let commands: [&[&str]; 19] = [
        &[],
        &["serve"],
        &["config"],
        &["keys"],
        &["keys", "generate"],
        &["keys", "retire"],
        &["completions"],
        &["man"],
        &["service-key", "create"],
        &["sessions", "list"],
        &["sessions", "end"],
        &["subject", "roles"],
        &["audit", "tail"],
        &["doctor"],
        &["login"],
        &["status"],
        &["devices", "name"],
        &["accounts", "remove"],
        &["token"],
    ];
    for command in commands {
        let help = run(&[command, &["--help"]].concat()).good();
        let wide = help.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "{command:?}");
    }
}

#[test]
fn what_cannot_be_understood_is_one_line_and_exit_2() {
    let lines: [(&[&str], &str); 6] = [
        (&[], "see handstamp --help"),
        (&["keys"], "see handstamp keys --help"),
        (&["keys", "rotat"], "did you mean rotate?"),
        (&["config", "--jsn"], "did you mean --json?"),
        (&["keys", "retire"], "see handstamp keys retire --help"),
        (&["completions", "bsh"], "did you mean bash?"),
    ];
    for (line, hint) in lines {
        let said = run(line).line(2);
        assert!(said.ends_with(hint), "{line:?}: {said}");
    }
}
