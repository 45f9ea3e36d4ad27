//! Load by wrk, as fast as the server answers.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::Fault;

/// What every wrk prints in the end.
const DONE: &str = include_str!("lua/done.lua");

/// Every request signs somebody else in.
const BEGIN: &str = include_str!("lua/begin.lua");

/// Every request is of the next holder.
const AS: &str = include_str!("lua/as.lua");

/// What one wrk has seen; times in microseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ran {
    pub(crate) requests: u64,
    pub(crate) micros: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Answers of 400 and above.
    refused: u64,
    /// Connections that failed, and answers that came too late.
    broken: u64,
}

/// A wrk that is to be started.
pub(crate) struct Load {
    url: String,
    connections: u32,
    script: String,
    niceness: Option<&'static str>,
}

impl Load {
    /// Asks for `path` again and again.
    pub(crate) fn get(port: u16, path: &str, headers: &HeaderMap) -> Result<Self, Fault> {
        Self::new(port, path, headers, "")
    }

    /// Asks for `path` as these holders of cookies in turn.
    pub(crate) fn get_as(port: u16, path: &str, cookies: &[HeaderValue]) -> Result<Self, Fault> {
        let texts = cookies.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let texts: Vec<_> = texts.iter().map(|text| format!("{text:?}")).collect();
        let lua = format!("COOKIES = {{{}}}\n{AS}", texts.join(", "));
        Self::new(port, path, &HeaderMap::new(), &lua)
    }

    /// Begins sessions at `path`; `body` says `NUMBER` and `ADDRESS` where each has its own.
    pub(crate) fn begin(
        port: u16,
        path: &str,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<Self, Fault> {
        Self::new(port, path, headers, &format!("BODY = {body:?}\n{BEGIN}"))
    }

    fn new(port: u16, path: &str, headers: &HeaderMap, lua: &str) -> Result<Self, Fault> {
        let mut script = String::from(DONE);
        for (name, value) in headers {
            script.push_str(&format!("wrk.headers[{:?}] = {:?}\n", name.as_str(), text(value)?));
        }
        script.push_str(lua);
        let url = format!("http://127.0.0.1:{port}{path}");
        Ok(Self { url, connections: 32, script, niceness: None })
    }

    /// How many connections ask at once; 32 otherwise.
    pub(crate) const fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// Lets whatever else runs on the same processor go first.
    pub(crate) const fn behind_others(mut self) -> Self {
        self.niceness = Some("10");
        self
    }

    /// Starts it; `scratch` is where its script lies meanwhile.
    pub(crate) fn start(&self, span: Duration, scratch: &Path) -> Result<Running, Fault> {
        let script = scratch.join("wrk.lua");
        std::fs::write(&script, &self.script)?;
        let mut command = match self.niceness {
            Some(niceness) => {
                let mut nice = Command::new("nice");
                nice.args(["-n", niceness, "wrk"]);
                nice
            }
            None => Command::new("wrk"),
        };
        command.args(["--threads", "1", "--connections", &self.connections.to_string()]);
        command.args(["--timeout", "30s"]);
        command.args(["--duration", &format!("{}s", span.as_secs().max(1)), "--script"]);
        command.arg(script).arg(&self.url).stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command
            .spawn()
            .map_err(|error| format!("wrk (Debian package `wrk`) could not be started: {error}"))?;
        Ok(Running(child))
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, span: Duration, scratch: &Path) -> Result<Ran, Fault> {
        self.start(span, scratch)?.finish()
    }
}

/// A wrk that runs.
pub(crate) struct Running(Child);

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// It failed, or the server refused a request or broke a connection.
    pub(crate) fn finish(self) -> Result<Ran, Fault> {
        let output = self.0.wait_with_output()?;
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().rfind(|line| line.starts_with('{'));
        let ran: Ran = serde_json::from_str(line.ok_or("wrk has failed")?)?;
        if ran.refused > 0 || ran.broken > 0 {
            return Err(format!("not every request was answered well: {ran:?}").into());
        }
        Ok(ran)
    }
}

fn text(value: &HeaderValue) -> Result<&str, Fault> {
    Ok(value.to_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_lines_of_the_script() {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_static("a=\"1\""));
        let load = Load::get(80, "/status", &headers).unwrap();
        assert!(load.script.ends_with("wrk.headers[\"cookie\"] = \"a=\\\"1\\\"\"\n"));
    }
}
