//! Answers in the protocol of the service: XML for IAM and STS, JSON for the others.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode};
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::{future::ready, stream::once};
use quick_xml::escape::escape;
use serde_json::{Value, json};

use crate::error::AwsError;
use crate::faults::Damage;
use crate::service::Service;

/// The answer of an action.
pub(crate) enum Answer {
    /// The members of the result, if the action has one.
    Xml(Option<Xml>),
    Json(Value),
}

/// XML of the AWS Query protocol.
pub(crate) enum Xml {
    Text(String),
    Structure(Vec<(&'static str, Xml)>),
    /// A list with each item in an element `member`.
    List(Vec<Xml>),
}

impl Xml {
    pub(crate) fn text(value: impl ToString) -> Xml {
        Xml::Text(value.to_string())
    }

    /// A timestamp in seconds.
    pub(crate) fn time(time: DateTime<Utc>) -> Xml {
        Xml::Text(time.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    fn write(&self, out: &mut String) {
        match self {
            Xml::Text(text) => out.push_str(&escape(text.as_str())),
            Xml::Structure(members) => members.iter().for_each(|(name, member)| element(name, member, out)),
            Xml::List(items) => items.iter().for_each(|item| element("member", item, out)),
        }
    }
}

fn element(name: &str, content: &Xml, out: &mut String) {
    out.extend(["<", name, ">"]);
    content.write(out);
    out.extend(["</", name, ">"]);
}

/// The HTTP response to `action`.
pub(crate) fn render(
    service: Service,
    action: &str,
    answer: Result<Answer, AwsError>,
    request_id: &str,
    damage: Option<Damage>,
) -> Response<Body> {
    let status = answer.as_ref().err().map_or(200, |error| error.status);
    let code = answer.as_ref().err().map(|error| error.code);
    let (content_type, body) = match answer {
        Ok(Answer::Json(value)) => ("application/x-amz-json-1.1", value.to_string()),
        Ok(Answer::Xml(result)) => ("text/xml", success_xml(service, action, result, request_id)),
        Err(error) if service.is_json() => {
            ("application/x-amz-json-1.1", json!({"__type": error.code, "message": error.message}).to_string())
        }
        Err(error) => ("text/xml", error_xml(service, &error, request_id)),
    };
    let body = match damage {
        None | Some(Damage::Silence) => Body::from(body),
        Some(Damage::Cut(cut)) => Body::from(cut.of(&body).to_owned()),
        Some(Damage::Intercepted(body)) => Body::from(body),
        // The server closes a connection whose response has no body to send, before it sends the head.
        Some(Damage::Reset) => {
            Body::from_stream(once(ready(Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset)))))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", request_id);
    }
    if let Some(code) = code.filter(|_| service.is_json()) {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(code));
    }
    response
}

fn success_xml(service: Service, action: &str, result: Option<Xml>, request_id: &str) -> String {
    let mut out = format!("<{action}Response xmlns=\"{}\">", namespace(service));
    if let Some(result) = result {
        element(&format!("{action}Result"), &result, &mut out);
    }
    let metadata = Xml::Structure(vec![("RequestId", Xml::text(request_id))]);
    element("ResponseMetadata", &metadata, &mut out);
    out.push_str(&format!("</{action}Response>\n"));
    out
}

fn error_xml(service: Service, error: &AwsError, request_id: &str) -> String {
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    let content = Xml::Structure(vec![
        (
            "Error",
            Xml::Structure(vec![
                ("Type", Xml::text(fault)),
                ("Code", Xml::text(error.code)),
                ("Message", Xml::text(&error.message)),
            ]),
        ),
        ("RequestId", Xml::text(request_id)),
    ]);
    let mut out = format!("<ErrorResponse xmlns=\"{}\">", namespace(service));
    content.write(&mut out);
    out.push_str("</ErrorResponse>\n");
    out
}

fn namespace(service: Service) -> String {
    format!("https://{service}.amazonaws.com/doc/{}/", service.version())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut out = String::new();
        element("Value", &Xml::text("<a> & \"b\""), &mut out);
        assert_eq!(out, "<Value>&lt;a&gt; &amp; &quot;b&quot;</Value>");
    }

    #[test]
    fn an_action_without_a_result_returns_only_metadata() {
        let xml = success_xml(Service::Iam, "TagUser", None, "1-2");
        assert_eq!(
            xml,
            "<TagUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
             <ResponseMetadata><RequestId>1-2</RequestId></ResponseMetadata></TagUserResponse>\n"
        );
    }
}
