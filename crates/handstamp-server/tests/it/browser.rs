//! A browser, as far as pages need one: it keeps cookies and posts forms.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};

use crate::world::World;

/// Somebody in a browser.
pub(crate) struct Browser<'a> {
    world: &'a World,
    cookies: BTreeMap<String, String>,
}

/// A page, or where another is.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Whether the page says this.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// The token of the page's forms.
    pub(crate) fn token(&self) -> &str {
        let after = self.text.split(r#"name="_csrf" value=""#).nth(1).expect("no form");
        after.split('"').next().unwrap()
    }
}

impl<'a> Browser<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self { world, cookies: BTreeMap::new() }
    }

    /// With the cookie of a session that the application began: `name=value`.
    pub(crate) fn with(world: &'a World, cookie: &str) -> Self {
        let (name, value) = cookie.split_once('=').unwrap();
        Self { world, cookies: BTreeMap::from([(name.to_owned(), value.to_owned())]) }
    }

    /// An operator who came by a one-time link.
    pub(crate) async fn operator(world: &'a World) -> Self {
        let mut browser = Self::new(world);
        let link = world.service.dashboard_link().await.unwrap();
        let (path, code) = link.strip_prefix(&world.url).unwrap().split_once('#').unwrap();
        let page = browser.post(path, path, &[("code", code)]).await;
        assert_eq!((page.status, page.header("location")), (303, "/admin"), "{}", page.text);
        browser
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let request = self.world.get(path).header("accept", "text/html");
        self.send(request).await
    }

    /// As an open page asks for what has changed on it.
    pub(crate) async fn renew(&mut self, path: &str) -> Page {
        let request = self.world.get(path).header("handstamp-live", "1");
        self.send(request).await
    }

    /// Posts a form of the page at `from`, with its token.
    pub(crate) async fn post(&mut self, from: &str, to: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.get(from).await.token().to_owned();
        let mut fields = fields.to_vec();
        fields.push(("_csrf", &token));
        self.post_bare(to, &fields).await
    }

    /// Posts these fields and nothing else.
    pub(crate) async fn post_bare(&mut self, to: &str, fields: &[(&str, &str)]) -> Page {
        let origin = self.world.url.clone();
        let request = self.world.request(Method::POST, to).header("origin", origin).form(fields);
        self.send(request).await
    }

    async fn send(&mut self, mut request: RequestBuilder) -> Page {
        if !self.cookies.is_empty() {
            let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
            request = request.header("cookie", pairs.collect::<Vec<_>>().join("; "));
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        for line in headers.get_all("set-cookie") {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match value {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        Page { status, headers, text: answer.text().await.unwrap() }
    }
}
