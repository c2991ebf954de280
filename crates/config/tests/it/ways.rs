//! `[[mailbox]]`, `[bounce_listener]` and `[[hook]]`: what loads with which defaults, and what is said of faults.

use super::{check, loads};
use postroad_config::{
    AfterReading, DnsServers, HookKind, HookLogin, ListenerProtocol, MailboxProtocol,
};
use postroad_model::relay::{Auth, TlsMode};
use std::time::Duration;

const GMAIL: &str = "[[mailbox]]\nname = \"m\"\nprofile = \"gmail\"\nusername = \"a@gmail.com\"\n";
const PASSWORD: &str = "password = { env = \"P\" }\n";

#[test]
fn a_mailbox_of_a_known_operator_needs_a_login_alone() {
    let config = loads(&format!("{GMAIL}{PASSWORD}"));
    let [mailbox] = &config.mailboxes[..] else { panic!("{:?}", config.mailboxes) };
    assert_eq!((mailbox.endpoint.host.as_str(), mailbox.endpoint.port), ("imap.gmail.com", 993));
    assert_eq!(
        (mailbox.endpoint.tls, mailbox.protocol),
        (TlsMode::Implicit, MailboxProtocol::Imap)
    );
    assert_eq!((&mailbox.bounces, &mailbox.others), (&AfterReading::Leave, &AfterReading::Leave));
    assert_eq!((mailbox.folder.as_str(), mailbox.poll), ("INBOX", Duration::from_secs(60)));
    let config = loads(&format!("{GMAIL}{PASSWORD}protocol = \"pop3\"\nbounces = \"delete\"\n"));
    let mailbox = &config.mailboxes[0];
    assert_eq!((mailbox.endpoint.host.as_str(), mailbox.endpoint.port), ("pop.gmail.com", 995));
    assert_eq!((&mailbox.bounces, mailbox.poll), (&AfterReading::Delete, Duration::from_secs(300)));
    let own = "[[mailbox]]\nname = \"m\"\nhost = \"127.0.0.1\"\nport = 143\nusername = \"a\"\n\
               token_command = [\"token\"]\nothers = { move = \"Other\" }\n";
    let mailbox = &loads(own).mailboxes[0];
    assert_eq!(mailbox.endpoint.tls, TlsMode::Starttls);
    assert!(matches!(mailbox.auth, Auth::TokenCommand { .. }));
    assert_eq!(mailbox.others, AfterReading::Move("Other".into()));
}

#[test]
fn a_wrong_mailbox_is_told_what_would_be_right() {
    let with = |more: &str| format!("{GMAIL}{PASSWORD}{more}");
    let profile = "[[mailbox]]\nname = \"m\"\nprofile = \"gmial\"\n";
    check(profile, "mailbox[m].profile", "did you mean \"gmail\"?");
    check(&with("foldr = \"x\"\n"), "mailbox[m].foldr", "did you mean \"folder\"?");
    check(GMAIL, "mailbox[m].password", "is missing");
    check("[[mailbox]]\nname = \"m\"\n", "mailbox[m].host", "IMAP server");
    check(&with("bounces = \"delete\"\n"), "mailbox[m].bounces", "move");
    check(&with("bounces = \"delte\"\n"), "mailbox[m].bounces", "did you mean \"delete\"?");
    check(&with("bounces = { moev = \"x\" }\n"), "mailbox[m].bounces.moev", "\"move\"");
    let pop3 = "protocol = \"pop3\"\n";
    check(&with(&format!("{pop3}others = \"delete\"\n")), "mailbox[m].others", "never deleted");
    check(&with(&format!("{pop3}folder = \"x\"\n")), "mailbox[m].folder", "no folders");
    let moved = format!("{pop3}bounces = {{ move = \"x\" }}\n");
    check(&with(&moved), "mailbox[m].bounces", "no folders");
    check(&with("tls = \"none\"\n"), "mailbox[m].tls", "clear text");
    check(&with("token_command = [\"x\"]\n"), "mailbox[m].token_command", "not both");
    let outlook = GMAIL.replace("gmail\"", "outlook\"");
    check(&format!("{outlook}{PASSWORD}"), "mailbox[m].password", "OAuth");
    check(&format!("{}{}", with(""), with("")), "mailbox[m].name", "second mailbox");
}

