//! The table of settings: every section, every key, its type, default, bounds and meaning.
//!
//! `cargo xtask docs` makes the reference page and the annotated example from this file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use handstamp_core::config::{LimitStrategy, ReusePolicy, SameSite};
use ipnet::IpNet;
use serde_json::Value as Json;

use super::choice::{Algorithm, LogFormat, LogLevel, Preset, Synchronous};
use super::reader::Reader;
use super::row::{Row, Section, section};
use super::special::{Origin, Rate, Secret, StoreAddress, WebAddress};
use super::value::Value;
use crate::risk::Action as RiskAction;

section! {
    /// Where the service listens, and what it takes from the network.
    Server = "server" {
        /// The address and port to listen on; port 0 takes any that is free.
        listen: SocketAddr = "127.0.0.1:7070";
        /// The address under which browsers and other services reach the service; with none,
        /// `http://` and `server.listen`.
        public_url: Option<WebAddress> = "none";
        /// Proxies whose `Forwarded` and `X-Forwarded-For` are believed.
        trusted_proxies: Vec<IpNet> = "";
        /// The largest body of a request.
        body_limit as body_limit_bytes: usize = "524288" in 1_024..=67_108_864;
        /// How long a request may take; event streams are not bound by it.
        request_timeout as request_timeout_seconds: Duration = "30" in 1..=3_600;
        /// How long a connection may take to say the head of a request; then it is closed.
        head_timeout as head_timeout_seconds: Duration = "15" in 1..=3_600;
        /// How many connections there may be at once, event streams among them; more wait. The
        /// system's limit on open files must be higher.
        max_connections: usize = "10000" in 1..=1_000_000;
        /// How long the service goes on serving once it is asked to stop, while `/readyz` says that it
        /// is not ready: for a proxy that asks, so that it sends no more requests here.
        drain as drain_seconds: Duration = "0" in 0..=600;
        /// How long requests under way may take to finish once the service is asked to stop.
        shutdown_grace as shutdown_grace_seconds: Duration = "10" in 0..=600;
        /// A second address and port that answers `GET /metrics` to anybody and nothing else; with
        /// none, `/metrics` is for operators.
        metrics_listen: Option<SocketAddr> = "none";
    }
}

section! {
    /// Where sessions are kept.
    Store = "store" {
        /// The database: `postgres://user@host/name` for several services on one PostgreSQL; with
        /// none, or `sqlite://` and a folder, SQLite for this service alone.
        url: Option<StoreAddress> = "none";
        /// How many connections to PostgreSQL this service holds at most.
        connections: u32 = "10" in 2..=1_000;
        /// The folder of the embedded database and of the local socket; made if it is not there, for
        /// its owner only.
        data_dir: PathBuf = "handstamp-data";
        /// When a change counts as written: `full` survives a power failure, `normal` a crash of
        /// the program only.
        synchronous: Synchronous = "full";
        /// How much memory records in use may take.
        cache_bytes: u64 = "268435456" in 1_048_576..=1_099_511_627_776;
        /// How many threads read from the database.
        readers: usize = "4" in 1..=64;
        /// How many commits the change log keeps; a follower of the revocation feed that falls
        /// further behind starts afresh.
        keep_changes: u32 = "100000" in 1_000..=4_294_967_295;
    }
}

section! {
    /// The key ring, which belongs outside of the data folder.
    Keys = "keys" {
        /// The file of the key ring; made with the database. With none, `handstamp/handstamp.keys`
        /// in the user's configuration folder.
        file: Option<PathBuf> = "none";
        /// The key ring itself, as `handstamp keys generate --stdout` prints it: for a secret
        /// manager that sets environment variables. Excludes `keys.file`; rotation then is the
        /// secret manager's.
        ring: Option<Secret> = "none" in 32..=65_536;
    }
}

