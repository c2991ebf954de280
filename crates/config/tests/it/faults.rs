//! Faults: each is refused with its place, its key and what would be right; all of a file at once.

use super::{Folder, KEY, check, loads, refused};

const SINK: &str = "[[relay]]\nname = \"s\"\nprofile = \"sink\"\n";
const GENERIC: &str = "[[relay]]\nname = \"g\"\nprofile = \"generic\"\nhost = \"mail.example.com\"\nlimits = \"none\"\n";

#[test]
fn a_relay_is_not_named_like_all_of_them() {
    check(&SINK.replace("\"s\"", "\"all\""), "relay[all].name", "choose another");
}

#[test]
fn unknown_keys_are_refused_at_every_level_with_the_nearest_one() {
    check("[webb]\n", "webb", "did you mean \"web\"?");
    check("[engine]\nlaese = \"1m\"\n", "engine.laese", "did you mean \"lease\"?");
    check("[engine]\nretry = { fist = \"1m\" }\n", "engine.retry.fist", "did you mean \"first\"?");
    check(
        "[[relay]]\nname = \"s\"\nprofile = \"sink\"\npasword = \"x\"\n",
        "relay[s].pasword",
        "did you mean \"password\"?",
    );
    check(
        &format!("{GENERIC}username = \"u\"\npassword = {{ environment = \"X\" }}\n"),
        "relay[g].password.environment",
        "known here: env, file",
    );
    check(
        "[[relay]]\nname = \"s\"\nprofile = \"sink\"\nlimits = [{ amount = 1, pre = \"1h\" }]\n",
        "relay[s].limits[0].pre",
        "did you mean \"per\"?",
    );
    check(
        "[[domain]]\nname = \"a.example\"\ndkim = [{ selektor = \"s\", key_file = \"k\" }]\n",
        "domain[a.example].dkim[0].selektor",
        "did you mean \"selector\"?",
    );
    check(
        "[[profile]]\nid = \"p\"\nhabits = { sign = true }\n",
        "profile[p].habits.sign",
        "\"signs\"",
    );
    check(
        "[[profile]]\nid = \"p\"\nreplies = [{ text = \"x\", mean = \"quota\" }]\n",
        "profile[p].replies[0].mean",
        "\"means\"",
    );
}

#[test]
fn a_problem_names_file_line_and_column() {
    let problems = refused("\n[engine]\n  laese = \"1m\"\n");
    assert_eq!((problems[0].line, problems[0].column), (5, 3));
    assert!(problems[0].file.ends_with("postroad.toml"));
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let problems = refused(
        "[web]\npublic_listen = \"here\"\n[[relay]]\nname = \"a\"\nprofile = \"gmial\"\nport = \"x\"\n\
         [[pool]]\nname = \"p\"\nrelays = [\"b\"]\ncolour = 1\n",
    );
    let keys: Vec<&str> = problems.iter().map(|p| p.key.as_str()).collect();
    for key in [
        "web.public_listen",
        "relay[a].profile",
        "relay[a].port",
        "pool[p].relays",
        "pool[p].colour",
    ] {
        assert!(keys.contains(&key), "{key} is missing in {keys:?}");
    }
}

#[test]
fn text_that_is_no_toml_is_told_with_its_place() {
    let problems = refused("[web\npublic_listen = 1\n");
    assert_eq!(problems[0].line, 3);
    assert!(!problems[0].message.is_empty());
}

#[test]
fn a_wrong_type_says_what_is_wanted() {
    check("web = 1\n[x]\n", "secrets.web", "unknown");
    check("[engine]\nlease = 60\n", "engine.lease", "not of type integer");
    check("[engine]\nretry = { factor = \"2\" }\n", "engine.retry.factor", "must be a number");
    check("[relay]\nname = \"s\"\n", "relay", "write [[relay]]");
    check("[[pool]]\nname = \"p\"\nrelays = \"s\"\n", "pool[p].relays", "a list of texts");
    check("[[pool]]\nname = \"p\"\nrelays = [1]\n", "pool[p].relays", "not a text");
    check(&format!("{SINK}reserve = 1.5\n"), "relay[s].reserve", "a whole number");
    check(&format!("{GENERIC}username = \"u\"\npassword = 7\n"), "relay[g].password", "{ env = ");
    check(
        "[[profile]]\nid = \"p\"\nbulk_allowed = \"no\"\n",
        "profile[p].bulk_allowed",
        "true or false",
    );
}

