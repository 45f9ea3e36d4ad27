//! The OpenAPI document, made from the same table as the router.

use http::Method;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::routes::route::{Answer, Route, SchemaOf, Takes, Who};

const PROBLEM_JSON: &str = "application/problem+json";

/// The document for these routes, served at `server`.
pub(crate) fn document(routes: &[Route], server: &str) -> Value {
    let mut schemas =
        SchemaSettings::openapi3().with(|settings| settings.meta_schema = None).into_generator();
    let problem = schemas.subschema_for::<handstamp_protocol::Problem>();
    let mut paths = Map::new();
    for route in routes {
        let told = operation(route, &mut schemas, &problem);
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_ascii_lowercase()] = told;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Handstamp",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Sessions as a service: begin, refresh, list, end, ask why.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": server }],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "holder": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "An access token." },
                "cookie": { "type": "apiKey", "in": "cookie", "name": "__Host-handstamp",
                    "description": "The session cookie; its name is configured." },
                "service": { "type": "http", "scheme": "bearer",
                    "description": "A service key, `hsk_…`, with the scope that the call names." },
            },
        },
    })
}

fn operation(route: &Route, schemas: &mut SchemaGenerator, problem: &schemars::Schema) -> Value {
    let mut told = json!({
        "operationId": route.id.replace("::", "_"),
        "summary": route.summary,
        "tags": [tag(route.path)],
        "parameters": parameters(route, schemas),
        "responses": responses(route, schemas, problem),
        "security": security(route.who),
    });
    if let Some(body) = body(route.takes, schemas) {
        told["requestBody"] = body;
    }
    if let Who::Service(scope) = route.who {
        told["description"] = format!("A service key with the scope `{}`.", scope.name()).into();
    }
    told
}

/// The first part of the path.
fn tag(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

fn security(who: Who) -> Value {
    match who {
        Who::Anyone => json!([]),
        Who::Holder => json!([{ "holder": [] }, { "cookie": [] }]),
        Who::Service(_) => json!([{ "service": [] }]),
        Who::Operator => json!([{ "service": [] }, { "holder": [] }, { "cookie": [] }]),
    }
}

fn body(takes: Takes, schemas: &mut SchemaGenerator) -> Option<Value> {
    let content =
        |schema: SchemaOf, schemas: &mut SchemaGenerator| json!({ "schema": schema(schemas) });
    match takes {
        Takes::Nothing => None,
        Takes::Json(schema) => Some(json!({
            "required": true,
            "content": { "application/json": content(schema, schemas) },
        })),
        Takes::OptionalJson(schema) => Some(json!({
            "required": false,
            "content": { "application/json": content(schema, schemas) },
        })),
        Takes::FormOrJson(schema) => Some(json!({
            "required": true,
            "content": {
                "application/x-www-form-urlencoded": content(schema, schemas),
                "application/json": content(schema, schemas),
            },
        })),
    }
}

fn responses(route: &Route, schemas: &mut SchemaGenerator, problem: &schemars::Schema) -> Value {
    let mut responses = Map::new();
    for Answer { status, media, schema } in &route.answers {
        let mut told = json!({ "description": reason(*status) });
        if *status != 204 && !(300..400).contains(status) {
            let schema = schema.map(|schema| json!(schema(schemas)));
            let schema = schema.unwrap_or_else(|| json!({ "type": "string" }));
            told["content"] = json!({ *media: { "schema": schema } });
        }
        responses.insert(status.to_string(), told);
    }
    for status in route.problem_statuses() {
        let told = json!({
            "description": reason(status),
            "content": { PROBLEM_JSON: { "schema": problem } },
        });
        responses.entry(status.to_string()).or_insert(told);
    }
    responses.into()
}

fn reason(status: u16) -> &'static str {
    let known = http::StatusCode::from_u16(status).ok();
    known.and_then(|status| status.canonical_reason()).unwrap_or("")
}

/// The parts of the path in braces, and the fields of the query.
fn parameters(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut told: Vec<Value> = route
        .path
        .split('{')
        .skip(1)
        .filter_map(|part| part.split('}').next())
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true,
                "schema": { "type": "string", "minLength": 1 } })
        })
        .collect();
    if let Some(query) = route.query {
        told.extend(fields(query, schemas));
    }
    if route.method == Method::POST && route.path == "/sessions" {
        told.push(json!({ "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 } }));
    }
    told.into()
}

fn fields(query: SchemaOf, schemas: &mut SchemaGenerator) -> Vec<Value> {
    let schema = query(schemas).to_value();
    let referred = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next().map(str::to_owned));
    let schema = referred.and_then(|name| schemas.definitions().get(&name).cloned());
    let Some(schema) = schema else { return Vec::new() };
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let of = |(name, schema): (String, Value)| {
        let is_required = required.iter().any(|one| *one == name);
        json!({ "name": name, "in": "query", "required": is_required, "schema": schema })
    };
    properties.into_iter().map(of).collect()
}
