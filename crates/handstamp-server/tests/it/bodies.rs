//! Bodies, read strictly at every level.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::world::{Answer, World, send};

async fn ask(world: &World, method: Method, path: &str, body: &Value) -> Answer {
    let key = if path.starts_with("/admin") { &world.admin } else { &world.key };
    send(world.request(method, path).bearer_auth(key).json(body)).await
}

#[tokio::test]
async fn s98_a_list_is_no_object_wherever_it_stands() {
    let world = World::new().await;
    let client = json!(["192.0.2.1", null, "the till", null]);
    let filter = json!(["ada", null, null, null, null, null, null, null, null, null, null, null]);
    let rows = [
        ("/sessions", json!(["ada"])),
        ("/sessions", json!({ "subject": "ada", "client": client })),
        ("/sessions", json!({ "subject": "ada", "lifetime": [60, 60] })),
        ("/sessions", json!({ "subject": "ada", "data": [] })),
        ("/sessions/failures", json!({ "reason": "bad_password", "client": client })),
        ("/admin/sessions/end", json!({ "filter": filter, "dry_run": true })),
    ];
    for (path, body) in rows {
        let answer = ask(&world, Method::POST, path, &body).await;
        assert_eq!(answer.problem(), (400, "BAD_REQUEST"), "{body}: {:?}", answer.json);
    }
    let list = send(world.get("/admin/sessions").bearer_auth(&world.admin)).await;
    assert_eq!(list.json["sessions"], json!([]), "nothing began");
}

/// The same for every object of every call, also of those that are added later.
#[tokio::test]
async fn s98_every_object_in_a_body_that_the_document_names_is_read_off_objects_only() {
    let world = World::new().await;
    let document: Value = serde_json::from_str(world.service.openapi()).unwrap();
    let holder = world.begin("ada").await;
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            let schema = &call["requestBody"]["content"]["application/json"]["schema"];
            for (field, length) in objects_within(&document, schema) {
                let body = json!({ &field: vec![Value::Null; length] });
                let asked = method.to_uppercase().parse().unwrap();
                let path = path.replace("{subject}", "ada").replace("{id}", &holder.session.id);
                let answer = ask(&world, asked, &path, &body).await;
                let message = answer.json["errors"][0]["message"].as_str().unwrap_or_default();
                assert_eq!(answer.status, 400, "{method} {path} {body}");
                assert!(message.contains("sequence"), "{method} {path} {field}: {message}");
                tried += 1;
            }
        }
    }
    assert!(tried >= 4, "{tried}");
}

/// The fields of a body that are objects with fields of their own, and how many those are.
fn objects_within(document: &Value, schema: &Value) -> Vec<(String, usize)> {
    let none = Map::new();
    let fields = properties(document, schema).unwrap_or(&none);
    let of = |(name, schema): (&String, &Value)| {
        let choices = ["anyOf", "allOf", "oneOf"].iter().filter_map(|key| schema[key].as_array());
        let found = std::iter::once(schema).chain(choices.flatten());
        let fields = found.filter_map(|schema| properties(document, schema)).next()?;
        Some((name.clone(), fields.len()))
    };
    fields.iter().filter_map(of).collect()
}

fn properties<'a>(document: &'a Value, schema: &'a Value) -> Option<&'a Map<String, Value>> {
    let schema = match schema["$ref"].as_str() {
        Some(name) => document.pointer(name.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    schema["properties"].as_object()
}