section! {
    /// How long sessions live, how many there may be, and how tokens rotate.
    Sessions = "sessions" {
        /// Where the defaults of lifetimes, limits and the cookie come from. `aal1` to `aal3` are
        /// the limits of NIST SP 800-63B-4.
        preset: Preset = "default";
        /// How long a session lives, counted from the last full authentication.
        absolute as absolute_seconds: Duration = "86400" by preset in 1..=34_560_000;
        /// How long a session lives without activity.
        idle as idle_seconds: Option<Duration> = "3600" by preset in 1..=34_560_000;
        /// How long a session lives that is remembered.
        remember_absolute as remember_absolute_seconds: Duration = "2592000"
            by preset in 1..=34_560_000;
        /// How long a session that is remembered lives without activity.
        remember_idle as remember_idle_seconds: Option<Duration> = "none"
            by preset in 1..=34_560_000;
        /// How many sessions one subject may have at once.
        max_per_subject: Option<u32> = "none" by preset in 1..=1_000_000;
        /// Who makes room at that limit: nobody, the session that began first, or the one that
        /// would run out first.
        limit_strategy: LimitStrategy = "end_oldest" by preset;
        /// The age at which a cookie gets a new token.
        rotate_after as rotate_after_seconds: Option<Duration> = "none"
            by preset in 60..=34_560_000;
        /// How long after a refresh its old token is met with patience; 0 is strict mode.
        grace as grace_seconds: Duration = "30" by preset in 0..=300;
        /// What happens to a session whose superseded refresh token comes back.
        on_reuse: ReusePolicy = "end" by preset;
        /// Whether a superseded cookie that comes back ends its session.
        end_on_cookie_reuse: bool = "false" by preset;
        /// How long the tombstones of ended sessions are kept.
        keep_ended as keep_ended_seconds: Duration = "2592000" by preset in 3_600..=315_360_000;
        /// How often sessions that are due are ended and old tombstones are purged.
        cleanup as cleanup_seconds: Duration = "60" by preset in 1..=86_400;
        /// Whether signing in again as the same subject makes a new session, or else rotates the
        /// token of the old one.
        regenerate_on_login: bool = "true" by preset;
        /// The largest value in a session's data, as JSON.
        max_value_bytes: usize = "65536" by preset in 1..=16_777_216;
        /// The most that one session may hold.
        max_session_bytes: usize = "262144" by preset in 1..=67_108_864;
    }
}

section! {
    /// The session cookie, and requests that carry it.
    Cookies = "cookies" {
        /// The cookie's name.
        name: String = "__Host-handstamp" by preset in 1..=100;
        /// Whether it is sent over HTTPS only.
        secure: bool = "true" by preset;
        /// When requests that other sites caused carry it.
        same_site: SameSite = "lax" by preset;
        /// The path under which it is sent.
        path: String = "/" by preset in 1..=1_024;
        /// Whether a cookie session also gets `__Host-handstamp-access`, an access token in an
        /// HttpOnly cookie. It is left out where it would be larger than browsers keep: 4,096 bytes.
        access_token: bool = "false";
        /// How long before its end a cookie session is said to need a refresh.
        refresh_before as refresh_before_seconds: Duration = "1800" in 0..=86_400;
        /// Origins besides its own whose pages may send unsafe requests with the cookie.
        trusted_origins: Vec<Origin> = "";
        /// Whether unsafe requests with the cookie need `X-CSRF-Token` on top of the cross-site
        /// check.
        csrf_token_required: bool = "false";
        /// Whether a sign-out answers `Clear-Site-Data`, which also deletes every other cookie of
        /// the site.
        clear_site_data: bool = "false" by preset;
    }
}

