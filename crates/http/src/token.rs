//! Access tokens for XOAUTH2, kept until shortly before they expire (RFC 6749 section 6, RFC 6750).
//!
//! One source per account. Many connections ask at once and one request is made; a token that still holds is
//! given when its renewal fails; after a failure the endpoint is left in peace for a growing time. A refresh token
//! that the endpoint exchanges is kept in memory only: the operator's file is not written.

use crate::client::{HttpClient, bare, checked};
use crate::{Error, command};
use postroad_model::relay::Auth;
use postroad_model::{Secret, Timestamp};
use reqwest::Url;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a token is believed to hold whose giver does not say.
const UNSTATED_LIFETIME_MS: i64 = 600_000;
const MAX_LIFETIME_MS: i64 = 30 * 86_400_000;
/// A token is renewed this long before its end, or a tenth of its life before if that is less.
const MARGIN_MS: i64 = 300_000;
const FIRST_WAIT_MS: i64 = 30_000;
const LONGEST_WAIT_MS: i64 = 900_000;
const MAX_TOKEN: usize = 16_384;
const MAX_SAID: usize = 200;

/// Where an account's tokens come from.
#[derive(Debug)]
pub struct TokenSource {
    grant: Grant,
    state: Mutex<State>,
}

#[derive(Debug)]
enum Grant {
    Endpoint { client: HttpClient, url: Url, client_id: String, client_secret: Secret },
    Command { command: Vec<String>, limit: Option<Duration> },
}

#[derive(Debug)]
struct State {
    refresh_token: Secret,
    held: Option<Held>,
    failure: Option<Failure>,
}

#[derive(Clone, Debug)]
struct Held {
    token: Secret,
    renew_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Debug)]
struct Failure {
    error: Error,
    count: u32,
    until: Timestamp,
}

/// What an endpoint answers (RFC 6749 sections 5.1 and 5.2); a command may print the same.
#[derive(Deserialize)]
struct Granted {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Lifetime>,
    refresh_token: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Some endpoints send the number as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lifetime {
    Number(f64),
    Text(String),
}

impl Lifetime {
    fn ms(&self) -> Option<i64> {
        let seconds = match self {
            Self::Number(n) => *n,
            Self::Text(t) => t.trim().parse().ok()?,
        };
        (seconds.is_finite() && seconds > 0.0).then_some((seconds * 1000.0) as i64)
    }
}

impl TokenSource {
    /// The source that a relay's login names.
    ///
    /// # Errors
    /// `NoToken` for a login without tokens, `Address` for an endpoint that may not be asked.
    pub fn new(auth: &Auth, client: &HttpClient) -> Result<Self, Error> {
        let (grant, refresh_token) = match auth {
            Auth::OAuth { token_url, client_id, client_secret, refresh_token, .. } => {
                let grant = Grant::Endpoint {
                    client: client.clone(),
                    url: checked(token_url)?,
                    client_id: client_id.clone(),
                    client_secret: client_secret.clone(),
                };
                (grant, refresh_token.clone())
            }
            Auth::TokenCommand { command, .. } => {
                (Grant::Command { command: command.clone(), limit: None }, Secret::new(""))
            }
            Auth::None | Auth::Password { .. } => return Err(Error::NoToken),
        };
        Ok(Self { grant, state: Mutex::new(State { refresh_token, held: None, failure: None }) })
    }

    /// Gives a command other than the usual 30 seconds.
    #[must_use]
    pub fn with_command_timeout(mut self, time: Duration) -> Self {
        if let Grant::Command { limit, .. } = &mut self.grant {
            *limit = Some(time);
        }
        self
    }

    /// A token that holds now, renewed where due.
    ///
    /// # Errors
    /// Why there is none; until the next attempt is due, the same failure without asking again.
    pub async fn token(&self, now: Timestamp) -> Result<Secret, Error> {
        let mut state = self.state.lock().await;
        if let Some(held) = state.held.as_ref().filter(|held| now < held.renew_at) {
            return Ok(held.token.clone());
        }
        let still_holds =
            state.held.as_ref().filter(|held| now < held.expires_at).map(|held| held.token.clone());
        if let Some(failure) = state.failure.as_ref().filter(|failure| now < failure.until) {
            let cause = Box::new(failure.error.clone());
            return still_holds.ok_or(Error::Waiting { cause, until: failure.until });
        }
        match self.fetch(&mut state, now).await {
            Ok(held) => {
                let token = held.token.clone();
                (state.held, state.failure) = (Some(held), None);
                Ok(token)
            }
            Err(error) => {
                let count = state.failure.as_ref().map_or(0, |f| f.count).saturating_add(1);
                let until = now.plus_ms(wait_ms(&error, count));
                tracing::warn!(%error, attempt = count, next = %until, "no access token");
                state.failure = Some(Failure { error: error.clone(), count, until });
                still_holds.ok_or(error)
            }
        }
    }

