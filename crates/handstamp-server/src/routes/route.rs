//! One call of the service: how it is routed and how it is told, in one value, so that the OpenAPI
//! document cannot say anything else than what is served.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter};
use futures_util::future::BoxFuture;
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::service::Service;

/// Gives the schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Who may make a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    /// Anybody; a token in the body may be the authority.
    Anyone,
    /// The holder of a session, by access token or cookie.
    Holder,
    /// A service key with this scope.
    Service(crate::service_keys::Scope),
    /// An operator: a service key with the scope `admin`, or a holder with the role for it.
    Operator,
}

/// What a call takes as its body.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    Nothing,
    Json(SchemaOf),
    OptionalJson(SchemaOf),
    FormOrJson(SchemaOf),
}

/// A good answer.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) media: &'static str,
    pub(crate) schema: Option<SchemaOf>,
}

/// A handler without a router around it.
pub(crate) type Handler = fn(Request, Arc<Service>) -> BoxFuture<'static, Response>;

/// A call that is made so often that it is served without a router.
#[derive(Clone, Copy)]
pub(crate) struct Direct {
    pub(crate) path: &'static str,
    pub(crate) handler: Handler,
}

impl Direct {
    /// Whether a request makes this call.
    pub(crate) fn is_for(&self, request: &Request) -> bool {
        request.uri().path() == self.path && *request.method() == Method::GET
    }
}

/// One call.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// Names the call in the document; made from its place in the code.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) who: Who,
    pub(crate) takes: Takes,
    pub(crate) query: Option<SchemaOf>,
    pub(crate) answers: Vec<Answer>,
    /// Statuses of problems beyond those that follow from who calls and what is taken.
    pub(crate) problems: &'static [u16],
    handler: MethodRouter<Arc<Service>>,
    direct: Handler,
    is_frequent: bool,
}

/// Makes a [`Route`] of a handler: `route!(POST "/sessions" begin, "Begin a session")`. `ANY` takes
/// every method and is documented as GET.
macro_rules! route {
    (ANY $path:expr, $handler:expr, $summary:literal) => {
        $crate::routes::route::Route::new(
            http::Method::GET,
            $path,
            stringify!($handler),
            $summary,
            |_| axum::routing::any($handler),
            |request, service| axum::handler::Handler::call($handler, request, service),
        )
    };
    ($method:ident $path:expr, $handler:expr, $summary:literal) => {
        $crate::routes::route::Route::new(
            http::Method::$method,
            $path,
            stringify!($handler),
            $summary,
            |filter| axum::routing::on(filter, $handler),
            |request, service| axum::handler::Handler::call($handler, request, service),
        )
    };
}
pub(crate) use route;

impl Route {
    pub(crate) fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: impl FnOnce(MethodFilter) -> MethodRouter<Arc<Service>>,
        direct: Handler,
    ) -> Self {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self {
            handler: handler(filter),
            direct,
            is_frequent: false,
            method,
            path,
            id,
            summary,
            who: Who::Anyone,
            takes: Takes::Nothing,
            query: None,
            answers: Vec::new(),
            problems: &[],
        }
    }

    /// Only these may call. The handler asks for the caller itself; a test holds the two
    /// together.
    pub(crate) fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    /// The body is JSON.
    pub(crate) fn json<T: JsonSchema>(mut self) -> Self {
        self.takes = Takes::Json(schema_of::<T>);
        self
    }

    /// The body is JSON, or nothing.
    pub(crate) fn optional_json<T: JsonSchema>(mut self) -> Self {
        self.takes = Takes::OptionalJson(schema_of::<T>);
        self
    }

    /// The body is a form, or JSON.
    pub(crate) fn form_or_json<T: JsonSchema>(mut self) -> Self {
        self.takes = Takes::FormOrJson(schema_of::<T>);
        self
    }

    /// The query's parameters are the fields of `T`.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    /// A good answer is JSON of this type.
    pub(crate) fn answers<T: JsonSchema>(mut self, status: u16) -> Self {
        let schema: SchemaOf = schema_of::<T>;
        self.answers.push(Answer { status, media: "application/json", schema: Some(schema) });
        self
    }

    /// A good answer is of another media type.
    pub(crate) fn answers_as(mut self, status: u16, media: &'static str) -> Self {
        self.answers.push(Answer { status, media, schema: None });
        self
    }

    /// It may also answer problems of these statuses.
    pub(crate) fn problems(mut self, statuses: &'static [u16]) -> Self {
        self.problems = statuses;
        self
    }

    /// It is made far more often than others: a GET takes the short way.
    pub(crate) fn frequent(mut self) -> Self {
        self.is_frequent = true;
        self
    }

    /// How it is served without a router, if it is frequent. The router gives a handler what is in
    /// the path, and bounds the body; a call with either goes there.
    pub(crate) fn direct(&self) -> Option<Direct> {
        let needs_router = self.path.contains('{') || !matches!(self.takes, Takes::Nothing);
        let is_direct = self.is_frequent && self.method == Method::GET && !needs_router;
        is_direct.then_some(Direct { path: self.path, handler: self.direct })
    }

    /// What axum needs to serve it.
    pub(crate) fn into_handler(self) -> MethodRouter<Arc<Service>> {
        self.handler
    }

    /// Every status of a problem that the call may answer.
    pub(crate) fn problem_statuses(&self) -> Vec<u16> {
        let by_caller: &[u16] = match self.who {
            Who::Anyone => &[503],
            Who::Holder | Who::Service(_) | Who::Operator => &[400, 401, 403, 503],
        };
        let by_body: &[u16] = match self.takes {
            Takes::Nothing => &[],
            _ => &[400, 413, 415, 422],
        };
        let by_method: &[u16] = match self.method {
            Method::GET | Method::HEAD => &[],
            _ => &[403],
        };
        let by_query: &[u16] = if self.query.is_some() { &[400, 422] } else { &[] };
        let by_path: &[u16] = if self.path.contains('{') { &[404] } else { &[] };
        let parts = [by_caller, by_body, by_method, by_query, by_path, self.problems];
        let mut all = parts.concat();
        all.sort_unstable();
        all.dedup();
        all
    }
}
