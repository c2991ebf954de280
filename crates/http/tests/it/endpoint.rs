//! A token endpoint that answers as told: the n-th request gets the n-th answer, then the last one again.

use axum::extract::State;
use axum::http::StatusCode;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub struct Endpoint {
    pub ca_pem: String,
    scheme: &'static str,
    address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    answers: Vec<(u16, String)>,
    forms: Mutex<Vec<String>>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Endpoint {
    pub async fn plain(answers: &[(u16, &str)]) -> Self {
        Self::start(answers, "http").await
    }

    pub async fn tls(answers: &[(u16, &str)]) -> Self {
        Self::start(answers, "https").await
    }

    async fn start(answers: &[(u16, &str)], scheme: &'static str) -> Self {
        let answers = answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        let shared = Arc::new(Shared { answers, forms: Mutex::default() });
        let router = axum::Router::new()
            .route("/token", axum::routing::post(answer))
            .with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let authority = Authority::new();
        let ca_pem = authority.ca_pem;
        let server = match scheme {
            "https" => {
                let listener = TlsListener { listener, acceptor: authority.acceptor };
                tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
            }
            _ => tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }),
        };
        Self { ca_pem, scheme, address, shared, server }
    }

    pub fn url(&self) -> String {
        format!("{}://{}/token", self.scheme, self.address)
    }

    /// The forms that were posted.
    pub fn forms(&self) -> Vec<String> {
        self.shared.forms.lock().unwrap().clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, form: String) -> (StatusCode, String) {
    let mut forms = shared.forms.lock().unwrap();
    forms.push(form);
    let n = forms.len();
    let (status, body) = &shared.answers[(n - 1).min(shared.answers.len() - 1)];
    (StatusCode::from_u16(*status).unwrap(), body.replace("token-N", &format!("token-{n}")))
}

/// A certificate authority and a server certificate for 127.0.0.1.
pub struct Authority {
    pub ca_pem: String,
    acceptor: TlsAcceptor,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let ca_pem = params.self_signed(&ca_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(params, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let server = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], private)
            .unwrap();
        Self { ca_pem, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            // A client that does not trust us breaks the handshake off: wait for the next.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
