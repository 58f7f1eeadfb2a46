//! Signature Version 4, as AWS's "Create a signed AWS API request" describes it. It is verified for keys whose secret is known.

use std::fmt::Write;

use axum::http::{HeaderMap, Method, Uri};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The signature of a request, and what was signed.
pub(crate) struct Signature {
    /// Date, Region, service and `aws4_request`.
    scope: Vec<String>,
    text: String,
    signature: String,
}

impl Signature {
    /// `None` if the request has no complete signature.
    pub(crate) fn read((method, uri): (&Method, &Uri), headers: &HeaderMap, body: &[u8]) -> Option<Signature> {
        let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
        let authorization = header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let part = |name: &str| authorization.split(',').find_map(|part| part.trim().strip_prefix(name));
        let (_, scope) = part("Credential=")?.split_once('/')?;
        let signed = part("SignedHeaders=")?;
        let mut lines = String::new();
        for name in signed.split(';') {
            // A client's library may add the host after this door.
            let host = || uri.authority().map(|host| host.as_str()).filter(|_| name == "host");
            writeln!(lines, "{name}:{}", header(name).or_else(host)?).ok()?;
        }
        let mut query: Vec<_> = uri.query().into_iter().flat_map(|query| query.split('&')).collect();
        query.sort_unstable();
        let (path, query, body) = (uri.path(), query.join("&"), hex(&Sha256::digest(body)));
        let request = format!("{method}\n{path}\n{query}\n{lines}\n{signed}\n{body}");
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            header("x-amz-date")?,
            hex(&Sha256::digest(request.as_bytes()))
        );
        Some(Signature {
            scope: scope.split('/').map(str::to_owned).collect(),
            text,
            signature: part("Signature=")?.to_owned(),
        })
    }

    /// Whether this secret access key signed the request.
    pub(crate) fn is_by(&self, secret: &str) -> bool {
        let first = Some(format!("AWS4{secret}").into_bytes());
        let key = self.scope.iter().fold(first, |key, part| hmac(&key?, part));
        key.and_then(|key| hmac(&key, &self.text)).is_some_and(|signature| hex(&signature) == self.signature)
    }
}

fn hmac(key: &[u8], text: &str) -> Option<Vec<u8>> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    hmac.update(text.as_bytes());
    Some(hmac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request that AWS's description of the signature works through.
    #[test]
    fn the_documented_request_is_signed_by_the_documented_secret() {
        let mut headers = HeaderMap::new();
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                             SignedHeaders=content-type;host;x-amz-date, \
                             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        for (name, value) in [
            ("authorization", authorization),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("x-amz-date", "20150830T123600Z"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let read = |uri: &'static str| Signature::read((&Method::GET, &Uri::from_static(uri)), &headers, b"").unwrap();
        let signature = read("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08");
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        assert!(signature.is_by(secret) && !signature.is_by("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEZ"));
        assert!(!read("https://iam.amazonaws.com/?Action=ListRoles&Version=2010-05-08").is_by(secret));
        headers.remove("x-amz-date");
        assert!(Signature::read((&Method::GET, &Uri::from_static("https://a/")), &headers, b"").is_none());
    }
}
