//! A secret that somebody pastes, or that a script pipes in: never an argument, never shown.

use std::io::{self, IsTerminal, Read};

use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};

/// Nothing that is pasted is larger, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Reads all of stdin; on a terminal, a line that is not shown.
///
/// # Errors
/// Exit 2 if there is nothing, or more than anybody pastes.
pub(super) fn secret(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let read = if io::stdin().is_terminal() { typed(prompt) } else { piped() };
    let text = read.map_err(|error| Failure::because("cannot read stdin", &error))?;
    let text = Zeroizing::new(text.trim().to_owned());
    if text.is_empty() {
        return Err(Failure::new("nothing came in on stdin").with(Exit::Usage));
    }
    Ok(text)
}

fn piped() -> io::Result<Zeroizing<String>> {
    // As large as it gets at once: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(LARGEST as usize + 1));
    io::stdin().lock().take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other("more than anybody pastes"));
    }
    Ok(text)
}

#[cfg(not(unix))]
fn typed(_: &str) -> io::Result<Zeroizing<String>> {
    Err(io::Error::other("pipe it in; on this system a terminal would show it"))
}

#[cfg(unix)]
use terminal::typed;

#[cfg(unix)]
mod terminal {
    use std::io::{self, Read, Write};

    use rustix::stdio::stdin;
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
    };
    use zeroize::Zeroizing;

    use super::LARGEST;

    const INTERRUPT: u8 = 0x03;
    const END: u8 = 0x04;

    /// Puts the terminal back as it was.
    struct Restore(Termios);

    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.0);
        }
    }

    /// Reads a line without showing it, and without the limit of a terminal's own lines: a whole
    /// answer of the service does not fit into 4,096 characters.
    pub(super) fn typed(prompt: &str) -> io::Result<Zeroizing<String>> {
        let before = Restore(tcgetattr(stdin())?);
        let mut quiet = before.0.clone();
        // Signals too: whoever gives up is to find the terminal as it was.
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Flush, &quiet)?;
        write!(io::stderr(), "{prompt}")?;
        let text = line();
        writeln!(io::stderr())?;
        text
    }

    fn line() -> io::Result<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::with_capacity(LARGEST as usize + 1));
        for byte in io::stdin().lock().bytes() {
            match byte? {
                b'\n' | b'\r' | END => break,
                INTERRUPT => return Err(io::ErrorKind::Interrupted.into()),
                0x08 | 0x7f => {
                    text.pop();
                }
                byte if byte.is_ascii() && (text.len() as u64) < LARGEST => text.push(byte.into()),
                _ => return Err(io::Error::other("no token looks like that")),
            }
        }
        Ok(text)
    }
}
