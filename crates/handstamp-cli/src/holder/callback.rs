//! The port on 127.0.0.1 that a browser comes back to.
//!
//! Connections are heard side by side, so that one that says nothing keeps no browser waiting: any
//! program of this machine can open one.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use crate::failure::{Exit, Failure};

/// The path that counts. Everything else is a browser's curiosity.
const PATH: &str = "/signed-in";
/// No request of a browser for this is larger, in bytes.
const LARGEST: usize = 16 * 1024;
/// How long a connection may take to say what it wants.
const HEAD: Duration = Duration::from_secs(5);
/// How many connections are heard at a time; others wait their turn.
const SIDE_BY_SIDE: usize = 8;

/// Waits for one answer.
pub(super) struct Callback {
    listener: TcpListener,
    port: u16,
    state: String,
    patience: Duration,
}

/// The browser came back.
pub(super) struct Came {
    /// What it brought.
    pub(super) code: String,
    /// What it is yet to be told.
    pub(super) answer: Waiting,
}

/// A browser that waits to be told how it went.
pub(super) struct Waiting(TcpStream);

impl Waiting {
    /// Tells it.
    pub(super) async fn give(mut self, is_good: bool) {
        let (status, text) = match is_good {
            true => (200, "The terminal is signed in. You can close this page."),
            false => (400, "The terminal could not be signed in; it says why. Close this page."),
        };
        let _ = reply(&mut self.0, status, text).await;
    }
}

/// What a request says.
enum Said {
    /// The answer that is waited for.
    Code(String),
    /// The user said no.
    Denied,
    /// It is not for us, or not what was waited for.
    Other(u16, &'static str),
}

impl Callback {
    /// Takes a free port. `state` is what only the page that was asked knows.
    pub(super) async fn listen(state: String) -> Result<Self, Failure> {
        let failed = |error| Failure::because("cannot listen on 127.0.0.1", &error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port, state, patience: HEAD })
    }

    /// Where the browser is to come back to.
    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits until the browser comes back with what was asked for. Whatever else comes is answered
    /// and ends nothing: another program of this machine is to spoil no sign-in.
    pub(super) async fn wait(&self) -> Result<Came, Failure> {
        let mut heard = JoinSet::new();
        loop {
            tokio::select! {
                came = self.listener.accept(), if heard.len() < SIDE_BY_SIDE => {
                    let failed = |error| Failure::because("cannot listen on 127.0.0.1", &error);
                    let (stream, _) = came.map_err(failed)?;
                    heard.spawn(hear(stream, self.patience));
                }
                Some(heard) = heard.join_next() => {
                    let Ok(Some((stream, head))) = heard else { continue };
                    if let Some(came) = self.answer(stream, &head).await? {
                        return Ok(came);
                    }
                }
            }
        }
    }

    /// Answers a request, unless it is the one that is waited for.
    async fn answer(&self, mut stream: TcpStream, head: &str) -> Result<Option<Came>, Failure> {
        match self.said(head) {
            Said::Code(code) => Ok(Some(Came { code, answer: Waiting(stream) })),
            Said::Denied => {
                let _ = reply(&mut stream, 200, "The terminal is not signed in.").await;
                let line = "the page says no: nobody is signed in";
                Err(Failure::new(line).with(Exit::Refused))
            }
            Said::Other(status, text) => {
                let _ = reply(&mut stream, status, text).await;
                Ok(None)
            }
        }
    }

    fn said(&self, head: &str) -> Said {
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some("GET"), Some(target)) = (words.next(), words.next()) else {
            return Said::Other(405, "Only GET.");
        };
        // A page whose name was made to point here (DNS rebinding) gets nothing.
        let host = format!("127.0.0.1:{}", self.port);
        let mut hosts = lines.filter_map(|line| line.split_once(':'));
        let is_here =
            hosts.any(|(name, text)| name.eq_ignore_ascii_case("host") && text.trim() == host);
        let Some(url) = Url::parse(&format!("http://{host}{target}")).ok().filter(|_| is_here)
        else {
            return Said::Other(421, "Not here.");
        };
        if url.path() != PATH {
            return Said::Other(404, "There is nothing here.");
        }
        self.meant(&url)
    }

    fn meant(&self, url: &Url) -> Said {
        let one = |name: &str| {
            let mut found = url.query_pairs().filter(|(key, _)| key == name);
            let text = found.next().map(|(_, text)| text.into_owned());
            text.filter(|_| found.next().is_none())
        };
        if one("state").is_none_or(|state| state != self.state) {
            return Said::Other(400, "That is not the answer that was waited for.");
        }
        match (one("code"), one("error")) {
            (Some(code), None) => Said::Code(code),
            (None, Some(_)) => Said::Denied,
            _ => Said::Other(400, "That is no answer."),
        }
    }
}

