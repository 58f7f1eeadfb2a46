//! The HTTP side of the Runtime API.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::{Notify, oneshot};

use crate::{ids, lock};

/// The error of a failed invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// The function's own error type, or `Runtime.ExitError`, `Sandbox.Timedout`, `Runtime.InvalidResponse`.
    pub error_type: String,
    /// The function's own message.
    pub error_message: String,
}

impl FunctionError {
    pub(super) fn new(error_type: &str, error_message: impl Into<String>) -> FunctionError {
        FunctionError { error_type: error_type.to_owned(), error_message: error_message.into() }
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.error_message)
    }
}

impl std::error::Error for FunctionError {}

type Answer = Result<Value, FunctionError>;

/// The state that the function's process and its caller share.
pub(super) struct RuntimeApi {
    state: Mutex<Current>,
    offered: Notify,
}

struct Current {
    /// Resolved by the first poll, or by an initialization error.
    ready: Option<oneshot::Sender<Result<(), FunctionError>>>,
    invocation: Option<Invocation>,
}

/// An invocation that is offered or running.
pub(super) struct Invocation {
    id: String,
    event: Option<Vec<u8>>,
    arn: String,
    timeout: Duration,
    answer: oneshot::Sender<Answer>,
}

impl Invocation {
    /// The invocation, and the receiver of its answer.
    pub(super) fn new(event: &[u8], arn: &str, timeout: Duration) -> (Invocation, oneshot::Receiver<Answer>) {
        let id = ids::request_id(&mut fastrand::Rng::new());
        let (answer, receiver) = oneshot::channel();
        (Invocation { id, event: Some(event.to_vec()), arn: arn.to_owned(), timeout, answer }, receiver)
    }

    /// The response to a poll, if no earlier poll took it.
    fn take(&mut self) -> Option<Response<Body>> {
        let mut response = Response::new(Body::from(self.event.take()?));
        #[expect(clippy::disallowed_methods, reason = "the deadline is one of the system's clock, as in Lambda")]
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + self.timeout;
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", self.id.clone()),
            ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
            ("lambda-runtime-invoked-function-arn", self.arn.clone()),
            ("lambda-runtime-trace-id", format!("Root=1-{:08x}-{:024x};Sampled=0", deadline.as_secs(), 0)),
        ];
        for (name, value) in headers {
            response.headers_mut().insert(name, HeaderValue::from_str(&value).ok()?);
        }
        Some(response)
    }
}

impl RuntimeApi {
    /// The state, and a receiver that resolves when the function is ready for events.
    pub(super) fn new() -> (Arc<RuntimeApi>, oneshot::Receiver<Result<(), FunctionError>>) {
        let (ready, receiver) = oneshot::channel();
        let state = Mutex::new(Current { ready: Some(ready), invocation: None });
        (Arc::new(RuntimeApi { state, offered: Notify::new() }), receiver)
    }

    /// Gives an invocation to the next poll.
    pub(super) fn offer(&self, invocation: Invocation) {
        lock(&self.state).invocation = Some(invocation);
        self.offered.notify_one();
    }

    /// Forgets the invocation: its caller has an answer or has given up.
    pub(super) fn withdraw(&self) {
        lock(&self.state).invocation = None;
    }

    fn ready(&self, result: Result<(), FunctionError>) {
        if let Some(ready) = lock(&self.state).ready.take() {
            // The receiver is gone if the start was given up.
            let _ = ready.send(result);
        }
    }

    /// Answers the running invocation, if it has this id.
    fn answer(&self, id: &str, answer: Answer) -> Response<Body> {
        let mut state = lock(&self.state);
        match state.invocation.take_if(|invocation| invocation.id == id) {
            Some(invocation) => {
                // The caller may have given up.
                let _ = invocation.answer.send(answer);
                status(StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
            }
            None => status(
                StatusCode::BAD_REQUEST,
                r#"{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#,
            ),
        }
    }
}

pub(super) fn router(api: Arc<RuntimeApi>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(api)
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response<Body> {
    api.ready(Ok(()));
    loop {
        let offered = api.offered.notified();
        let response = lock(&api.state).invocation.as_mut().and_then(Invocation::take);
        if let Some(response) = response {
            return response;
        }
        offered.await;
    }
}

async fn response(State(api): State<Arc<RuntimeApi>>, Path(id): Path<String>, body: Bytes) -> Response<Body> {
    let answer = serde_json::from_slice(&body)
        .map_err(|error| FunctionError::new("Runtime.InvalidResponse", format!("The response is not JSON: {error}")));
    api.answer(&id, answer)
}

async fn error(State(api): State<Arc<RuntimeApi>>, Path(id): Path<String>, body: Bytes) -> Response<Body> {
    api.answer(&id, Err(function_error(&body)))
}

async fn init_error(State(api): State<Arc<RuntimeApi>>, body: Bytes) -> Response<Body> {
    api.ready(Err(function_error(&body)));
    status(StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
}

fn function_error(body: &[u8]) -> FunctionError {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
    FunctionError::new(text("errorType"), text("errorMessage"))
}

fn status(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}