section! {
    /// Access tokens, and the keys that sign them.
    Tokens = "tokens" {
        /// What access tokens are signed with.
        algorithm: Algorithm = "ES256";
        /// The secret of `HS256`, shared with every verifier.
        secret: Option<Secret> = "none" in 32..=1_024;
        /// How long an access token is good.
        lifetime as lifetime_seconds: Duration = "1800" in 60..=86_400;
        /// By up to how much of its life an access token may run out earlier, so that not all
        /// refresh at once.
        jitter as jitter_percent: u8 = "5" in 0..=50;
        /// Whom access tokens are for, unless `begin` names another.
        audience: String = "handstamp" in 1..=255;
        /// Who issues access tokens; with none, the public address.
        issuer: Option<WebAddress> = "none";
        /// How long before its end a client is told to refresh an access token.
        refresh_before as refresh_before_seconds: Duration = "300" in 0..=86_400;
        /// The age at which a signing key is followed by a new one.
        rotate_keys_after as rotate_keys_after_seconds: Option<Duration> = "7776000"
            in 3_600..=315_360_000;
        /// How long the public half of a key that signs no more is still published.
        keep_keys as keep_keys_seconds: Duration = "172800" in 60..=315_360_000;
    }
}

section! {
    /// Guests: sessions that a user asks for without signing in.
    Guests = "guests" {
        /// Whether anybody may begin a guest session.
        enabled: bool = "false";
        /// How long a guest session lives without activity.
        idle as idle_seconds: Option<Duration> = "604800" in 1..=34_560_000;
        /// How long a guest session lives.
        absolute as absolute_seconds: Duration = "2592000" in 1..=34_560_000;
    }
}

section! {
    /// Who is an operator, besides service keys with the scope `admin`.
    Admin = "admin" {
        /// The role that makes a holder an operator.
        role: String = "handstamp:admin" in 1..=64;
        /// How old the last full authentication of an operator may be.
        fresh as fresh_seconds: Duration = "3600" in 1..=34_560_000;
    }
}

section! {
    /// How often something may happen before it is refused with 429.
    Limits = "limits" {
        /// Guest sessions that one address begins.
        guest: Option<Rate> = "10/60s";
        /// Sessions that one service key begins.
        begin: Option<Rate> = "none";
        /// Refreshes of one session.
        refresh: Option<Rate> = "30/60s";
    }
}

section! {
    /// Forward authentication, for proxies.
    Forward = "forward" {
        /// Origins to which somebody who is not signed in may be sent back by `?redirect=`.
        redirect_allow: Vec<Origin> = "";
        /// Where somebody who is not signed in is sent to sign in; with none, the proxy gets a 401.
        sign_in_url: Option<WebAddress> = "none";
    }
}

section! {
    /// Where addresses are in the world.
    Geo = "geo" {
        /// A database of places in the MaxMind format.
        database: Option<PathBuf> = "none";
    }
}

section! {
    /// Risk rules: what each does when it speaks, and when it does. Whatever it does, an event tells
    /// of it; `off` does not look.
    Risk = "risk" {
        /// About a sign-in on a device that the subject did not use before.
        new_device: RiskAction = "notify";
        /// About a sign-in from a country that the subject did not sign in from before. Needs
        /// `geo.database`.
        new_country: RiskAction = "notify";
        /// About a sign-in or refresh too far from the last sign-in for the time between. Needs
        /// `geo.database`, with cities.
        impossible_travel: RiskAction = "notify";
        /// About a sign-in that followed many failures. Where no session began an event tells of the
        /// failures alone.
        many_failures: RiskAction = "notify";
        /// About a sign-in from an address that many subjects were tried from; of failures alone
        /// likewise.
        many_subjects: RiskAction = "notify";
        /// About a refresh by another program than the one that signed in.
        user_agent_change: RiskAction = "notify";
        /// About a superseded refresh token that came back. Its session goes by
        /// `sessions.on_reuse` in any case.
        refresh_reuse: RiskAction = "notify";
        /// How long a device or country is known after a sign-in; no longer than the personal parts
        /// of events are kept.
        remember as remember_days: Duration = "90" in 1..=3_650;
        /// The speed that nobody travels at.
        max_speed as max_speed_kmh: u32 = "900" in 1..=100_000;
        /// The distance below which no travel is impossible, beyond what both places may be off.
        min_distance as min_distance_km: u32 = "500" in 0..=20_000;
        /// From how many failures of one subject on they are many.
        failures_by_subject: Rate = "5/900s";
        /// From how many failures from one address on they are many.
        failures_by_address: Rate = "20/900s";
        /// From how many subjects on, tried from one address, they are many; at most 64.
        subjects_by_address: Rate = "10/3600s";
        /// Failures in a row of one subject after which the next try is not advised to wait.
        free_failures: u32 = "3" in 0..=50;
        /// How long the try after the next failure is to wait; each further one twice as long.
        first_delay as first_delay_seconds: Duration = "1" in 1..=3_600;
        /// How long one is to wait at most.
        longest_delay as longest_delay_seconds: Duration = "900" in 1..=86_400;
        /// Failures in a row of one subject after which the next try is to be refused.
        block_after: u32 = "50" in 1..=50;
        /// For how long, from the last failure. Advice is about new sign-ins only; no live session
        /// is touched.
        block as block_seconds: Duration = "86400" in 60..=2_592_000;
    }
}

