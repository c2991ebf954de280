//! STARTTLS (RFC 3207) and TLS from the first byte (RFC 8314).

use std::sync::Arc;

use postroad_smtpd::{ServerSettings, Tls, tls_from_pem};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::client::{Client, MESSAGE, Sink, Time};

fn identity() -> (Arc<rustls::ServerConfig>, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["sink.test".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let config = tls_from_pem(pem.as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (config, TlsConnector::from(Arc::new(client)))
}

async fn handshake(connector: &TlsConnector, stream: TcpStream) -> Client<TlsStream<TcpStream>> {
    let name = ServerName::try_from("sink.test").unwrap();
    Client::new(connector.connect(name, stream).await.unwrap())
}

async fn start(tls: impl FnOnce(Arc<rustls::ServerConfig>) -> Tls) -> (Sink, TlsConnector) {
    let (config, connector) = identity();
    let settings = ServerSettings { tls: tls(config), ..Time::default().settings() };
    (Sink::start(settings).await, connector)
}

#[tokio::test]
async fn mail_is_taken_after_starttls_and_not_before_where_it_is_required() {
    let (sink, connector) = start(Tls::StartTlsRequired).await;
    let mut client = sink.client().await;
    assert_eq!(client.codes(1).await, ["220"]);
    client.send("EHLO c.test\r\nMAIL FROM:<f@y.test>\r\n").await;
    assert_eq!(client.codes(2).await, ["250", "530"]);
    client.send("STARTTLS\r\n").await;
    assert_eq!(client.codes(1).await, ["220"]);
    let mut client = handshake(&connector, client.into_inner()).await;
    client.send("MAIL FROM:<f@y.test>\r\n").await;
    assert_eq!(client.codes(1).await, ["503"], "what was said in clear is forgotten");
    client.send("STARTTLS\r\n").await;
    assert_eq!(client.codes(1).await, ["502"]);
    client.send(MESSAGE).await;
    assert_eq!(client.codes(5).await, ["250", "250", "250", "354", "250"]);
}

#[tokio::test]
async fn commands_sent_in_clear_behind_starttls_are_not_obeyed() {
    let (sink, _) = start(Tls::StartTls).await;
    let mut client = sink.client().await;
    client.send("EHLO c.test\r\nSTARTTLS\r\nMAIL FROM:<evil@y.test>\r\n").await;
    assert_eq!(client.codes(4).await, ["220", "250", "554", "closed"]);
}

#[tokio::test]
async fn tls_from_the_first_byte() {
    let (sink, connector) = start(Tls::Implicit).await;
    let stream = TcpStream::connect(sink.addr()).await.unwrap();
    let mut client = handshake(&connector, stream).await;
    client.send(MESSAGE).await;
    assert_eq!(client.codes(6).await, ["220", "250", "250", "250", "354", "250"]);
}
