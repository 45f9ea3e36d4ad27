//! What the demo prints when it is open.

use std::io::{self, Write};

use super::accounts::{ACCOUNTS, Account, CLERK};
use super::opening::Opened;
use crate::failure::Failure;

/// Prints addresses, accounts, places and how to stop.
pub(super) fn print(opened: &Opened) -> Result<(), Failure> {
    let mut text = Vec::new();
    let mut out = io::stdout().lock();
    // In one piece: who waits for the address has the rest too.
    write(&mut text, opened)
        .and_then(|()| out.write_all(&text))
        .and_then(|()| out.flush())
        .map_err(|error| Failure::because("cannot write to stdout", &error))
}

fn write(out: &mut impl Write, opened: &Opened) -> io::Result<()> {
    writeln!(out, "The Night Fair is open: http://127.0.0.1:{}\n", opened.port)?;
    for (at, account) in ACCOUNTS.iter().enumerate() {
        let lead = if at == 0 { "Sign in as" } else { "" };
        writeln!(out, "  {lead:<11} {}", line(account))?;
    }
    writeln!(out, "\n  Dashboard   {}", opened.beside.dashboard)?;
    writeln!(out, "              signs an operator in, once, within ten minutes")?;
    writeln!(out, "\n  Sessions    {}", opened.database.display())?;
    writeln!(out, "  Keys        {}", opened.keys.display())?;
    writeln!(out, "  Stop        Ctrl-C")
}

fn line(account: &Account) -> String {
    let remark = if account.roles.contains(&CLERK) { "  works in the stock room" } else { "" };
    format!("{:<6} password {:<18}{remark}", account.name, account.password).trim_end().to_owned()
}
