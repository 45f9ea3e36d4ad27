//! Tells the service manager how far the service is: sd_notify(3), a line in a datagram.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where the service manager listens, if one does.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The sockets listen and the store is open.
pub(super) fn ready(url: &str) {
    tell(&format!("READY=1\nSTATUS=serves at {url}"));
}

/// Requests under way finish, and no new ones are taken.
pub(super) fn stopping() {
    tell("STOPPING=1\nSTATUS=lets requests finish");
}

/// That it cannot be told stops nothing; the service manager then waits in vain, and says so.
fn tell(state: &str) {
    let Some(socket) = std::env::var_os(SOCKET).filter(|socket| !socket.is_empty()) else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, "the service manager cannot be told: {state:?}");
    }
}

fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let to = match socket.as_bytes() {
        [b'@', name @ ..] => in_the_abstract(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &to).map(drop)
}

/// The address of a socket that has a name and no file.
#[cfg(target_os = "linux")]
fn in_the_abstract(name: &[u8]) -> io::Result<SocketAddr> {
    <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn in_the_abstract(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_by_a_socket_with_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), "READY=1").unwrap();
        assert_eq!(read(&manager), "READY=1");
        std::fs::remove_file(&path).unwrap();
        assert!(send(path.as_os_str(), "READY=1").is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn it_is_told_by_a_socket_with_a_name_only() {
        let name = format!("handstamp-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&in_the_abstract(name.as_bytes()).unwrap()).unwrap();
        send(OsStr::new(&format!("@{name}")), "STOPPING=1").unwrap();
        assert_eq!(read(&manager), "STOPPING=1");
    }

    fn read(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}
