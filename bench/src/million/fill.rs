//! Many sessions begin, and come into the near cache.

use handstamp::record::Client;
use handstamp::{SessionManager, SignIn};
use tokio::task::JoinSet;

use crate::{Fault, peers};

/// The value of a session cookie: all are of one length, so that a million lie together.
pub(crate) type Cookie = [u8; 75];

/// Tasks that work at once.
const TASKS: u64 = 256;

/// `count` people sign in, and their first requests store four values each.
pub(crate) async fn begin(manager: &SessionManager, count: u64) -> Result<Vec<Cookie>, Fault> {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let manager = manager.clone();
        tasks.spawn(async move {
            let mut cookies = Vec::new();
            for number in (task..count).step_by(TASKS as usize) {
                cookies.push(begin_one(&manager, number).await?);
            }
            Ok::<_, Fault>(cookies)
        });
    }
    let mut cookies = Vec::with_capacity(usize::try_from(count)?);
    while let Some(done) = tasks.join_next().await {
        cookies.extend(done??);
    }
    Ok(cookies)
}

async fn begin_one(manager: &SessionManager, number: u64) -> Result<Cookie, Fault> {
    let client = Client {
        ip: Some([198, 51, 100, (number % 250) as u8].into()),
        user_agent: Some(
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        ),
        device: Some("Firefox on Linux".into()),
        ..Client::default()
    };
    let sign_in = SignIn::new(format!("user-{number}"))?.name("Ada Lovelace").client(client);
    let begun = manager.begin(sign_in).await?;
    let text = begun.token.to_text();
    let session = manager.load(&text).await?;
    for (key, value) in peers::VALUES {
        session.set(key, value)?;
    }
    session.set(peers::COUNT, &number)?;
    session.commit().await?;
    Ok(text.as_bytes().try_into()?)
}

/// Every session is asked for once.
pub(super) async fn cache(manager: &SessionManager, cookies: &[Cookie]) -> Result<(), Fault> {
    let mut tasks = JoinSet::new();
    for part in cookies.chunks(cookies.len().div_ceil(64).max(1)) {
        let (manager, part) = (manager.clone(), part.to_vec());
        tasks.spawn(async move {
            for cookie in part {
                manager.load(std::str::from_utf8(&cookie)?).await?;
            }
            Ok::<_, Fault>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