#[test]
fn values_out_of_their_range_are_refused() {
    check("[engine]\nlease = \"1s\"\n", "engine.lease", "between");
    check("[engine]\nlease = \"soon\"\n", "engine.lease", "\"30s\"");
    check("[engine]\nretry = { factor = 0.5 }\n", "engine.retry.factor", "between 1 and 10");
    check(
        "[engine]\nretry = { first = \"2h\", max = \"1h\" }\n",
        "engine.retry.max",
        "shorter than first",
    );
    check("[engine]\nunknown_copies = 3\n", "engine.unknown_copies", "resend");
    check("[engine]\non_unknown = \"resent\"\n", "engine.on_unknown", "did you mean \"resend\"?");
    check("[log]\nlevel = \"loud\"\n", "log.level", "known here: debug, error, info, trace, warn");
    check(&format!("{SINK}port = 70000\n"), "relay[s].port", "between 0 and 65535");
    check("[web]\npublic_url = \"http://news.example.com\"\n", "web.public_url", "must be https");
    check(
        "[web]\npublic_url = \"https://a.example/?x\"\n",
        "web.public_url",
        "neither user, query",
    );
    check(
        "[web]\nadmin_listen = \"127.0.0.1:8725\"\n",
        "web.admin_listen",
        "the same as public_listen",
    );
    check("[database]\nurl = \"mysql://x\"\n", "database.url", "sqlite: or postgres://");
    check("[database]\nurl = \"sqlite::memory:\"\n", "database.url", "must name a file");
}

#[test]
fn secrets_that_cannot_be_had_are_told_by_name_and_never_by_content() {
    let relay = |password: &str| format!("{GENERIC}username = \"u\"\npassword = {password}\n");
    check(&relay("{ env = \"UNSET\" }"), "relay[g].password.env", "UNSET is not set");
    check(&relay("{ file = \"none\" }"), "relay[g].password.file", "cannot be read");
    check(&relay("{ env = \"A\", file = \"b\" }"), "relay[g].password.env", "not both");
    check(&relay("{ }"), "relay[g].password", "needs env");
    let config = loads(&relay("\"in-the-file\""));
    assert!(
        config
            .warnings
            .iter()
            .any(|w| w.key == "relay[g].password" && !w.message.contains("in-the-file"))
    );
    let folder = Folder::new();
    let error = folder.load("[secrets]\nkey = \"short\"\n").unwrap_err().to_string();
    assert!(error.contains("fewer than 32"), "{error}");
    let error = folder.load("").unwrap_err().to_string();
    assert!(
        error.contains("secrets.key: is missing") && error.contains("postroad init"),
        "{error}"
    );
}

#[test]
fn names_that_stand_twice_or_nowhere_are_refused() {
    check(&format!("{SINK}{SINK}"), "relay[s].name", "a second relay named \"s\"");
    check("[[relay]]\nprofile = \"sink\"\n", "relay[0].name", "is missing");
    check("[[relay]]\nname = \"a b\"\nprofile = \"sink\"\n", "relay[0].name", "is not a name");
    check(
        "[[relay]]\nname = \"a\"\n",
        "relay[a].profile",
        "is missing: who runs the relay; one of brevo",
    );
    check(
        "[[relay]]\nname = \"a\"\nprofile = \"gmial\"\n",
        "relay[a].profile",
        "did you mean \"gmail\"?",
    );
    let pool = "[[pool]]\nname = \"p\"\nrelays = [\"s\"]\n";
    check(&format!("{SINK}{pool}{pool}"), "pool[p].name", "a second pool");
    check(
        &format!("{SINK}[[pool]]\nname = \"p\"\nrelays = [\"S1\"]\n"),
        "pool[p].relays",
        "did you mean \"s\"?",
    );
    check(
        &format!("{SINK}[[pool]]\nname = \"p\"\nrelays = [\"s\", \"s\"]\n"),
        "pool[p].relays",
        "stands twice",
    );
    check("[[pool]]\nname = \"p\"\nrelays = []\n", "pool[p].relays", "names no relay");
    let domain = "[[domain]]\nname = \"a.example\"\n";
    check(&format!("{domain}{domain}"), "domain[a.example].name", "a second domain");
    check("[[domain]]\nname = \"nodots\"\n", "domain[nodots].name", "no top-level domain");
    check(
        &format!("{domain}unsubscribe_mailto = \"x\"\n"),
        "domain[a.example].unsubscribe_mailto",
        "no @",
    );
    check(
        "[[profile]]\nid = \"p\"\n[[profile]]\nid = \"p\"\n",
        "profile",
        "a second profile \"p\"",
    );
    check("[[profile]]\nid = \"p\"\nneeds = [\"day\"]\n", "profile[p].ask", "what to ask");
    check(
        "[[profile]]\nid = \"p\"\nreplies = [{ means = \"quota\" }]\n",
        "profile[p].replies",
        "every reply",
    );
    check("[profiles]\nfile = \"none.toml\"\n", "profiles.file", "cannot be read");
}

