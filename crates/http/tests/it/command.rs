//! Tokens from a program.

use super::{NOW, endpoint::Authority};
use postroad_http::{Error, HttpClient, Roots, TokenSource};
use postroad_model::relay::Auth;
use std::time::Duration;

fn source(command: &[&str]) -> TokenSource {
    let client = HttpClient::new(Roots::Pem(Authority::new().ca_pem.as_bytes())).unwrap();
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    TokenSource::new(&Auth::TokenCommand { username: "a".into(), command }, &client).unwrap()
}

async fn fails(command: &[&str], words: &str) {
    let error = source(command).token(NOW).await.unwrap_err();
    assert!(matches!(error, Error::Command { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(words) && !text.contains("s3cret"), "{command:?}: {text}");
}

#[tokio::test]
async fn a_program_prints_a_token_or_the_json_of_an_endpoint() {
    let plain = source(&["printf", "%s\\n", "my-token"]);
    assert_eq!(plain.token(NOW).await.unwrap().expose(), "my-token");
    let json = source(&["printf", "%s", r#"{"access_token":"json-token","expires_in":60}"#]);
    assert_eq!(json.token(NOW).await.unwrap().expose(), "json-token");
}

#[tokio::test]
async fn arguments_go_to_the_program_and_to_no_shell() {
    let token = source(&["printf", "%s", "$(date);`x`&&y"]).token(NOW).await.unwrap();
    assert_eq!(token.expose(), "$(date);`x`&&y");
}

#[tokio::test]
async fn a_program_that_fails_is_told_by_its_last_line_on_standard_error() {
    fails(
        &["sh", "-c", "echo s3cret; echo first >&2; echo 'no account' >&2; exit 3"],
        "exit status: 3; it said: no account",
    )
    .await;
    fails(&["sh", "-c", "true"], "no access_token").await;
    fails(&["sh", "-c", "printf 's3cret s3cret'"], "characters").await;
    fails(&["/nonexistent/program"], "cannot be started").await;
    fails(&["sh", "-c", "yes s3cret | head -c 200000"], "more than 65536 octets").await;
}

#[tokio::test]
async fn a_program_that_does_not_end_is_ended() {
    let source = source(&["sleep", "600"]).with_command_timeout(Duration::from_millis(50));
    let error = source.token(NOW).await.unwrap_err();
    assert!(error.to_string().contains("did not end"), "{error}");
}