/// What a connection asks for, if it says so in time.
async fn hear(mut stream: TcpStream, patience: Duration) -> Option<(TcpStream, String)> {
    let head = tokio::time::timeout(patience, head(&mut stream)).await.ok()??;
    Some((stream, head))
}

/// The head of a request.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let mut some = [0; 1024];
        let count = stream.read(&mut some).await.ok()?;
        read.extend_from_slice(some.get(..count)?);
        if count == 0 || read.len() > LARGEST {
            return None;
        }
    }
    String::from_utf8(read).ok()
}

async fn reply(stream: &mut TcpStream, status: u16, text: &str) -> std::io::Result<()> {
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>handstamp</title><p>{text}</p>\n"
    );
    let head = format!(
        "HTTP/1.1 {status} handstamp\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Length: {}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn callback() -> Callback {
        Callback::listen("right".into()).await.unwrap()
    }

    fn status(said: &Said) -> u16 {
        match said {
            Said::Code(_) => 200,
            Said::Denied => 0,
            Said::Other(status, _) => *status,
        }
    }

    #[tokio::test]
    async fn only_the_answer_that_was_waited_for_counts() {
        let callback = callback().await;
        let host = format!("127.0.0.1:{}", callback.port);
        let ask = |line: &str, host: &str| {
            status(&callback.said(&format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n")))
        };
        for (line, expected) in [
            ("GET /signed-in?state=right&code=c", 200),
            ("GET /signed-in?state=right&error=access_denied", 0),
            ("GET /signed-in?state=wrong&code=c", 400),
            ("GET /signed-in?code=c", 400),
            ("GET /signed-in?state=right", 400),
            ("GET /signed-in?state=right&state=right&code=c", 400),
            ("GET /signed-in?state=right&code=c&code=d", 400),
            ("GET /signed-in?state=right&code=c&error=e", 400),
            ("GET /favicon.ico", 404),
            ("POST /signed-in?state=right&code=c", 405),
            ("", 405),
        ] {
            assert_eq!(ask(line, &host), expected, "{line}");
        }
        let line = "GET /signed-in?state=right&code=c";
        assert_eq!(ask(line, "evil.example"), 421);
        assert_eq!(ask(line, "localhost"), 421);
    }

    /// Connections to the callback that have been accepted by the system.
    async fn connections(callback: &Callback, count: usize) -> Vec<TcpStream> {
        let mut streams = Vec::new();
        for _ in 0..count {
            let address = (Ipv4Addr::LOCALHOST, callback.port);
            streams.push(TcpStream::connect(address).await.unwrap());
        }
        streams
    }

    async fn browser(callback: &Callback) -> TcpStream {
        let mut stream = connections(callback, 1).await.remove(0);
        let (line, host) = ("GET /signed-in?state=right&code=c HTTP/1.1", callback.port);
        let head = format!("{line}\r\nHost: 127.0.0.1:{host}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn connections_that_say_nothing_keep_no_browser_waiting() {
        let callback = callback().await;
        // None of these is let go while the test runs.
        let callback = Callback { patience: Duration::from_secs(3600), ..callback };
        let _silent = connections(&callback, SIDE_BY_SIDE - 1).await;
        let _browser = browser(&callback).await;
        assert_eq!(callback.wait().await.unwrap().code, "c");
    }

    #[tokio::test]
    async fn more_silent_ones_than_are_heard_at_a_time_are_let_go_in_time() {
        let callback = Callback { patience: Duration::from_millis(20), ..callback().await };
        let _silent = connections(&callback, 3 * SIDE_BY_SIDE).await;
        let _browser = browser(&callback).await;
        assert_eq!(callback.wait().await.unwrap().code, "c");
    }
}
