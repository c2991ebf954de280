//! The resolver against a name server of a few lines.

#![expect(clippy::unwrap_used, reason = "in helpers of tests too, what fails is the test")]

use postroad_dns::{Dns, Error, Servers};
use postroad_model::{Domain, MailboxProvider};
use postroad_testkit::name_server::{Says, serve};

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
    assert!(said.contains("cannot look up the mail hosts of company.example"), "{said}");
    assert!(ask(Says::Code(5)).await.is_err(), "a server that refuses says nothing of the domain");
    assert!(ask(Says::Nothing).await.is_err(), "silence has an end");
}