#[test]
fn no_login_goes_in_clear_text_off_this_machine() {
    let open = |profile: &str, host: &str| {
        format!(
            "[[relay]]\nname = \"r\"\nprofile = \"{profile}\"\nhost = \"{host}\"\nport = 2525\ntls = \"none\"\n\
             username = \"u@gmail.com\"\npassword = {{ env = \"P\" }}\nsend_as = [\"example.com\"]\nlimits = \
             [{{ amount = 9, per = \"24h\" }}, {{ amount = 2, per = \"1s\" }}]\n"
        )
    };
    for profile in ["generic", "gmail", "ses"] {
        for host in ["127.0.0.1", "127.9.8.7", "localhost", "::1"] {
            loads(&open(profile, host));
        }
        for host in ["192.0.2.1", "localhost.example.com", "mail.example.com"] {
            check(&open(profile, host), "relay[r].tls", "clear text");
        }
    }
    let config = loads(&format!("{GENERIC}tls = \"none\"\n"));
    assert!(config.warnings.iter().any(|w| w.key == "relay[g].tls"), "{:?}", config.warnings);
}

#[test]
fn a_login_that_does_not_fit_the_profile_is_refused() {
    let relay = |profile: &str, rest: &str| {
        format!("[[relay]]\nname = \"r\"\nprofile = \"{profile}\"\n{rest}")
    };
    check(&relay("gmail", ""), "relay[r].password", "wants a login");
    check(&relay("outlook", ""), "relay[r].password", "oauth = ");
    check(&relay("gmail", "username = \"a@gmail.com\"\n"), "relay[r].password", "wants a login");
    check(&relay("gmail", "password = { env = \"A\" }\n"), "relay[r].username", "is missing");
    let both = "username = \"a@b.example\"\npassword = { env = \"A\" }\ntoken_command = [\"x\"]\n";
    check(&relay("gmail", both), "relay[r].token_command", "not both");
    let password = "username = \"a@outlook.com\"\npassword = { env = \"A\" }\n";
    check(&relay("outlook", password), "relay[r].password", "takes no passwords; use oauth");
    check(&relay("sendgrid", "token_command = [\"x\"]\n"), "relay[r].oauth", "takes no OAuth");
    let oauth = "username = \"a@gmail.com\"\noauth = { token_url = \"http://x.example/t\" }\n";
    check(&relay("gmail", oauth), "relay[r].oauth.token_url", "must be https");
    check(&relay("gmail", oauth), "relay[r].oauth.refresh_token", "is missing");
    check(&format!("{GENERIC}username = \"u\"\n"), "relay[g].password", "logs nobody in");
    check(
        &format!("{SINK}token_command = [\"\"]\nusername = \"u\"\n"),
        "relay[s].token_command",
        "no program",
    );
}

#[test]
fn what_a_relay_may_send_as_must_be_said_and_be_right() {
    let ses = |rest: &str| {
        format!(
            "[[relay]]\nname = \"r\"\nprofile = \"mailgun\"\nusername = \"u\"\npassword = {{ env = \"P\" }}\n\
             limits = [{{ amount = 9, per = \"24h\" }}]\n{rest}"
        )
    };
    check(&ses(""), "relay[r].send_as", "what may it send as?");
    check(&ses("send_as = []\n"), "relay[r].send_as", "empty list");
    check(&ses("send_as = [\"a@example.com\"]\n"), "relay[r].send_as", "an address as from");
    check(&ses("from = \"Anna\"\n"), "relay[r].from", "no @");
    check(&ses("from = \"a@b.example\"\nsend_as = [\"b.example\"]\n"), "relay[r].from", "not both");
    loads(&ses("from = \"Anna <a@b.example>\"\n"));
}