    /// Forgets a token that the relay refused, unless it was renewed meanwhile.
    pub async fn refused(&self, token: &Secret) {
        let mut state = self.state.lock().await;
        if state.held.as_ref().is_some_and(|held| held.token == *token) {
            state.held = None;
        }
    }

    async fn fetch(&self, state: &mut State, now: Timestamp) -> Result<Held, Error> {
        match &self.grant {
            Grant::Endpoint { client, url, client_id, client_secret } => {
                let refresh = state.refresh_token.clone();
                let mut form = vec![
                    ("grant_type", "refresh_token"),
                    ("refresh_token", refresh.expose()),
                    ("client_id", client_id.as_str()),
                ];
                if !client_secret.expose().is_empty() {
                    form.push(("client_secret", client_secret.expose()));
                }
                let answer = client.post_form(url, &form).await?;
                let granted = read_answer(url, &answer, &[&refresh, client_secret])?;
                let answer_error = |said: String| Error::Answer { url: bare(url), said };
                let held = hold(&granted, now).map_err(answer_error)?;
                if let Some(new) = granted.refresh_token.filter(|new| *new != refresh.expose()) {
                    tracing::info!(
                        endpoint = %bare(url),
                        "the endpoint exchanged the refresh token; the new one is kept until the end of \
                         this process"
                    );
                    state.refresh_token = Secret::new(new);
                }
                Ok(held)
            }
            Grant::Command { command, limit } => {
                let output = command::run(command, *limit).await?;
                let program = command.first().cloned().unwrap_or_default();
                read_output(&output, now).map_err(|why| Error::Command { program, why })
            }
        }
    }
}

/// A refusal needs a person, so it is not asked again soon; anything else doubles from 30 s to 15 min.
fn wait_ms(error: &Error, failures: u32) -> i64 {
    if matches!(error, Error::Refused { .. }) {
        return LONGEST_WAIT_MS;
    }
    let doublings = failures.saturating_sub(1).min(10);
    (FIRST_WAIT_MS << doublings).min(LONGEST_WAIT_MS)
}

fn read_answer(
    url: &Url,
    answer: &crate::client::Answer,
    secrets: &[&Secret],
) -> Result<Granted, Error> {
    let url = bare(url);
    let granted: Option<Granted> = serde_json::from_slice(&answer.body).ok();
    let status = answer.status;
    let error = granted.as_ref().and_then(|g| g.error.as_deref());
    let refused = (400..500).contains(&status) && !matches!(status, 408 | 425 | 429);
    match (granted.as_ref(), error) {
        (_, Some(error)) => {
            let more = granted.as_ref().and_then(|g| g.error_description.as_deref()).unwrap_or("");
            let said = short(&format!("{status} {error} {more}"), secrets);
            let passing = matches!(error, "temporarily_unavailable" | "server_error");
            if refused && !passing {
                Err(Error::Refused { url, said })
            } else {
                Err(Error::Answer { url, said })
            }
        }
        (Some(_), None) if (200..300).contains(&status) => {
            Ok(granted.expect("matched as Some in this arm"))
        }
        (_, None) => {
            let text = String::from_utf8_lossy(&answer.body);
            let said = short(&format!("{status} {text}"), secrets);
            // A success is not quoted: what is no JSON may still hold a token.
            let said = if (200..300).contains(&status) {
                format!("{status} and an answer that is no JSON of a token")
            } else {
                said
            };
            if refused {
                Err(Error::Refused { url, said })
            } else {
                Err(Error::Answer { url, said })
            }
        }
    }
}

fn read_output(output: &[u8], now: Timestamp) -> Result<Held, String> {
    let text = std::str::from_utf8(output).map_err(|_| "what it printed is no text".to_owned())?;
    let text = text.trim();
    if text.starts_with('{') {
        let granted: Granted = serde_json::from_str(text)
            .map_err(|_| "what it printed begins like JSON and is none".to_owned())?;
        return hold(&granted, now);
    }
    let granted = Granted {
        access_token: Some(text.to_owned()),
        token_type: None,
        expires_in: None,
        refresh_token: None,
        error: None,
        error_description: None,
    };
    hold(&granted, now)
}

fn hold(granted: &Granted, now: Timestamp) -> Result<Held, String> {
    let token = granted.access_token.as_deref().unwrap_or_default();
    if token.is_empty() {
        return Err("there is no access_token in it".into());
    }
    if token.len() > MAX_TOKEN || !token.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
        return Err("the access token has characters that none may have, or is too long".into());
    }
    if let Some(kind) = granted.token_type.as_deref().filter(|k| !k.eq_ignore_ascii_case("bearer"))
    {
        return Err(format!("the token is of type {:?}, not Bearer", short(kind, &[])));
    }
    let life = granted.expires_in.as_ref().and_then(Lifetime::ms).unwrap_or(UNSTATED_LIFETIME_MS);
    let life = life.min(MAX_LIFETIME_MS);
    let expires_at = now.plus_ms(life);
    let renew_at = expires_at.plus_ms(-MARGIN_MS.min(life / 10));
    Ok(Held { token: Secret::new(token), renew_at, expires_at })
}

