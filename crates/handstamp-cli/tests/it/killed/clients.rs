//! Clients that begin sessions, refresh them and sign out, and know what was acknowledged.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use handstamp_core::SessionId;
use serde_json::{Value as Json, json};

/// Choices that a seed makes, by SplitMix64.
pub(crate) struct Draw(Cell<u64>);

impl Draw {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// One of the numbers below `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// What a client does to a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    Refresh,
    End,
}

/// What a client knows of a session.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The last token that was handed out.
    pub(crate) token: String,
    /// How often it was acknowledged to be refreshed.
    pub(crate) refreshes: u32,
    pub(crate) is_ended: bool,
    /// What was asked and not answered.
    pub(crate) under_way: Option<Act>,
}

/// Somebody who does one thing at a time.
pub(crate) struct Client {
    pub(crate) subject: String,
    pub(crate) sessions: BTreeMap<String, Known>,
    /// The sessions that were in use when the service was killed, to be looked at first.
    recent: Vec<String>,
    /// How often the service was killed under it.
    kills: usize,
    count: u32,
    draw: Draw,
}

impl Client {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let draw = Draw::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let (sessions, recent) = (BTreeMap::new(), Vec::new());
        Self { subject: format!("user-{number}"), sessions, recent, kills: 0, count: 0, draw }
    }

    /// How much was acknowledged since this was asked before.
    pub(crate) fn take_count(&mut self) -> u32 {
        std::mem::take(&mut self.count)
    }

    /// How many sessions may have begun that it never heard of: one at each kill.
    pub(crate) const fn kills(&self) -> usize {
        self.kills
    }

    pub(crate) fn knows(&self, id: SessionId) -> bool {
        self.sessions.contains_key(&id.to_string())
    }

    /// Works until the service is gone.
    pub(crate) fn work(&mut self, url: &str, key: &str) {
        self.kills += 1;
        let Ok(mut wire) = Wire::open(url) else { return };
        let _gone = self.try_to_work(&mut wire, key);
    }

    fn try_to_work(&mut self, wire: &mut Wire, key: &str) -> io::Result<()> {
        while let Some(id) = self.recent.last().cloned() {
            self.look_at(wire, &id)?;
            self.recent.pop();
        }
        loop {
            let id = self.begin(wire, key)?;
            self.recent.push(id.clone());
            for _ in 0..self.draw.below(4) {
                self.refresh(wire, &id)?;
            }
            if self.draw.below(3) > 0 {
                self.end(wire, &id)?;
            }
            if self.recent.len() > 4 {
                self.recent.remove(0);
            }
        }
    }

    /// Finds a session of before the service was killed as it was acknowledged.
    fn look_at(&mut self, wire: &mut Wire, id: &str) -> io::Result<()> {
        let known = &self.sessions[id];
        let body = json!({ "refresh_token": known.token });
        let is_open = known.under_way == Some(Act::End);
        let is_ended = known.is_ended;
        if !is_ended {
            self.known(id).under_way = Some(if is_open { Act::End } else { Act::Refresh });
        }
        let (status, answer) = wire.ask("/sessions/refresh", None, &body)?;
        match status {
            200 if !is_ended => self.refreshed(id, &answer),
            401 if is_ended || is_open => {
                assert_eq!(answer["code"], "SESSION_ENDED", "{answer}");
                self.known(id).is_ended = true;
                self.known(id).under_way = None;
            }
            _ => panic!("session {id} is {:?}, and a refresh answers {answer}", self.sessions[id]),
        }
        Ok(())
    }

    fn begin(&mut self, wire: &mut Wire, key: &str) -> io::Result<String> {
        let (status, answer) =
            wire.ask("/sessions", Some(key), &json!({ "subject": self.subject }))?;
        assert_eq!(status, 201, "{answer}");
        let id = answer["session"]["id"].as_str().unwrap().to_owned();
        let token = answer["refresh_token"].as_str().unwrap().to_owned();
        let known = Known { token, refreshes: 0, is_ended: false, under_way: None };
        self.sessions.insert(id.clone(), known);
        self.count += 1;
        Ok(id)
    }

    fn refresh(&mut self, wire: &mut Wire, id: &str) -> io::Result<()> {
        self.known(id).under_way = Some(Act::Refresh);
        let body = json!({ "refresh_token": self.sessions[id].token });
        let (status, answer) = wire.ask("/sessions/refresh", None, &body)?;
        assert_eq!(status, 200, "{answer}");
        self.refreshed(id, &answer);
        Ok(())
    }

    fn refreshed(&mut self, id: &str, answer: &Json) {
        let known = self.known(id);
        known.token = answer["refresh_token"].as_str().unwrap().to_owned();
        known.refreshes += 1;
        known.under_way = None;
        self.count += 1;
    }

    fn end(&mut self, wire: &mut Wire, id: &str) -> io::Result<()> {
        self.known(id).under_way = Some(Act::End);
        let body = json!({ "refresh_token": self.sessions[id].token });
        let (status, answer) = wire.ask("/sessions/logout", None, &body)?;
        assert_eq!((status, &answer["ended"]), (200, &json!(true)), "{answer}");
        let known = self.known(id);
        (known.is_ended, known.under_way) = (true, None);
        self.count += 1;
        Ok(())
    }

    fn known(&mut self, id: &str) -> &mut Known {
        self.sessions.get_mut(id).unwrap()
    }
}

/// A connection that is kept.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    host: String,
    /// What the last end said of the state that it left.
    pub(crate) cursor: Option<String>,
}

impl Wire {
    pub(crate) fn open(url: &str) -> io::Result<Self> {
        let host = url.strip_prefix("http://").unwrap().to_owned();
        let stream = TcpStream::connect(&host)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host, cursor: None })
    }

    /// Gets what is there for whoever has this key or access token.
    pub(crate) fn get(&mut self, path: &str, bearer: &str) -> io::Result<(u16, Json)> {
        self.get_with(path, bearer, "")
    }

    /// The same, with more headers.
    pub(crate) fn get_with(
        &mut self,
        path: &str,
        bearer: &str,
        headers: &str,
    ) -> io::Result<(u16, Json)> {
        let host = &self.host;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {bearer}\r\n{headers}\r\n"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    /// Posts JSON; answers status and body once both have come whole.
    pub(crate) fn ask(
        &mut self,
        path: &str,
        key: Option<&str>,
        body: &Json,
    ) -> io::Result<(u16, Json)> {
        let (body, host) = (body.to_string(), &self.host);
        let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n{key}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<(u16, Json)> {
        let status = self.line()?.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut length = 0;
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "handstamp-cursor" => self.cursor = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok((status.unwrap(), serde_json::from_slice(&answer).unwrap_or_default()))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ if !line.ends_with('\n') => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}
