//! AWS's two doors: an HTTP server and a connector in memory.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::respond::respond;
use crate::world::{Call, World};
use crate::{in_memory, lock};

/// The running AWS. Its server, if it has one, stops when this is dropped.
pub struct LocalAws {
    world: Arc<Mutex<World>>,
    server: Option<Server>,
}

struct Server {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl LocalAws {
    /// AWS without a server, for the SDK's clients in this process: see [`LocalAws::http_client`].
    pub fn in_memory(world: World) -> LocalAws {
        LocalAws { world: Arc::new(Mutex::new(world)), server: None }
    }

    /// Starts the server on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(world: World) -> io::Result<LocalAws> {
        LocalAws::start_on(world, 0).await
    }

    /// Starts the server on that port of 127.0.0.1.
    ///
    /// # Errors
    /// If the port is not free.
    pub async fn start_on(world: World, port: u16) -> io::Result<LocalAws> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let world = Arc::new(Mutex::new(world));
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&world));
        let server = axum::serve(listener, router).with_graceful_shutdown(async {
            // Dropping the sender ends the wait with an error.
            let _ = stopped.await;
        });
        tokio::spawn(server.into_future());
        Ok(LocalAws { world, server: Some(Server { address, _stop: stop }) })
    }

    /// The value for `AWS_ENDPOINT_URL`: `http://127.0.0.1:PORT`, or a name that nobody can connect to if there is no server.
    pub fn endpoint(&self) -> String {
        self.server
            .as_ref()
            .map_or_else(|| "http://aws.invalid".to_owned(), |server| format!("http://{}", server.address))
    }

    /// The `http_client` of the SDK's clients if there is no server: they get their answers in memory.
    pub fn http_client(&self) -> Option<SharedHttpClient> {
        self.server.is_none().then(|| in_memory::http_client(Arc::clone(&self.world)))
    }

    /// The state, for tests to set and to inspect. Requests wait while the guard is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Waits until AWS has answered calls such as `is_enough` wants them, which looks at all of them after each.
    pub async fn called(&self, is_enough: impl Fn(&[Call]) -> bool) {
        let mut recorded = self.world().recorded();
        while !is_enough(self.world().calls()) {
            // The sender is the world's, which is here.
            let _ = recorded.changed().await;
        }
    }
}

async fn answer(
    State(world): State<Arc<Mutex<World>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    respond(&world, (&method, &uri), &headers, &body).await
}
