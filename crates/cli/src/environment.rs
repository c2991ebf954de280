//! The environment, the terminal and randomness: arguments to everything else.

use postroad_model::Secret;
use rand::TryRngCore as _;
use std::io::IsTerminal as _;

/// A variable of the environment; empty ones count as unset.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Who typed the command, for records of what an operator decided: the account's name, as far as it is known.
pub fn operator() -> String {
    let name = variable("SUDO_USER").or_else(|| variable("LOGNAME")).or_else(|| variable("USER"));
    name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// True when somebody watches stderr.
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// True when somebody watches stdout: the command may take the whole screen.
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// A number that nobody can foresee.
pub fn random_i64() -> i64 {
    let mut rng = rand::rngs::OsRng;
    rng.try_next_u64().map_or_else(|_| i64::from(std::process::id()), u64::cast_signed)
}

/// A new key: 256 bits in hexadecimal digits.
pub fn new_key() -> std::io::Result<Secret> {
    let mut bytes = [0_u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(std::io::Error::other)?;
    Ok(Secret::new(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()))
}

/// The name of this machine, for the registry of nodes.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name of this process in the registry of nodes: host and process number.
pub fn node_name() -> String {
    format!("{}:{}", host_name(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_differ_and_are_long_enough() {
        let (a, b) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(a.expose(), b.expose());
        assert!(a.expose().len() >= postroad_model::token::MIN_SECRET);
    }
}