/// Makes a foreign text fit for the log: one line, bounded, our secrets masked.
pub(crate) fn short(text: &str, secrets: &[&Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|s| !s.expose().is_empty()) {
        text = text.replace(secret.expose(), "***");
    }
    let line: Vec<&str> = text.split_whitespace().collect();
    line.join(" ").chars().filter(|c| !c.is_control()).take(MAX_SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(json: &str) -> Result<(i64, i64), String> {
        let held = read_output(json.as_bytes(), Timestamp(1_000_000))?;
        Ok((held.renew_at.0 - 1_000_000, held.expires_at.0 - 1_000_000))
    }

    #[test]
    fn a_token_is_renewed_five_minutes_or_a_tenth_of_its_life_before_its_end() {
        let check =
            |json: &str, expected: (i64, i64)| assert_eq!(lifetime(json), Ok(expected), "{json}");
        check(r#"{"access_token":"t","expires_in":3600}"#, (3_300_000, 3_600_000));
        check(r#"{"access_token":"t","expires_in":"3600"}"#, (3_300_000, 3_600_000));
        check(r#"{"access_token":"t","expires_in":60}"#, (54_000, 60_000));
        check(r#"{"access_token":"t","expires_in":-5}"#, (540_000, 600_000));
        check(r#"{"access_token":"t"}"#, (540_000, 600_000));
        check("plain-token\n", (540_000, 600_000));
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_repeated() {
        let check = |output: &str, words: &str| {
            let error = lifetime(output).unwrap_err();
            assert!(error.contains(words), "{output}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        };
        check("", "no access_token");
        check("{}", "no access_token");
        check("{\"access_token\": s3cret", "is none");
        check("s3cret s3cret", "characters");
        check("s3cret\r\nRCPT", "characters");
        check(r#"{"access_token":"s3cret","token_type":"mac"}"#, "not Bearer");
    }

    #[test]
    fn foreign_texts_are_shortened_to_a_line_with_secrets_masked() {
        let secret = Secret::new("s3cret");
        assert_eq!(short("a\n\tb s3cret\u{7}", &[&secret]), "a b ***");
        assert_eq!(short(&"x".repeat(1000), &[]).len(), MAX_SAID);
    }

    #[test]
    fn the_wait_after_failures_doubles_up_to_a_quarter_of_an_hour() {
        let answer = Error::Answer { url: String::new(), said: String::new() };
        let refused = Error::Refused { url: String::new(), said: String::new() };
        let waits: Vec<i64> = [1, 2, 3, 5, 6, 60].map(|n| wait_ms(&answer, n) / 1000).to_vec();
        assert_eq!(waits, [30, 60, 120, 480, 900, 900]);
        assert_eq!(wait_ms(&refused, 1), 900_000);
    }
}
