//! AWS's two doors, an HTTP server and a connector in memory, and what is behind both: authenticates requests, applies faults,
//! answers, and records the calls.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::error::AwsError;
use crate::faults::{Damage, Effects, Target};
use crate::identity::{Caller, CallerKind};
use crate::request::{Input, Scope, Service};
use crate::response::{Answer, render};
use crate::world::{Call, Outcome, World};
use crate::{config, event_bus, functions, iam, ids, in_memory, lock, organizations, ssm, sts};

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

/// The response to a request, whichever door it came through.
pub(crate) async fn respond(
    world: &Mutex<World>,
    (method, uri): (&Method, &Uri),
    headers: &HeaderMap,
    body: &Bytes,
) -> Response<Body> {
    let request_id = ids::request_id(&mut lock(world).rng);
    match Scope::read(headers) {
        Err(error) => render(Service::guess(headers), "", Err(error), &request_id, None),
        Ok(scope) => {
            let (action, input) = Input::read(scope.service, (method, uri), headers, body);
            let (answer, damage) = call(world, &scope, &action, &input).await;
            if matches!(damage, Some(Damage::Silence)) {
                std::future::pending::<()>().await;
            }
            render(scope.service, &action, answer, &request_id, damage)
        }
    }
}

/// Authenticates a call, applies the faults, and records the outcome.
async fn call(
    world: &Mutex<World>,
    scope: &Scope,
    action: &str,
    input: &Input,
) -> (Result<Answer, AwsError>, Option<Damage>) {
    let (caller, effects) = {
        let world = &mut *lock(world);
        let caller = match world.authenticate(scope) {
            Ok(caller) => caller,
            Err(error) => return (Err(error), None),
        };
        // An access key stands for its user.
        let owner = input.get("AccessKeyId").and_then(|key| world.account(&caller.account).key_owner(key));
        let owner = owner.map(|(user, _)| user.name.clone());
        let target = Target {
            service: scope.service,
            account: &caller.account,
            action,
            user: input.get("UserName").or(owner.as_deref()),
            principal: &caller.arn,
            resource: &resource(&caller, action, input),
        };
        let effects = world.faults.effects(&target, &mut world.rng);
        (caller, effects)
    };
    if !effects.latency.is_zero() {
        tokio::time::sleep(effects.latency).await;
    }
    if let Some(Damage::Intercepted(_)) = effects.damage {
        return (Ok(Answer::Json(Value::Null)), effects.damage);
    }
    let mut world = lock(world);
    world.run_acts(action);
    let result = act(&mut world, scope, &caller, &effects, action, input);
    world.record(Call {
        account: caller.account,
        principal: caller.arn,
        service: scope.service.to_string(),
        action: action.to_owned(),
        subject: subject(input),
        outcome: result.as_ref().err().map_or(Outcome::Ok, |error| Outcome::Error(error.code.to_owned())),
    });
    (result, effects.damage)
}

fn act(
    world: &mut World,
    scope: &Scope,
    caller: &Caller,
    effects: &Effects,
    action: &str,
    input: &Input,
) -> Result<Answer, AwsError> {
    if let Some(error) = &effects.error {
        return Err(error.clone());
    }
    if let Some(code) = world.refusal(&scope.region) {
        return Err(AwsError::new(400, code, format!("{} is not for you.", scope.region)));
    }
    if matches!(caller.kind, CallerKind::User(_)) && action != "GetCallerIdentity" {
        let resource = resource(caller, action, input);
        let action = format!("{}:{action}", scope.service);
        return Err(AwsError::access_denied(scope.service, &caller.arn, &action, &resource));
    }
    match input {
        Input::Json(Err(error)) => Err(error.clone()),
        Input::Json(Ok(input)) => match scope.service {
            Service::Organizations => organizations::answer(world, &caller.account, action, input, effects),
            Service::Events => event_bus::answer(world, &caller.account, &scope.region, action, input),
            Service::Ssm => ssm::answer(world, &caller.account, &scope.region, action, input),
            Service::Lambda => functions::answer(world, &caller.account, &scope.region, action, input),
            _ => config::answer(world, &caller.account, &scope.region, action, input, effects),
        }
        .map(Answer::Json),
        Input::Query(params) => {
            let version = params.get("Version").unwrap_or("NO_VERSION_SPECIFIED");
            let unknown = || {
                let message = format!("Could not find operation {action} for version {version}");
                AwsError::new(400, "InvalidAction", message)
            };
            if version != scope.service.version() {
                return Err(unknown());
            }
            let result = match scope.service {
                Service::Sts => sts::answer(world, caller, action, params),
                _ => iam::answer(world, caller, action, params, effects),
            };
            result.unwrap_or_else(|| Err(unknown())).map(Answer::Xml)
        }
    }
}

/// The resource of an action, as a denial names it.
fn resource(caller: &Caller, action: &str, input: &Input) -> String {
    match input.get("UserName") {
        Some(user) => format!("user {user}"),
        None if action == "ListUsers" => format!("arn:aws:iam::{}:user/", caller.account),
        None => input.get("RoleArn").unwrap_or("*").to_owned(),
    }
}

fn subject(input: &Input) -> Option<String> {
    ["UserName", "AccessKeyId", "RoleArn", "ConfigRuleName", "FunctionName", "Name"]
        .iter()
        .find_map(|name| input.get(name))
        .map(str::to_owned)
}
