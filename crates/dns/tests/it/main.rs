//! The resolver against a name server of a few lines.

#![expect(clippy::unwrap_used, reason = "in helpers of tests too, what fails is the test")]

use postroad_dns::{Check, Expected};
use postroad_dns::{Dns, Error, Servers};
use postroad_model::{Domain, MailboxProvider};
use postroad_testkit::name_server::{Record, Says, serve};

async fn ask(says: Says) -> Result<MailboxProvider, Error> {
    let dns = Dns::new(&Servers::These(vec![serve(says)])).unwrap();
    dns.provider(&Domain::parse("company.example").unwrap()).await
}

#[tokio::test]
async fn a_companys_mail_is_hosted_by_whom_its_mx_names() {
    let google = vec![(10, "alt1.aspmx.l.google.com"), (1, "ASPMX.L.GOOGLE.COM")];
    assert_eq!(ask(Says::Hosts(google)).await.unwrap(), MailboxProvider::Google);
    let microsoft = vec![(0, "company-example.mail.protection.outlook.com")];
    assert_eq!(ask(Says::Hosts(microsoft)).await.unwrap(), MailboxProvider::Microsoft);
    // A name that only ends like one is nobody's, and the best host counts.
    let mixed = vec![(5, "mx.notgoogle.com"), (10, "mx1.mimecast.com"), (20, "mta.yahoodns.net")];
    assert_eq!(ask(Says::Hosts(mixed)).await.unwrap(), MailboxProvider::Mimecast);
}

#[tokio::test]
async fn a_domain_without_mail_hosts_is_other() {
    for says in [Says::Code(3), Says::Code(0), Says::Hosts(vec![(0, "")])] {
        assert_eq!(ask(says).await.unwrap(), MailboxProvider::Other);
    }
}

#[tokio::test]
async fn what_is_not_sure_is_no_answer() {
    let said = ask(Says::Code(2)).await.unwrap_err().to_string();
    assert!(said.contains("cannot look up company.example in DNS"), "{said}");
    assert!(ask(Says::Code(5)).await.is_err(), "a server that refuses says nothing of the domain");
    assert!(ask(Says::Nothing).await.is_err(), "silence has an end");
}

const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// What is found of `news.example.com`, whose envelope domain is `b.news.example.com`, as letters: upper case passed.
async fn preflight(zone: &[(&str, Record)]) -> String {
    let zone = zone.iter().map(|(name, record)| ((*name).to_owned(), record.clone())).collect();
    let dns = Dns::new(&Servers::These(vec![serve(Says::Zone(zone))])).unwrap();
    let (domain, bounces) = ("news.example.com", "b.news.example.com");
    let [domain, bounces] = [domain, bounces].map(|d| Domain::parse(d).unwrap());
    let keys = vec![("s1._domainkey.news.example.com".to_owned(), KEY.to_owned())];
    let expected = Expected { domain: &domain, bounce_domain: Some(&bounces), keys };
    let letter = |check, passed: bool| {
        let letter = match check {
            Check::Spf => 's',
            Check::Dkim => 'k',
            Check::Dmarc => 'd',
            Check::Mx => 'm',
        };
        if passed { letter.to_ascii_uppercase() } else { letter }
    };
    let checked = dns.preflight(&expected).await.unwrap();
    checked.iter().map(|c| letter(c.check, c.passed)).collect()
}

#[tokio::test]
async fn what_receivers_look_for_is_found_or_missed() {
    let txt = |text: &str| Record::Txt(text.to_owned());
    let spf = ("b.news.example.com", txt("v=spf1 include:amazonses.com -all"));
    let other = ("b.news.example.com", txt("verification=1"));
    let key = ("s1._domainkey.news.example.com", txt(&KEY.replace("p=11", "p= 11")));
    let dmarc = ("_dmarc.example.com", txt("v=DMARC1; p=none"));
    let mx = ("b.news.example.com", Record::Mx(10, "mx.example.com".into()));
    let whole = [spf.clone(), other.clone(), key.clone(), dmarc.clone(), mx.clone()];
    assert_eq!(preflight(&whole).await, "SKDM");
    assert_eq!(preflight(&[]).await, "skdm");
    let twice = ("b.news.example.com", txt("v=spf1 a -all"));
    let longer = ("_dmarc.news.example.com", txt("v=DMARC12"));
    let null = ("b.news.example.com", Record::Mx(0, ".".into()));
    let wrong = ("s1._domainkey.news.example.com", txt("v=DKIM1; k=ed25519; p=AAAA"));
    assert_eq!(preflight(&[spf.clone(), twice, wrong, longer, null]).await, "skdm");
    let long = format!("v=DKIM1; n={}; p=AAAA", "x".repeat(300));
    let doubled = [("s1._domainkey.news.example.com", txt(&long)), key.clone()];
    assert_eq!(preflight(&doubled).await, "skdm");
    // Where no server answers nothing is said.
    let dns = Dns::new(&Servers::These(vec![serve(Says::Code(2))])).unwrap();
    let domain = Domain::parse("example.com").unwrap();
    let expected = Expected { domain: &domain, bounce_domain: None, keys: Vec::new() };
    assert!(dns.preflight(&expected).await.is_err());
}
