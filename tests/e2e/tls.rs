//! The released binary over TLS, as it meets the real AWS: certificates checked against the bundle in `SSL_CERT_FILE`.

use crate::{function::bootstrap, support::*};
use chrono::Utc;
use local_aws::{LocalAws, World, events};
use std::{io::Write, sync::Arc};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

/// Puts TLS, for the name `localhost`, in front of a server. Gives the endpoint and the certificate as PEM.
async fn terminate_tls(address: String) -> (String, String) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, address) = (acceptor.clone(), address.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate goes away, which is what one of the tests is about.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = TcpStream::connect(address).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (endpoint, certified.cert.pem())
}

async fn sweep_over_tls(trusted: impl FnOnce(&str) -> String) -> (Result<(), String>, LocalAws) {
    let mut world = World::live_clock();
    let credentials = deploy(&mut world);
    populate(world.account(MEMBER), Utc::now(), 30, 10, 20);
    let aws = LocalAws::start(world).await.unwrap();
    let (endpoint, certificate) = terminate_tls(aws.endpoint().replace("http://", "")).await;
    let mut bundle = tempfile::NamedTempFile::new().unwrap();
    bundle.write_all(trusted(&certificate).as_bytes()).unwrap();
    let trusted = [("SSL_CERT_FILE", bundle.path().display().to_string())];
    let function = programs::start(endpoint, HUB, &credentials, bootstrap(), &trusted).await.unwrap();
    let event = events::scheduled(&mut aws.world(), MEMBER, RULE, &[]);
    let outcome = function.invoke(event.to_string().as_bytes()).await;
    (outcome.map(drop).map_err(|error| error.error_message), aws)
}

#[tokio::test]
async fn a_sweep_over_tls_is_right() {
    let (outcome, aws) = sweep_over_tls(str::to_owned).await;
    outcome.unwrap();
    assert_eq!(aws.world().account(MEMBER).results(RULE).len(), 30);
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused() {
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
    let (outcome, aws) = sweep_over_tls(|_| other).await;
    let error = outcome.unwrap_err();
    assert!(error.contains("sts:AssumeRole: no connection"), "{error}");
    assert!(aws.world().calls().is_empty());
}
