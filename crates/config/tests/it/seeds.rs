//! `[[seed]]` and `[placement]`: what loads with which defaults, and what is said of faults.

use super::{check, loads};
use postroad_config::PlacementSettings;
use postroad_model::MailboxProvider;
use postroad_model::relay::{Auth, TlsMode};
use postroad_model::seed::MoreAddresses;

const GMAIL: &str = "[[seed]]\naddress = \"sam@gmail.com\"\npassword = { env = \"P\" }\n";
const RELAY: &str = "[[relay]]\nname = \"g\"\nprofile = \"gmail\"\nusername = \"Anna@gmail.com\"\n\
                     password = { env = \"P\" }\nfrom = \"Anna <anna@gmail.com>\"\n";

#[test]
fn a_seed_of_a_known_provider_needs_address_and_password_alone() {
    let config = loads(GMAIL);
    let [seed] = &config.seeds[..] else { panic!("{:?}", config.seeds) };
    assert_eq!(
        (seed.planned.name.as_str(), seed.planned.provider),
        ("sam@gmail.com", MailboxProvider::Google)
    );
    assert_eq!(seed.mailbox.endpoint.host, "imap.gmail.com");
    let Auth::Password { username, .. } = &seed.mailbox.auth else { panic!("{seed:?}") };
    assert_eq!(username, "sam@gmail.com");
    assert_eq!(seed.planned.more, MoreAddresses::None);
    assert_eq!(config.placement, PlacementSettings::default());
    // What nobody wrote brakes nothing.
    assert_eq!((config.placement.min_inbox, config.placement.wanted_inbox()), (None, 0.8));
    let own = "[[seed]]\nname = \"own\"\naddress = \"a@b.example\"\nprovider = \"yahoo\"\nhost = \"127.0.0.1\"\n\
               port = 143\ntls = \"none\"\nusername = \"u\"\npassword = { env = \"P\" }\naliases = [\"c@b.example\"]\n\
               person = \"Sam\"\nattributes = { city = \"Hue\", n = 1_000, x = 1.5, ok = true }\n";
    let seed = &loads(own).seeds[0];
    assert_eq!(
        (seed.planned.provider, seed.mailbox.endpoint.tls),
        (MailboxProvider::Yahoo, TlsMode::None)
    );
    let attributes = serde_json::json!({"city": "Hue", "n": 1000, "x": 1.5, "ok": true});
    assert_eq!(serde_json::Value::from(seed.planned.attributes.clone()), attributes);
    let MoreAddresses::Aliases(aliases) = &seed.planned.more else { panic!("{seed:?}") };
    assert_eq!(aliases[0].to_string(), "c@b.example");
    assert_eq!(loads(&format!("{GMAIL}plus = true\n")).seeds[0].planned.more, MoreAddresses::Plus);
}

#[test]
fn a_relays_own_account_is_no_seed() {
    let seed = |address: &str, more: &str| {
        format!(
            "{RELAY}[[seed]]\nname = \"s\"\naddress = \"{address}\"\npassword = {{ env = \"P\" }}\n{more}"
        )
    };
    let why = "the account of the relay \"g\"";
    check(&seed("anna@gmail.com", ""), "seed[s].address", why);
    check(&seed("anna+x@gmail.com", ""), "seed[s].address", why);
    check(&seed("an.na@googlemail.com", ""), "seed[s].address", why);
    check(&seed("sam@gmail.com", "username = \"anna@gmail.com\"\n"), "seed[s].username", why);
    check(&seed("sam@gmail.com", "aliases = [\"ANNA@gmail.com\"]\n"), "seed[s].aliases", why);
    assert_eq!(loads(&seed("sam@gmail.com", "")).seeds.len(), 1);
}

#[test]
fn a_wrong_seed_is_told_what_would_be_right() {
    let with = |more: &str| format!("{GMAIL}{more}");
    let at = |key: &str| format!("seed[sam@gmail.com].{key}");
    check(&with("provider = \"gogle\"\n"), &at("provider"), "did you mean \"google\"?");
    check(&with("adress = \"x\"\n"), &at("adress"), "did you mean \"address\"?");
    check(&with("profile = \"gmial\"\n"), &at("profile"), "did you mean \"gmail\"?");
    check(&with("plus = true\naliases = []\n"), &at("plus"), "not both");
    check(&with("aliases = [\"nobody\"]\n"), &at("aliases"), "nobody");
    check(&with("attributes = { x = [] }\n"), &at("attributes"), "a text, a number");
    check("[[seed]]\naddress = \"sam\"\n", "seed[0].address", "no @");
    check("[[seed]]\nname = \"s\"\n", "seed[s].address", "is missing");
    check("[[seed]]\naddress = \"sam@gmail.com\"\n", &at("password"), "is missing");
    let outlook = GMAIL.replace("gmail.com", "outlook.com");
    check(&outlook, "seed[sam@outlook.com].password", "OAuth");
    check(&with(GMAIL), &at("name"), "a second seed");
    let twice = GMAIL.replace("address", "name = \"s\"\naddress");
    check(&with(&twice), "seed[s].address", "an address of the seed \"sam@gmail.com\" too");
    let long = "[placement]\nmissing_after = \"5h\"\nrevise_until = \"4h\"\n";
    check(long, "placement.revise_until", "shorter");
    check("[placement]\nmin_inbx = 1\n", "placement.min_inbx", "did you mean \"min_inbox\"?");
}
