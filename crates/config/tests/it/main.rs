//! Whole configurations, as an operator writes them: what loads, and what is said of what does not.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod faults;
mod limits;
mod seeds;
mod ways;

use postroad_config::{Config, Error, Problem};

/// A folder with the key file, and loading from it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Self(dir);
        folder.write("key", "0123456789abcdef0123456789abcdef");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn load(&self, text: &str) -> Result<Config, Error> {
        self.write("postroad.toml", text);
        let env = |name: &str| (name != "UNSET").then(|| format!("secret-of-{name}"));
        Config::load(&self.0.path().join("postroad.toml"), &env)
    }
}

const KEY: &str = "[secrets]\nkey = { file = \"key\" }\n";

/// Loads a text behind the key section; it must be right.
fn loads(text: &str) -> Config {
    match Folder::new().load(&format!("{KEY}{text}")) {
        Ok(config) => config,
        Err(error) => panic!("{text}\n{error}"),
    }
}

/// Loads a text behind the key section; it must be refused.
fn refused(text: &str) -> Vec<Problem> {
    match Folder::new().load(&format!("{KEY}{text}")) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(Error::Invalid(problems)) => problems,
        Err(error @ Error::Read(_)) => panic!("{error}"),
    }
}

/// The text is refused, and one of its problems has this key and says these words.
#[track_caller]
fn check(text: &str, key: &str, words: &str) {
    let problems = refused(text);
    let found = problems.iter().any(|p| p.key == key && p.message.contains(words));
    let all: String = problems.iter().map(|p| format!("{p}\n")).collect();
    assert!(found, "no {key:?} with {words:?} in\n{all}");
}

/// The example of the architecture's page on configuration.
const WHOLE: &str = r#"
[database]
url = "sqlite:postroad.db"
[secrets]
key = { file = "secrets/postroad.key" }
[web]
public_url    = "https://news.example.com"
public_listen = "127.0.0.1:8725"
admin_listen  = "127.0.0.1:8726"

[[domain]]
name = "news.example.com"
dkim = [{ selector = "s1", key_file = "keys/news-s1.pem" }]
bounce_domain = "b.news.example.com"
unsubscribe_mailto = "unsub@news.example.com"
postal_address = "1 Example Street, Hanoi"

[[relay]]
name = "gmail-anna"
profile = "gmail"
username = "anna@gmail.com"
password = { env = "GMAIL_ANNA" }
from = "Anna <anna@gmail.com>"
reserve = 50

[[relay]]
name = "ses-1"
profile = "ses"
host = "email-smtp.eu-west-1.amazonaws.com"
username = "AKIA"
password = { file = "secrets/ses" }
send_as = ["news.example.com"]
quota_group = "ses-main"
limits = [{ amount = 50000, unit = "recipients", per = "24h" }, { amount = 14, per = "1s" }]

[[pool]]
name = "newsletter"
relays = ["ses-1"]
"#;

fn whole_folder() -> Folder {
    let folder = Folder::new();
    folder.write("secrets/postroad.key", "0123456789abcdef0123456789abcdef");
    folder.write("secrets/ses", "ses-password\n");
    folder
}

#[test]
fn the_whole_example_loads_into_models_types() {
    use postroad_model::relay::{Auth, Endpoint, Senders, TlsMode};
    let folder = whole_folder();
    let config = folder.load(WHOLE).unwrap();
    let gmail = config.relay("gmail-anna").unwrap();
    assert_eq!(
        gmail.endpoint,
        Endpoint { host: "smtp.gmail.com".into(), port: 587, tls: TlsMode::Starttls }
    );
    assert_eq!((gmail.limits[0].name.as_str(), gmail.limits[0].amount), ("day", 450));
    assert!(matches!(&gmail.senders, Senders::Itself(m) if m.name.as_deref() == Some("Anna")));
    assert!(!gmail.bulk_allowed && gmail.habits.saves_sent);
    let ses = config.relay("ses-1").unwrap();
    assert_eq!(ses.limit_scope(), "group:ses-main");
    assert_eq!(ses.limits.iter().map(|l| l.amount).collect::<Vec<_>>(), [50_000, 14]);
    let Auth::Password { password, .. } = &ses.auth else { panic!("{:?}", ses.auth) };
    assert_eq!(password.expose(), "ses-password", "the line end belongs to the file");
    assert!(config.warnings.iter().any(|w| w.message.contains("may lock the account")));
    assert_eq!(config.domains[0].dkim[0].key_file, folder.0.path().join("keys/news-s1.pem"));
}

#[test]
fn what_is_shown_holds_no_secret() {
    let folder = whole_folder();
    let text = WHOLE.replace(
        "\"sqlite:postroad.db\"",
        "\"postgres://anna:db-password@db.example.com/postroad?password=hunter22\"",
    );
    let config = folder.load(&text).unwrap();
    let shown = format!("{}\n{config:?}", config.show());
    for secret in ["ses-password", "secret-of-", "0123456789abcdef", "db-password", "hunter22"] {
        assert!(!shown.contains(secret), "{secret} is shown:\n{shown}");
    }
    assert!(shown.contains("amount = 450") && shown.contains("before_reserve = 500"), "{shown}");
    assert!(shown.contains("postgres://anna:***@db.example.com/postroad"), "{shown}");
}

