//! What is behind both doors: authenticates requests, applies faults, answers, and records the calls.

use std::sync::Mutex;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::Value;

use crate::error::AwsError;
use crate::faults::{Damage, Effects, Target};
use crate::identity::{Caller, CallerKind};
use crate::json::JsonCall;
use crate::request::{Input, Scope};
use crate::response::{Answer, render};
use crate::service::Service;
use crate::world::{Call, Outcome, World};
use crate::{
    account_management, cloud_trail, config, event_bus, functions, iam, ids, lock, organizations, secrets_manager, ssm,
    sts,
};

/// The response to a request, whichever door it came through.
pub(crate) async fn respond(
    world: &Mutex<World>,
    (method, uri): (&Method, &Uri),
    headers: &HeaderMap,
    body: &Bytes,
) -> Response<Body> {
    let request_id = ids::request_id(&mut lock(world).rng);
    match Scope::read((method, uri), headers, body) {
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
    let account = world.account(&caller.account);
    cloud_trail::record(account, scope, &caller, (action, input), result.as_ref().err());
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
        Input::Json(Ok(input)) => {
            let (principal, account, region) = (&*caller.arn, &*caller.account, &*scope.region);
            let call = |world| JsonCall { world, principal, account, region, action, input };
            match scope.service {
                Service::Organizations => organizations::answer(world, account, action, input, effects),
                Service::Events => event_bus::answer(call(world)),
                Service::Ssm => ssm::answer(call(world), effects),
                Service::CloudTrail => cloud_trail::answer(call(world), effects),
                Service::SecretsManager => secrets_manager::answer(call(world), effects),
                Service::Lambda => functions::answer(call(world)),
                Service::Account => account_management::answer(call(world), effects),
                _ => config::answer(world, account, region, action, input, effects),
            }
            .map(Answer::Json)
        }
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
        None => input.get("RoleArn").or(input.get("SecretId")).unwrap_or("*").to_owned(),
    }
}

fn subject(input: &Input) -> Option<String> {
    ["UserName", "AccessKeyId", "RoleArn", "ConfigRuleName", "FunctionName", "SecretId", "Name", "Path"]
        .iter()
        .find_map(|name| input.get(name))
        .map(str::to_owned)
}
