//! The API's document as a page, out of the same document.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use serde_json::Value;

use super::Answer;
use super::frame::page;
use crate::service::Service;

#[derive(Template)]
#[template(path = "docs.html")]
struct Page {
    about: String,
    version: String,
    groups: Vec<Group>,
    schemas: Vec<(String, String)>,
}

/// Calls under one first part of the path.
struct Group {
    name: String,
    calls: Vec<Call>,
}

struct Call {
    id: String,
    method: String,
    path: String,
    summary: String,
    who: String,
    parameters: Vec<Parameter>,
    takes: Vec<Link>,
    answers: Vec<(String, String, Option<Link>)>,
}

struct Parameter {
    name: String,
    place: String,
    about: String,
    is_required: bool,
}

/// The schema of a body: its name, if it has one of its own.
struct Link {
    name: Option<String>,
    media: String,
}

/// `GET /docs`.
pub(super) async fn show(State(service): State<Arc<Service>>) -> Answer {
    let document: Value = serde_json::from_str(service.openapi()).unwrap_or_default();
    page(&Page {
        about: text(&document["info"]["description"]),
        version: text(&document["info"]["version"]),
        groups: groups(&document),
        schemas: members(&document["components"]["schemas"])
            .map(|(name, schema)| (name.clone(), pretty(schema)))
            .collect(),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn groups(document: &Value) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, methods) in members(&document["paths"]) {
        for (method, told) in members(methods) {
            let name = text(&told["tags"][0]);
            let call = call(path, method, told);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.calls.push(call),
                None => groups.push(Group { name, calls: vec![call] }),
            }
        }
    }
    groups
}

fn call(path: &str, method: &str, told: &Value) -> Call {
    let parameters = told["parameters"].as_array().into_iter().flatten();
    let answers = members(&told["responses"]).map(|(status, answer)| {
        (status.clone(), text(&answer["description"]), bodies(&answer["content"]).next())
    });
    Call {
        id: text(&told["operationId"]),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: text(&told["summary"]),
        who: who(told),
        parameters: parameters.map(parameter).collect(),
        takes: bodies(&told["requestBody"]["content"]).collect(),
        answers: answers.collect(),
    }
}

fn who(told: &Value) -> String {
    let described = text(&told["description"]);
    let security = told["security"].as_array().map_or(0, Vec::len);
    match (described.is_empty(), security) {
        (false, _) => described,
        (_, 0) => "Anybody; where a token is in the body, it is the authority.".into(),
        (_, 2) => "The holder of a session, by access token or cookie.".into(),
        _ => "An operator: a service key with the scope `admin`, or a holder with the role for \
              it who signed in lately."
            .into(),
    }
}

fn parameter(told: &Value) -> Parameter {
    Parameter {
        name: text(&told["name"]),
        place: text(&told["in"]),
        about: text(&told["schema"]["description"]),
        is_required: told["required"].as_bool().unwrap_or_default(),
    }
}

fn bodies(content: &Value) -> impl Iterator<Item = Link> {
    members(content).map(|(media, body)| {
        let name = body["schema"]["$ref"].as_str().and_then(|at| at.rsplit('/').next());
        Link { name: name.map(str::to_owned), media: media.clone() }
    })
}
