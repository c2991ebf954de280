//! Token sources against an endpoint on loopback (TLS by an authority made for the test, and plain), and commands.

#![expect(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

mod command;
mod endpoint;

use endpoint::Endpoint;
use postroad_http::{Error, HttpClient, Roots, TokenSource};
use postroad_model::relay::Auth;
use postroad_model::{Secret, Timestamp};

const NOW: Timestamp = Timestamp(1_795_300_000_000);

fn auth(token_url: String) -> Auth {
    Auth::OAuth {
        username: "anna@example.com".into(),
        token_url,
        client_id: "client".into(),
        client_secret: Secret::new("client-s3cret"),
        refresh_token: Secret::new("refresh-s3cret"),
    }
}

fn source(endpoint: &Endpoint) -> TokenSource {
    let client = HttpClient::new(Roots::Pem(endpoint.ca_pem.as_bytes())).unwrap();
    TokenSource::new(&auth(endpoint.url()), &client).unwrap()
}

const TOKEN: &str = r#"{"access_token":"token-N","token_type":"Bearer","expires_in":3600}"#;

#[tokio::test]
async fn a_token_is_fetched_once_and_renewed_shortly_before_its_end() {
    let endpoint = Endpoint::plain(&[(200, TOKEN)]).await;
    let source = source(&endpoint);
    for (seconds, expected) in [
        (0, "token-1"),
        (3_299, "token-1"),
        (3_300, "token-2"),
        (6_599, "token-2"),
        (9_999, "token-3"),
    ] {
        let token = source.token(NOW.plus_ms(seconds * 1000)).await.unwrap();
        assert_eq!(token.expose(), expected, "after {seconds} s");
    }
    let form = endpoint.forms().remove(0);
    for part in ["grant_type=refresh_token", "refresh_token=refresh-s3cret", "client_id=client"] {
        assert!(form.contains(part), "{form}");
    }
}

#[tokio::test]
async fn connections_that_ask_at_once_share_one_request() {
    let endpoint = Endpoint::plain(&[(200, TOKEN)]).await;
    let source = std::sync::Arc::new(source(&endpoint));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.token(NOW).await.unwrap().expose().to_owned() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "token-1");
    }
    assert_eq!(endpoint.forms().len(), 1);
}

#[tokio::test]
async fn tls_is_verified_against_the_given_authority() {
    let endpoint = Endpoint::tls(&[(200, TOKEN)]).await;
    assert_eq!(source(&endpoint).token(NOW).await.unwrap().expose(), "token-1");
    let stranger = Endpoint::tls(&[(200, TOKEN)]).await;
    let client = HttpClient::new(Roots::Pem(stranger.ca_pem.as_bytes())).unwrap();
    let source = TokenSource::new(&auth(endpoint.url()), &client).unwrap();
    let error = source.token(NOW).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unreachable { why, .. } if why.contains("certificate")),
        "{error}"
    );
    assert_eq!(endpoint.forms().len(), 1, "nothing was said to a server that is not trusted");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_endpoints_words_without_our_secrets() {
    let said = r#"{"error":"invalid_grant","error_description":"refresh-s3cret of client-s3cret was\nrevoked"}"#;
    let endpoint = Endpoint::plain(&[(400, said), (200, TOKEN)]).await;
    let source = source(&endpoint);
    let error = source.token(NOW).await.unwrap_err();
    let text = format!("{error} {error:?} {source:?}");
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(text.contains("invalid_grant *** of *** was revoked"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    let waiting = source.token(NOW.plus_ms(899_999)).await.unwrap_err();
    assert!(matches!(waiting, Error::Waiting { .. }), "{waiting}");
    assert_eq!(endpoint.forms().len(), 1, "a refusal is left in peace for a quarter of an hour");
    assert_eq!(source.token(NOW.plus_ms(900_000)).await.unwrap().expose(), "token-2");
}

#[tokio::test]
async fn a_token_that_still_holds_is_given_while_its_renewal_fails() {
    let endpoint =
        Endpoint::plain(&[(200, TOKEN), (503, "busy"), (503, "busy"), (503, "busy")]).await;
    let source = source(&endpoint);
    source.token(NOW).await.unwrap();
    let at = |seconds: i64| NOW.plus_ms(seconds * 1000);
    for seconds in [3_300, 3_301, 3_599] {
        assert_eq!(source.token(at(seconds)).await.unwrap().expose(), "token-1", "{seconds}");
    }
    let error = source.token(at(3_700)).await.unwrap_err();
    assert!(matches!(&error, Error::Answer { said, .. } if said == "503 busy"), "{error}");
    assert_eq!(endpoint.forms().len(), 4);
}

#[tokio::test]
async fn a_token_that_the_relay_refused_is_not_given_again() {
    let endpoint = Endpoint::plain(&[(200, TOKEN)]).await;
    let source = source(&endpoint);
    let first = source.token(NOW).await.unwrap();
    source.refused(&first).await;
    let second = source.token(NOW).await.unwrap();
    assert_eq!(second.expose(), "token-2");
    source.refused(&first).await;
    assert_eq!(
        source.token(NOW).await.unwrap(),
        second,
        "an old refusal does not void a new token"
    );
}

#[tokio::test]
async fn a_refresh_token_that_was_exchanged_is_used_next() {
    let exchanged = r#"{"access_token":"token-N","expires_in":60,"refresh_token":"second"}"#;
    let endpoint = Endpoint::plain(&[(200, exchanged)]).await;
    let source = source(&endpoint);
    source.token(NOW).await.unwrap();
    source.token(NOW.plus_ms(60_000)).await.unwrap();
    assert!(endpoint.forms()[1].contains("refresh_token=second"), "{:?}", endpoint.forms());
}

#[tokio::test]
async fn answers_that_are_no_token_are_errors_and_never_quoted_on_success() {
    let long = "x".repeat(70_000);
    for (status, body, words) in [
        (200, "s3cret-but-no-json", "no JSON"),
        (200, "{}", "no access_token"),
        (200, long.as_str(), "longer than"),
        (302, "", "302"),
        (500, r#"{"error":"server_error"}"#, "500 server_error"),
        (404, "<html>not here</html>", "404 <html>not here</html>"),
    ] {
        let endpoint = Endpoint::plain(&[(status, body)]).await;
        let error = source(&endpoint).token(NOW).await.unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains("s3cret"), "{status}: {error}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_told_and_asked_again_after_half_a_minute() {
    let client = HttpClient::new(Roots::System)
        .or_else(|_| HttpClient::new(Roots::Pem(endpoint::Authority::new().ca_pem.as_bytes())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let source =
        TokenSource::new(&auth(format!("http://{address}/token?k=s3cret")), &client.unwrap())
            .unwrap();
    let error = source.token(NOW).await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && !error.to_string().contains("s3cret"),
        "{error}"
    );
    let waiting = source.token(NOW.plus_ms(29_999)).await.unwrap_err();
    assert!(
        matches!(waiting, Error::Waiting { until, .. } if until == NOW.plus_ms(30_000)),
        "{waiting}"
    );
    let again = source.token(NOW.plus_ms(30_000)).await.unwrap_err();
    assert!(matches!(again, Error::Unreachable { .. }), "{again}");
}

#[tokio::test]
async fn a_login_without_tokens_has_no_source() {
    let client = HttpClient::new(Roots::Pem(endpoint::Authority::new().ca_pem.as_bytes())).unwrap();
    assert!(matches!(TokenSource::new(&Auth::None, &client), Err(Error::NoToken)));
    let open = auth("http://login.example.com/token".into());
    assert!(matches!(TokenSource::new(&open, &client), Err(Error::Address { .. })));
}
