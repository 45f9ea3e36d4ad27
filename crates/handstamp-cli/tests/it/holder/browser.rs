//! Signing a terminal in with a browser, at the shop of the demo. The browser is played by hand
//! here, so that it can do what no browser does.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Stdio};

use super::KEY;
use crate::world::{Ran, Served, World};

/// What a server answered.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, text)| text.to_owned())
    }

    fn location(&self) -> String {
        self.header("location").unwrap_or_else(|| panic!("{} {}", self.status, self.body))
    }

    /// The values of the hidden fields of the last form.
    fn fields(&self) -> Vec<(String, String)> {
        let form = self.body.rsplit("<form").next().unwrap();
        let attribute = |tag: &str, name: &str| {
            let rest = tag.split_once(&format!("{name}=\""))?.1;
            Some(rest.split_once('"')?.0.replace("&amp;", "&").replace("&#38;", "&"))
        };
        let tags = form.split("<input").skip(1).map(|tag| tag.split('>').next().unwrap());
        tags.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?))).collect()
    }
}

/// Sends a request to a port of this machine.
fn send(url: &str, method: &str, headers: &str, body: &str) -> Answer {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn encoded(fields: &[(String, String)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes().fold(String::new(), |mut out, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    out.push(byte.into());
                }
                _ => out.push_str(&format!("%{byte:02X}")),
            }
            out
        })
    };
    let pairs = fields.iter().map(|(name, text)| format!("{}={}", encode(name), encode(text)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Somebody's browser, with the cookies of the shop.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Somebody who is signed in to the shop.
    fn of(shop: &str, name: &str, password: &str) -> Self {
        let mut browser = Self::default();
        let form = browser.get(&format!("{shop}/sign-in"));
        let mut fields = form.fields();
        fields.retain(|(field, _)| !["name", "password", "remember"].contains(&field.as_str()));
        fields.extend([("name".into(), name.into()), ("password".into(), password.into())]);
        let answer = browser.post(&format!("{shop}/sign-in"), &fields);
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    fn headers(&self, site: &str) -> String {
        let cookies = self.cookies.iter().map(|(name, text)| format!("{name}={text}"));
        format!(
            "Cookie: {}\r\nSec-Fetch-Site: {site}\r\nAccept: text/html\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n",
            cookies.collect::<Vec<_>>().join("; ")
        )
    }

    fn get(&mut self, url: &str) -> Answer {
        let answer = send(url, "GET", &self.headers("none"), "");
        self.keep(answer)
    }

    fn post(&mut self, url: &str, fields: &[(String, String)]) -> Answer {
        let answer = send(url, "POST", &self.headers("same-origin"), &encoded(fields));
        self.keep(answer)
    }

    fn keep(&mut self, answer: Answer) -> Answer {
        for line in answer.head.lines() {
            let Some((name, text)) = line.split_once(": ") else { continue };
            if name.eq_ignore_ascii_case("set-cookie") {
                let (cookie, _) = text.split_once(';').unwrap();
                let (cookie, text) = cookie.split_once('=').unwrap();
                self.cookies.insert(cookie.to_owned(), text.to_owned());
            }
        }
        self.cookies.retain(|_, text| !text.is_empty());
        answer
    }

    /// Opens the page that a terminal asked for, and presses a button; answers where that leads.
    fn press(&mut self, asked: &str, is_yes: bool) -> String {
        let page = self.get(asked);
        assert_eq!(page.status, 200, "{}", page.body);
        let mut fields = page.fields();
        if is_yes {
            fields.push(("allow".into(), "yes".into()));
        }
        let action = asked.split('?').next().unwrap();
        self.post(action, &fields).location()
    }
}

/// A demo and a terminal that wants to be signed in.
struct Shop {
    demo: Served,
    world: World,
}

impl Shop {
    fn open() -> Self {
        let world = World::new().with("HANDSTAMP_HOLDER_KEY", KEY);
        let demo = [
            "demo",
            "--port",
            "0",
            "--service-port",
            "0",
            "--data-dir",
            "data",
            "--keys=ring",
            "--no-history",
        ];
        Self { demo: world.start(&demo), world }
    }

    fn terminal(&self) -> Terminal {
        let page = format!("{}/terminal", self.demo.url);
        let mut command = self.world.command(&["login", "--through", &page, "--no-browser"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = BufReader::new(process.stderr.take().unwrap());
        let mut last = || {
            let mut line = String::new();
            err.read_line(&mut line).unwrap();
            line.trim().rsplit(' ').next().unwrap().to_owned()
        };
        let (address, word) = (last(), last());
        Terminal { process, err, address, word }
    }

    fn mina(&self) -> Browser {
        Browser::of(&self.demo.url, "mina", "paper-lantern")
    }

    /// Tries to exchange a code for tokens.
    fn exchange(&self, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> = fields.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        send(&format!("{}/terminal/token", self.demo.url), "POST", kind, &encoded(&fields))
    }
}

struct Terminal {
    process: Child,
    err: BufReader<ChildStderr>,
    address: String,
    word: String,
}

impl Terminal {
    /// What it came to.
    fn ended(mut self) -> Ran {
        let mut err = String::new();
        self.err.read_to_string(&mut err).unwrap();
        let mut ran: Ran = self.process.wait_with_output().unwrap().into();
        ran.err = err;
        ran
    }

    fn back(&self) -> String {
        let query = self.address.split_once("redirect_uri=").unwrap().1;
        query.split('&').next().unwrap().replace("%3A", ":").replace("%2F", "/")
    }
}

/// A value of a query.
fn value(address: &str, name: &str) -> String {
    let rest = address.split_once(&format!("{name}=")).unwrap().1;
    rest.split('&').next().unwrap().to_owned()
}

#[test]
fn j02_a_terminal_is_signed_in_by_the_browser_of_its_user() {
    let shop = Shop::open();
    let (terminal, mut mina) = (shop.terminal(), shop.mina());
    let page = mina.get(&terminal.address);
    assert!(page.body.contains(&terminal.word), "page and terminal show the same word");
    assert!(page.body.contains("Mina Okafor"), "and for whom");
    let back = mina.press(&terminal.address, true);
    assert!(back.starts_with(&terminal.back()), "{back}");
    let told = send(&back, "GET", "", "");
    assert_eq!(told.status, 200);
    assert!(told.body.contains("is signed in"), "{}", told.body);
    let ran = terminal.ended();
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "signed in as mina (Mina Okafor), account default\n");
    assert_eq!(shop.world.run(&["whoami"]).good(), "mina\n");
    let listed = shop.world.run(&["devices", "list"]).good();
    assert!(listed.contains("Terminal on") && listed.contains("this one"), "{listed}");
    assert_eq!(listed.lines().count(), 3, "the browser is one of them: {listed}");
    let devices = mina.get(&format!("{}/devices", shop.demo.url));
    assert!(devices.body.contains("Terminal on"), "{}", devices.body);
    assert_eq!(shop.world.run(&["logout"]).good(), "signed out\n");
}

#[test]
fn a_no_in_the_browser_is_a_no_in_the_terminal() {
    let shop = Shop::open();
    let terminal = shop.terminal();
    let back = shop.mina().press(&terminal.address, false);
    assert!(back.contains("error=access_denied"), "{back}");
    send(&back, "GET", "", "");
    let ran = terminal.ended();
    assert_eq!((ran.exit, ran.out.as_str()), (4, ""));
    assert!(ran.err.contains("says no"), "{}", ran.err);
    shop.world.run(&["whoami"]).line(6);
}

#[test]
fn a_link_signs_no_terminal_in_without_the_button_of_the_shop() {
    let shop = Shop::open();
    let (terminal, mut mina) = (shop.terminal(), shop.mina());
    let nobody = send(&terminal.address, "GET", "Accept: text/html\r\n", "");
    assert!(nobody.location().starts_with("/sign-in?return_to="), "{}", nobody.location());
    let page = mina.get(&terminal.address);
    assert!(!page.head.to_ascii_lowercase().contains("location:"), "looking does nothing");
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    let action = format!("{}/terminal", shop.demo.url);
    let mut fields = page.fields();
    fields.push(("allow".into(), "yes".into()));
    let cross = send(&action, "POST", &mina.headers("cross-site"), &encoded(&fields));
    assert_eq!(cross.status, 403);
    fields.remove(0);
    assert_eq!(mina.post(&action, &fields).status, 403, "without the token of the form");
    let evil = terminal.address.replace("127.0.0.1%3A", "evil.example%3A");
    let evil = mina.get(&evil);
    assert_eq!((evil.status, evil.header("location")), (400, None));
    let mut process = terminal.process;
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn a_code_that_was_stolen_is_worth_nothing_and_good_for_nobody() {
    let shop = Shop::open();
    let terminal = shop.terminal();
    let back = shop.mina().press(&terminal.address, true);
    let (code, address) = (value(&back, "code"), terminal.back());
    let thief = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", address.as_str()),
        ("code_verifier", "a guess of somebody who saw the code go by"),
    ];
    let stolen = shop.exchange(&thief);
    assert_eq!(stolen.status, 400);
    assert!(stolen.body.contains("invalid_grant"), "{}", stolen.body);
    send(&back, "GET", "", "");
    let ran = terminal.ended();
    assert_eq!(ran.exit, 4, "the code is spent: {}", ran.err);
    shop.world.run(&["whoami"]).line(6);
}

#[test]
fn a_code_that_comes_back_is_refused_and_a_wrong_state_spoils_nothing() {
    let shop = Shop::open();
    let terminal = shop.terminal();
    let address = terminal.back();
    let wrong = format!("{address}?code=mine&state=guessed");
    assert_eq!(send(&wrong, "GET", "", "").status, 400);
    assert_eq!(send(&format!("{address}?error=denied&state=guessed"), "GET", "", "").status, 400);
    assert_eq!(send(&address.replace("/signed-in", "/favicon.ico"), "GET", "", "").status, 404);
    let back = shop.mina().press(&terminal.address, true);
    assert_eq!(send(&back, "GET", "", "").status, 200);
    assert_eq!(terminal.ended().exit, 0);
    let again = [
        ("grant_type", "authorization_code"),
        ("code", &value(&back, "code")),
        ("redirect_uri", &address),
        ("code_verifier", "whatever"),
    ];
    assert_eq!(shop.exchange(&again).status, 400);
    assert_eq!(shop.exchange(&again[..2]).status, 400);
    assert_eq!(shop.world.run(&["status", "--json"]).json()["state"], "active");
}

#[test]
fn a_terminal_that_is_killed_while_it_waits_leaves_nobody_signed_in() {
    let shop = Shop::open();
    let terminal = shop.terminal();
    let mut process = terminal.process;
    process.kill().unwrap();
    process.wait().unwrap();
    shop.world.run(&["whoami"]).line(6);
    // The next try is one of its own.
    let terminal = shop.terminal();
    let back = shop.mina().press(&terminal.address, true);
    send(&back, "GET", "", "");
    assert_eq!(terminal.ended().exit, 0);
}
