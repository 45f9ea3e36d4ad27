//! A client of one connection each, for what wrk is not made for: to sign in, to use each token
//! once, to keep a pace.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::Fault;

/// An answer, read to its end.
pub(crate) type Answer = Response<Bytes>;

/// One connection to a server on this machine.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

impl Connection {
    /// # Errors
    /// Nobody listens there.
    pub(crate) async fn open(port: u16) -> Result<Self, Fault> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: HeaderValue::from_str(&format!("127.0.0.1:{port}"))? })
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Answer, Fault> {
        request.headers_mut().insert(header::HOST, self.host.clone());
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }

    pub(crate) async fn get(&mut self, path: &str, headers: HeaderMap) -> Result<Answer, Fault> {
        let mut request = Request::get(path).body(Full::default())?;
        *request.headers_mut() = headers;
        self.send(request).await
    }

    /// Posts JSON.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        mut headers: HeaderMap,
        body: &Value,
    ) -> Result<Answer, Fault> {
        let mut request = Request::post(path).body(Full::from(body.to_string()))?;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.headers_mut() = headers;
        self.send(request).await
    }
}

/// The JSON of an answer that is good.
///
/// # Errors
/// It is another answer; its text is in the error, and holds no token because it is a refusal.
pub(crate) fn json(answer: &Answer) -> Result<Value, Fault> {
    good(answer)?;
    Ok(serde_json::from_slice(answer.body())?)
}

/// # Errors
/// The answer is a refusal.
pub(crate) fn good(answer: &Answer) -> Result<(), Fault> {
    if answer.status().is_success() {
        return Ok(());
    }
    Err(format!("{}: {}", answer.status(), String::from_utf8_lossy(answer.body())).into())
}

/// The cookies that an answer sets, as a browser sends them back.
pub(crate) fn cookies(headers: &HeaderMap) -> Result<HeaderValue, Fault> {
    let set = headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str());
    let pairs = set.collect::<Result<Vec<_>, _>>()?;
    let pairs: Vec<_> = pairs.iter().filter_map(|pair| pair.split(';').next()).collect();
    if pairs.is_empty() {
        return Err("no cookie was set".into());
    }
    Ok(HeaderValue::from_str(&pairs.join("; "))?)
}

/// Whether a server answers `path` with 200.
pub(crate) async fn is_ready(port: u16, path: &str) -> bool {
    let answer = async { Connection::open(port).await?.get(path, HeaderMap::new()).await };
    answer.await.is_ok_and(|answer| answer.status() == StatusCode::OK)
}

/// What came of requests that were sent by [`each`] or at a pace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    /// From the first to the last.
    pub(crate) span: Duration,
    /// Of each request, in microseconds.
    pub(crate) micros: Vec<f64>,
}

/// Does `work` for each number below `count`, on `width` connections at once.
///
/// # Errors
/// The first that comes up.
pub(crate) async fn each(
    port: u16,
    width: u64,
    count: u64,
    work: impl AsyncFn(&mut Connection, u64) -> Result<(), Fault>,
) -> Result<Sent, Fault> {
    let next = Cell::new(0);
    let clients = (0..width).map(|_| async {
        let mut connection = Connection::open(port).await?;
        let mut micros = Vec::new();
        while next.get() < count {
            let number = next.replace(next.get() + 1);
            let start = Instant::now();
            work(&mut connection, number).await?;
            micros.push(micros_since(start));
        }
        Ok::<_, Fault>(micros)
    });
    let start = Instant::now();
    let micros = try_join_all(clients).await?.concat();
    Ok(Sent { span: start.elapsed(), micros })
}

/// Sends the same request `rate` times a second for `span`, on `width` connections.
///
/// An answer that comes after its connection's next request was due lengthens that one: a server
/// that stalls is not measured less often for it.
pub(crate) async fn paced(
    port: u16,
    width: u32,
    rate: u32,
    span: Duration,
    request: &Request<Full<Bytes>>,
) -> Result<Sent, Fault> {
    let every = Duration::from_secs(1) * width / rate;
    let start = Instant::now();
    let clients = (0..width).map(|client| async move {
        let mut connection = Connection::open(port).await?;
        let mut due = start + every * client / width;
        let mut micros = Vec::new();
        while due < start + span {
            let is_late = due < Instant::now();
            tokio::time::sleep_until(due.into()).await;
            let sent = if is_late { due } else { Instant::now() };
            good(&connection.send(request.clone()).await?)?;
            micros.push(micros_since(sent));
            due += every;
        }
        Ok::<_, Fault>(micros)
    });
    let micros = try_join_all(clients).await?.concat();
    Ok(Sent { span: start.elapsed(), micros })
}

fn micros_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_come_back_without_their_attributes() {
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, HeaderValue::from_static("a=1; Path=/; HttpOnly"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(cookies(&headers).unwrap(), "a=1; b=2");
        assert!(cookies(&HeaderMap::new()).is_err());
    }
}