section! {
    /// The audit log.
    Audit = "audit" {
        /// Whether addresses are cut to their network (IPv4 /24, IPv6 /48) before they are stored.
        truncate_ip: bool = "false";
        /// How often a signed checkpoint says where the log ends, if something came to it since.
        /// With none, never.
        checkpoint as checkpoint_seconds: Option<Duration> = "60" in 1..=86_400;
        /// A file that each checkpoint is appended to, a line each, and synced. Best where nobody
        /// comes to who can write to the database.
        checkpoint_file: Option<PathBuf> = "none";
        /// Whether each checkpoint is also an event `audit.checkpoint`, so that webhooks carry it
        /// away.
        checkpoint_event: bool = "false";
        /// How long events are kept; older ones are cut off, and a signed cut takes their place.
        /// With none, for ever.
        keep_events as keep_events_days: Option<Duration> = "none" in 7..=36_500;
        /// How long address, user agent, device, place and the hash of what was typed are kept in
        /// events, and addresses in figures. With none, as long as the events.
        keep_personal as keep_personal_days: Option<Duration> = "none" in 1..=36_500;
    }
}

section! {
    /// Webhooks.
    Webhooks = "webhooks" {
        /// How long a receiver may take to answer.
        timeout as timeout_seconds: Duration = "10" in 1..=120;
        /// How often a delivery is tried before it is given up.
        max_attempts: u32 = "10" in 1..=100;
        /// Whether receivers may be at private, loopback and link-local addresses.
        allow_private_networks: bool = "false";
    }
}

section! {
    /// The log of the program, on stderr.
    Log = "log" {
        /// How lines look.
        format: LogFormat = "text";
        /// From which weight on they are written; the environment variable `RUST_LOG` goes before
        /// it.
        level: LogLevel = "info";
    }
}

section! {
    /// Traces, for a receiver of OpenTelemetry. A span tells method, pattern of the path, status
    /// and time of a request, and nothing of who asked for what.
    Telemetry = "telemetry" {
        /// Where spans are sent by OTLP over HTTP, in JSON: the address of the receiver, to which
        /// `/v1/traces` is added. With none, there are no spans.
        otlp_endpoint: Option<WebAddress> = "none";
        /// Of a hundred traces that begin here, how many are kept. Traces that a trusted proxy
        /// began (`traceparent`) are kept where the proxy keeps them; what others say of traces is
        /// ignored.
        sample_percent: u8 = "100" in 0..=100;
        /// What the service is called there.
        service_name: String = "handstamp" in 1..=100;
    }
}

/// Every row, by section.
pub(super) const ROWS: [&[Row]; 16] = [
    Server::ROWS,
    Store::ROWS,
    Keys::ROWS,
    Sessions::ROWS,
    Cookies::ROWS,
    Tokens::ROWS,
    Guests::ROWS,
    Admin::ROWS,
    Limits::ROWS,
    Forward::ROWS,
    Geo::ROWS,
    Risk::ROWS,
    Audit::ROWS,
    Webhooks::ROWS,
    Log::ROWS,
    Telemetry::ROWS,
];