#[test]
fn oauth_and_a_token_command_load_with_each_secret_from_its_place() {
    use postroad_model::relay::Auth;
    let config = loads(
        r#"
[[relay]]
name = "a"
profile = "outlook"
username = "a@outlook.com"
limits = [{ amount = 100, per = "24h" }]
oauth = { token_url = "https://login.example/token?x=1", client_id = { env = "ID" }, refresh_token = { env = "R" } }
[[relay]]
name = "b"
profile = "microsoft365"
username = "b@example.com"
token_command = ["printer", "b"]
"#,
    );
    let Auth::OAuth { client_id, client_secret, refresh_token, .. } = &config.relays[0].auth else {
        panic!("{:?}", config.relays[0].auth)
    };
    assert_eq!(client_id, "secret-of-ID");
    assert_eq!((client_secret.expose(), refresh_token.expose()), ("", "secret-of-R"));
    assert!(
        matches!(&config.relays[1].auth, Auth::TokenCommand { command, .. } if command.len() == 2)
    );
}

#[test]
fn an_operators_profiles_add_to_the_built_in_ones_and_override_them() {
    let folder = Folder::new();
    folder.write(
        "mine.toml",
        "[[profile]]\nid = \"gmail\"\nlabel = \"Ours\"\nendpoints = [{ host = \"smtp.gmail.com\", port = 465, \
         tls = \"implicit\" }]\nlimits = [{ amount = 20, per = \"1h\" }]\nsends_as = \"itself\"\n",
    );
    let text = format!(
        "{KEY}[profiles]\nfile = \"mine.toml\"\n[[profile]]\nid = \"host\"\nneeds = [\"day\"]\nask = \"how \
         many?\"\n[[relay]]\nname = \"a\"\nprofile = \"gmail\"\nusername = \"a@gmail.com\"\npassword = {{ env \
         = \"A\" }}\n"
    );
    let config = folder.load(&text).unwrap();
    assert_eq!((config.relays[0].endpoint.port, config.relays[0].limits[0].amount), (465, 20));
    assert_eq!(config.profiles.get("host").unwrap().ask, "how many?");
    folder.write("mine.toml", "[[profile]]\nid = \"x\"\nlabl = \"y\"\n");
    let error = folder.load(&text).unwrap_err().to_string();
    assert!(
        error.contains("mine.toml:3:1: profile[x].labl: unknown key; did you mean \"label\"?"),
        "{error}"
    );
}

#[test]
fn the_sinks_port_is_put_into_its_endpoint_by_the_caller() {
    let mut config = loads("[[relay]]\nname = \"s\"\nprofile = \"sink\"\n");
    assert_eq!(config.relays[0].endpoint.port, 0);
    for relay in config.sinks() {
        relay.endpoint.port = 2525;
    }
    assert_eq!(config.relays[0].endpoint.port, 2525);
    assert!(config.relays[0].limits.is_empty());
}

#[test]
fn a_reload_tells_limits_from_what_needs_more() {
    let folder = whole_folder();
    let old = folder.load(WHOLE).unwrap();
    assert!(old.diff(&folder.load(WHOLE).unwrap()).is_empty());
    let new = WHOLE
        .replace("reserve = 50", "reserve = 100")
        .replace("amount = 14, per", "amount = 20, per")
        .replace("8726", "8727")
        .replace("send_as = [\"news", "send_as = [\"example.org\", \"news")
        .replace("name = \"newsletter\"", "name = \"letters\"");
    let changes = old.diff(&folder.load(&new).unwrap());
    let limits: Vec<String> = changes
        .limits
        .iter()
        .map(|l| format!("{} {} {:?}", l.scope, l.name, l.after.as_ref().map(|l| l.amount)))
        .collect();
    assert_eq!(limits, ["group:ses-main second Some(20)", "relay:gmail-anna day Some(400)"]);
    assert_eq!(changes.relays_changed, ["ses-1"]);
    assert_eq!(changes.pools, ["letters", "newsletter"]);
    assert_eq!(changes.needs_restart, ["web.admin_listen"]);
    assert!(!changes.engine && changes.domains.is_empty() && changes.relays_added.is_empty());
    let at_start = ["pool letters", "pool newsletter", "relay ses-1", "web.admin_listen"];
    assert_eq!(changes.at_start(), at_start);
    let at_once = changes.at_once();
    assert_eq!(at_once.len(), 2, "{at_once:?}");
    assert!(at_once[1].starts_with("limit day of relay:gmail-anna: 400 in "), "{at_once:?}");
}

#[test]
fn a_file_that_is_not_there_says_how_to_make_one() {
    let error = Config::load(std::path::Path::new("/nonexistent/p.toml"), &|_| None).unwrap_err();
    assert!(error.to_string().contains("postroad init"), "{error}");
}