#[test]
fn endpoints_are_filled_in_from_what_is_known_of_the_profile() {
    use postroad_model::relay::TlsMode::{Implicit, None, Starttls};
    let check = |rest: &str, expected: (&str, u16, postroad_model::relay::TlsMode)| {
        let config = loads(&format!(
            "[[relay]]\nname = \"r\"\npassword = {{ env = \"P\" }}\nusername = \"a@b.example\"\n{rest}"
        ));
        let e = &config.relays[0].endpoint;
        assert_eq!((e.host.as_str(), e.port, e.tls), expected, "{rest}");
    };
    check("profile = \"gmail\"\nport = 465\n", ("smtp.gmail.com", 465, Implicit));
    check("profile = \"gmail\"\ntls = \"implicit\"\n", ("smtp.gmail.com", 465, Implicit));
    check("profile = \"gmail\"\nhost = \"proxy.example\"\n", ("proxy.example", 587, Starttls));
    check(
        "profile = \"gmail\"\nhost = \"127.0.0.1\"\nport = 2600\ntls = \"none\"\n",
        ("127.0.0.1", 2600, None),
    );
    let generic = "profile = \"generic\"\nlimits = \"none\"\nhost = \"m.example\"\n";
    check(generic, ("m.example", 587, Starttls));
    check(&format!("{generic}port = 465\n"), ("m.example", 465, Implicit));
    check(&format!("{generic}port = 2525\n"), ("m.example", 2525, Starttls));
}

#[test]
fn hosts_and_certificates_are_checked() {
    check(
        "[[relay]]\nname = \"g\"\nprofile = \"generic\"\nlimits = \"none\"\n",
        "relay[g].host",
        "is missing",
    );
    let host = |host: &str| {
        format!(
            "[[relay]]\nname = \"g\"\nprofile = \"generic\"\nlimits = \"none\"\nhost = \"{host}\"\n"
        )
    };
    check(&host("mail.example.com:587"), "relay[g].host", "a key of its own");
    check(&host("smtp://mail"), "relay[g].host", "no host name");
    check(&format!("{GENERIC}port = 0\n"), "relay[g].port", "for the sink alone");
    check(&format!("{GENERIC}ca_file = \"key\"\n"), "relay[g].ca_file", "no PEM certificate");
    check(&format!("{GENERIC}ca_file = \"none\"\n"), "relay[g].ca_file", "cannot be read");
}

#[test]
fn no_text_however_broken_makes_the_reader_panic() {
    let whole = format!("{KEY}{}", super::WHOLE);
    let folder = Folder::new();
    let mut accepted = 0;
    for cut in (0..whole.len()).step_by(3) {
        let truncated: String = whole.chars().take(cut).collect();
        let mangled: String = whole
            .chars()
            .enumerate()
            .map(|(n, c)| if n % 97 == cut % 97 { '"' } else { c })
            .collect();
        for text in [truncated, mangled] {
            accepted += usize::from(folder.load(&text).is_ok());
        }
    }
    assert!(accepted < whole.len() / 6, "most of the broken texts were accepted");
}

#[test]
fn a_reason_takes_nothing_or_one_act_that_can_happen() {
    let check =
        |line: &str, key: &str, words: &str| check(&format!("[bounces]\n{line}\n"), key, words);
    check("bad_mailboxes = \"nothing\"", "bounces.bad_mailboxes", "did you mean \"bad_mailbox\"?");
    check("policy = \"ignore\"", "bounces.policy", "\"ignore\" is not known");
    check("policy = {}", "bounces.policy", "or one of suppress");
    check("policy = { suppress = \"now\" }", "bounces.policy.suppress", "\"now\" is not known");
    check("policy = { suppress = { after = 3 } }", "bounces.policy.suppress.within", "is missing");
    check(
        "policy = { suppress = { after = 2, within = \"1d\", campaigns = 3 } }",
        "bounces.policy.suppress.after",
        "too small",
    );
    check(
        "policy = { back_off = { after = 2, within = \"1d\" } }",
        "bounces.policy.back_off.for",
        "is missing",
    );
    check("hold = { complaint = 1 }", "bounces.hold.complaint", "did you mean \"complaints\"?");
    check("hold = { hard = 0 }", "bounces.hold.hard", "must lie between");
}
