//! Requests: their credential scope, and their input in the protocol of the service.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Map, Value};

use crate::error::AwsError;
use crate::json::serialization;
use crate::service::Service;
use crate::signature::Signature;

/// The sender and the service of a request: the credential scope of Signature Version 4.
pub(crate) struct Scope {
    pub(crate) access_key_id: String,
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
    pub(crate) service: Service,
    /// The signature, if the key is of a kind that can be verified.
    pub(crate) signature: Option<Signature>,
}

impl Scope {
    pub(crate) fn read(request: (&Method, &Uri), headers: &HeaderMap, body: &[u8]) -> Result<Scope, AwsError> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(authorization) = header("authorization") else {
            return Err(AwsError::missing_authentication(Service::guess(headers)));
        };
        let credential = authorization
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .and_then(|rest| rest.split(',').find_map(|part| part.trim().strip_prefix("Credential=")));
        let scope: Vec<&str> = credential.unwrap_or_default().split('/').collect();
        let [access_key_id, _date, region, service, "aws4_request"] = scope[..] else {
            let message =
                format!("Authorization header requires 'Credential' parameter. Authorization={authorization}");
            return Err(AwsError::new(403, "IncompleteSignature", message));
        };
        let Some(service) = Service::ALL.into_iter().find(|known| known.to_string() == service) else {
            let known = Service::ALL.map(|service| service.to_string()).join(", ");
            let message = format!("Credential should be scoped to one of the services {known}, not {service}.");
            return Err(AwsError::new(403, "SignatureDoesNotMatch", message));
        };
        Ok(Scope {
            access_key_id: access_key_id.to_owned(),
            session_token: header("x-amz-security-token").map(str::to_owned),
            region: region.to_owned(),
            service,
            signature: access_key_id.starts_with("AKIA").then(|| Signature::read(request, headers, body)).flatten(),
        })
    }
}

/// The input of an action.
pub(crate) enum Input {
    /// The AWS Query protocol: a form.
    Query(Params),
    /// The AWS JSON protocol 1.1, Account Management's JSON, or Lambda's path. `Err` if the body is not a JSON object.
    Json(Result<Map<String, Value>, AwsError>),
}

impl Input {
    /// The action's name, empty if there is none, and the action's input.
    pub(crate) fn read(
        service: Service,
        request: (&Method, &Uri),
        headers: &HeaderMap,
        body: &[u8],
    ) -> (String, Input) {
        if service == Service::Lambda {
            let (action, function) = lambda_route(request.0.as_str(), request.1.path());
            return (
                action.to_owned(),
                Input::Json(Ok(Map::from_iter([("FunctionName".to_owned(), function.into())]))),
            );
        }
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        // The AWS CLI names CloudTrail's operations in full.
        let target = target.strip_prefix("com.amazonaws.cloudtrail.v20131101.").unwrap_or(target);
        let action = match (service, service.target()) {
            (Service::Account, _) if request.1.path() == "/listRegions" => Some("ListRegions"),
            (Service::Account, _) => Some(""),
            (_, prefix) => prefix.map(|prefix| target.strip_prefix(prefix).unwrap_or_default()),
        };
        if let Some(action) = action {
            let input = match serde_json::from_slice(body) {
                Ok(Value::Object(input)) => Ok(input),
                Ok(_) => Err(serialization("the input")),
                Err(_) => Err(AwsError::new(400, "SerializationException", "The request body is not JSON")),
            };
            return (action.to_owned(), Input::Json(input));
        }
        let params = Params(form_urlencoded::parse(body).into_owned().collect());
        (params.get("Action").unwrap_or_default().to_owned(), Input::Query(params))
    }

    /// A string parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        match self {
            Input::Query(params) => params.get(name),
            Input::Json(value) => value.as_ref().ok()?.get(name)?.as_str(),
        }
    }
}

/// The action and the function's name, from the method and the path of a request. The action is empty if there is none like
/// it, and the name if the action has none.
fn lambda_route(method: &str, path: &str) -> (&'static str, String) {
    if method != "GET" {
        return ("", String::new());
    }
    if path == "/2016-08-19/account-settings" {
        return ("GetAccountSettings", String::new());
    }
    let parts: Vec<_> = path.split('/').collect();
    match parts[..] {
        ["", "2015-03-31", "functions", name, "policy"] => ("GetPolicy", name.to_owned()),
        ["", "2015-03-31", "functions", name, "configuration"] => ("GetFunctionConfiguration", name.to_owned()),
        ["", "2019-09-30", "functions", name, "concurrency"] => ("GetFunctionConcurrency", name.to_owned()),
        _ => ("", String::new()),
    }
}

/// The parameters of an AWS Query request.
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, AwsError> {
        let malformed = |_| AwsError::new(400, "MalformedInput", format!("{name} is not an integer"));
        self.get(name).map(|value| value.parse().map_err(malformed)).transpose()
    }

    /// A list of strings: `Name.member.1`, `Name.member.2`, and so on.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        (1..).map_while(|n| self.get(&format!("{name}.member.{n}"))).collect()
    }

    /// A list of tags: `Tags.member.1.Key`, `Tags.member.1.Value`, and so on.
    pub(crate) fn tags(&self) -> Vec<(Option<&str>, Option<&str>)> {
        let member = |n: usize, field| self.get(&format!("Tags.member.{n}.{field}"));
        (1..)
            .map(|n| (member(n, "Key"), member(n, "Value")))
            .take_while(|(key, value)| key.is_some() || value.is_some())
            .collect()
    }
}
