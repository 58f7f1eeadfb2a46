//! The HTTP client of all AWS clients. A connection that fails says where to.

use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{self, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{
            HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
            http_client_fn,
        },
        orchestrator::HttpRequest,
        result::ConnectorError,
    },
};
use std::{env, error::Error, ffi::OsString, fmt, iter, time::Duration};

/// One connection pool and one store of root certificates for all clients. By default, each client has its own, and a function
/// that serves hundreds of accounts would repeat the TLS handshake and read the certificates for each of them.
pub(super) fn http_client() -> SharedHttpClient {
    let settings = HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(3)).build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
        .build();
    let connector = SharedHttpConnector::new(Named(SharedHttpConnector::new(connector)));
    http_client_fn(move |_, _| connector.clone())
}

/// A connector whose failures name the endpoint.
#[derive(Debug)]
struct Named(SharedHttpConnector);

impl HttpConnector for Named {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let endpoint = endpoint(request.uri());
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            answer.await.map_err(|error| {
                let same_kind = match &error {
                    error if error.is_io() => ConnectorError::io,
                    error if error.is_timeout() => ConnectorError::timeout,
                    _ => return error,
                };
                same_kind(NoConnection { endpoint, cause: error.into() }.into())
            })
        })
    }
}

/// Scheme, host and port, without a user or a password.
fn endpoint(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("https", uri));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}", authority.rsplit('@').next().unwrap_or_default())
}

/// No connection to an endpoint, or one that broke off.
#[derive(Debug)]
pub(super) struct NoConnection {
    endpoint: String,
    cause: BoxError,
}

impl NoConnection {
    /// The connection that failed, if that is why the request did.
    pub(super) fn among<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a NoConnection> {
        causes(error).find_map(|cause| cause.downcast_ref())
    }
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no connection to {}", self.endpoint)?;
        // AWS_ENDPOINT_URL, or a service's own such as AWS_ENDPOINT_URL_STS ("Service-specific endpoints" in the AWS SDKs and Tools
        // Reference Guide).
        let names_it = |(name, value): (OsString, OsString)| {
            let name = name.into_string().ok().filter(|name| name.starts_with("AWS_ENDPOINT_URL"))?;
            (endpoint(value.to_str()?) == self.endpoint).then_some(name)
        };
        let mut names: Vec<_> = env::vars_os().filter_map(names_it).collect();
        names.sort_unstable();
        if !names.is_empty() {
            write!(f, " (from {})", names.join(", "))?;
        }
        // The outer errors say less: "io error: client error (Connect): tcp connect error".
        match causes(self.cause.as_ref()).last() {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl Error for NoConnection {}

/// The error, and what caused it, down to the first cause.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (**error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_named_without_path_and_password() {
        for (uri, expected) in [
            ("https://sts.eu-central-1.amazonaws.com/", "https://sts.eu-central-1.amazonaws.com"),
            ("http://127.0.0.1:4567/?Action=ListUsers", "http://127.0.0.1:4567"),
            ("http://anna:secret@proxy.example:8080/x@y", "http://proxy.example:8080"),
            ("http://[::1]:4567", "http://[::1]:4567"),
        ] {
            assert_eq!(endpoint(uri), expected);
        }
    }
}
