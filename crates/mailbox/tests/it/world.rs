//! What the tests share: accesses to a Dovecot, and servers of a few lines that say what a test wants.

use postroad_mailbox::{Access, Login, Timeouts};
use postroad_model::Secret;
use postroad_model::relay::{Endpoint, TlsMode};
use postroad_testkit::dovecot::{Dovecot, PASSWORD};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;

pub fn trusting(pem: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

pub fn password(text: &str) -> Login {
    Login::Password { username: "anna@b.test".into(), password: Secret::new(text) }
}

pub fn access(dovecot: &Dovecot, at: SocketAddr, tls: TlsMode) -> Access {
    Access {
        endpoint: Endpoint { host: at.ip().to_string(), port: at.port(), tls },
        tls: trusting(dovecot.authority_pem()),
        login: password(PASSWORD),
        timeouts: Timeouts::default(),
        login_advice: "make an app password".into(),
    }
}

/// A server that answers each line it gets with the next of these texts, the first of which is its greeting.
pub async fn scripted(answers: Vec<Vec<u8>>) -> Access {
    let mut answers = answers.into_iter();
    answering(move |_| answers.next()).await
}

/// A server that greets with what `answer` makes of an empty line, and then answers each line it gets, until there is no answer.
/// `TAG` stands for the line's first word.
pub async fn answering(mut answer: impl FnMut(&str) -> Option<Vec<u8>> + Send + 'static) -> Access {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read);
        let mut line = Vec::new();
        while let Some(said) = answer(&String::from_utf8_lossy(&line)) {
            let tag = String::from_utf8_lossy(&line);
            let tag = tag.split(' ').next().unwrap_or_default().to_owned();
            let said = String::from_utf8_lossy(&said).replace("TAG", &tag);
            if write.write_all(said.as_bytes()).await.is_err() {
                return;
            }
            line.clear();
            if lines.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                return;
            }
        }
        // Silent from here on, but there.
        let _ = lines.read_to_end(&mut Vec::new()).await;
    });
    clear_text(at)
}

/// An access without TLS to a server of the tests.
pub fn clear_text(at: SocketAddr) -> Access {
    let within = Duration::from_millis(600);
    Access {
        endpoint: Endpoint { host: at.ip().to_string(), port: at.port(), tls: TlsMode::None },
        tls: trusting(&postroad_testkit::certificate::Authority::new().certificate_pem()),
        login: password("x"),
        timeouts: Timeouts { connect: within, login: within, command: within },
        login_advice: "make an app password".into(),
    }
}