#[test]
fn the_listener_takes_the_bounce_domains_of_the_sending_domains() {
    let domain = "[[domain]]\nname = \"x.example\"\nbounce_domain = \"b.x.example\"\n";
    let listener = "[bounce_listener]\nlisten = \"127.0.0.1:8724\"\n";
    let found = loads(&format!("{domain}{listener}")).bounce_listener.unwrap();
    assert_eq!(found.domains[0].as_str(), "b.x.example");
    assert_eq!((found.hostname.as_str(), found.protocol), ("b.x.example", ListenerProtocol::Smtp));
    let own = format!("{listener}domains = [\"b.y.example\"]\nprotocol = \"lmtp\"\n");
    assert_eq!(loads(&own).bounce_listener.unwrap().protocol, ListenerProtocol::Lmtp);
    check(listener, "bounce_listener.domains", "bounce_domain");
    check("[bounce_listener]\nlisten = \"8724\"\n", "bounce_listener.listen", "address and port");
    check(&format!("{listener}domain = []\n"), "bounce_listener.domain", "\"domains\"");
}

#[test]
fn a_hook_needs_what_its_kind_is_known_by_and_nothing_else() {
    let hook =
        |kind: &str, more: &str| format!("[[hook]]\nname = \"h\"\nkind = \"{kind}\"\n{more}");
    let secret = "secret = { env = \"S\" }\n";
    let token = "token = { env = \"T\" }\n";
    let login = "username = \"u\"\npassword = { env = \"P\" }\n";
    let topics = "topics = [\"arn:aws:sns:eu-west-1:1:t\"]\n";
    for (kind, more) in [
        ("ses", topics),
        ("sendgrid", secret),
        ("mailgun", secret),
        ("resend", secret),
        ("generic", secret),
        ("postmark", token),
        ("sparkpost", login),
        ("mailjet", login),
        ("brevo", token),
    ] {
        assert_eq!(loads(&hook(kind, more)).hooks.len(), 1, "{kind}");
        let needed = if more == topics {
            "topics"
        } else if more == secret {
            "secret"
        } else {
            "token"
        };
        check(&hook(kind, ""), &format!("hook[h].{needed}"), "is missing");
        let other = if more == secret { token } else { secret };
        let key = if more == secret { "hook[h].token" } else { "hook[h].secret" };
        check(&hook(kind, &format!("{more}{other}")), key, "has no use");
    }
    let HookKind::Postmark(HookLogin::Basic { username, .. }) =
        loads(&hook("postmark", login)).hooks.remove(0).kind
    else {
        panic!("not read as a login");
    };
    assert_eq!(username, "u");
    check(&hook("sess", ""), "hook[h].kind", "did you mean \"ses\"?");
    check(&hook("ses", "topics = [\"bounces\"]\n"), "hook[h].topics", "ARN");
    check(&hook("brevo", "username = \"u\"\n"), "hook[h].password", "is missing");
    check(&format!("{}{}", hook("brevo", token), hook("brevo", token)), "hook[h].name", "second");
}

#[test]
fn dns_is_asked_only_where_servers_are_named() {
    assert_eq!(loads("").dns, None);
    assert_eq!(loads("[dns]\nservers = \"system\"\n").dns, Some(DnsServers::System));
    let named = loads("[dns]\nservers = [\"192.0.2.53\", \"[2001:db8::53]:5353\"]\n");
    let servers = ["192.0.2.53:53", "[2001:db8::53]:5353"].map(|s| s.parse().unwrap());
    assert_eq!(named.dns, Some(DnsServers::These(servers.to_vec())));
    assert!(
        named.show().contains("servers = [\"192.0.2.53:53\", \"[2001:db8::53]:5353\"]"),
        "{}",
        named.show()
    );
    check("[dns]\n", "dns.servers", "servers = \"system\"");
    check("[dns]\nservers = \"sytem\"\n", "dns.servers", "did you mean \"system\"?");
    check("[dns]\nservers = []\n", "dns.servers", "names no server");
    check("[dns]\nservers = [\"dns.example.com\"]\n", "dns.servers", "no IP address");
    check("[dns]\nserver = \"system\"\n", "dns.server", "did you mean \"servers\"?");
}
