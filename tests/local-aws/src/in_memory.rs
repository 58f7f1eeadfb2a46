//! AWS without a socket: an HTTP connector for the SDK's clients of this process.
//!
//! With tokio's clock paused, time passes only while every task waits for it: tests with pauses, retries and deadlines take no
//! time, and are the same each time. It leaves out what hyper does: connections, TLS, proxies and their timeouts.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::body::{Bytes, to_bytes};

use crate::lock;
use crate::respond::respond;
use crate::world::World;

/// How long a request is on its way. If AWS answered at once, no two calls would ever be under way together.
const ON_ITS_WAY: std::ops::RangeInclusive<u64> = 1000..=3000;

/// A client that answers from the world.
pub(crate) fn http_client(world: Arc<Mutex<World>>) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(InMemory(world));
    http_client_fn(move |_, _| connector.clone())
}

struct InMemory(Arc<Mutex<World>>);

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InMemory(..)")
    }
}

impl HttpConnector for InMemory {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(answer(Arc::clone(&self.0), request))
    }
}

async fn answer(world: Arc<Mutex<World>>, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let (head, body) = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?.into_parts();
    let body = body.bytes().map(Bytes::copy_from_slice).unwrap_or_default();
    let micros = lock(&world).rng.u64(ON_ITS_WAY);
    tokio::time::sleep(Duration::from_micros(micros)).await;
    let response = respond(&world, (&head.method, &head.uri), &head.headers, &body).await;
    let (head, body) = response.into_parts();
    let failed = |error: axum::Error| ConnectorError::io(io::Error::other(error).into());
    let body = to_bytes(body, usize::MAX).await.map_err(failed)?;
    let mut response = HttpResponse::new(head.status.as_u16().try_into().map_err(other)?, SdkBody::from(body));
    for (name, value) in &head.headers {
        let value = value.to_str().map_err(other)?.to_owned();
        response.headers_mut().insert(name.as_str().to_owned(), value);
    }
    Ok(response)
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::other(error.into(), None)
}
