//! Bad input: a clear error with the next step, an exit code, nothing half done.

use crate::folder::{Folder, Ran};
use postroad_bounce::MAX_READ;
use std::net::TcpListener;

fn with_people() -> Folder {
    let folder = Folder::ready();
    folder.run("contact import contacts.csv --list readers").ends(0);
    folder.run("campaign new hello --list readers").ends(0);
    folder
}

#[test]
fn files_that_hold_no_contacts_are_refused() {
    let folder = Folder::ready();
    let check = |name: &str, bytes: &[u8], code: i32, parts: &[&str]| {
        folder.write(name, bytes);
        folder.run(&format!("contact import {name} --list readers")).ends(code).says(parts);
        folder.run("list show readers").ends(66);
    };
    check("none.csv", b"name,city\nAnna,Hue\n", 65, &["no address column", "name", "--map"]);
    check("photo.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 65, &["a picture", "CSV"]);
    check("empty.csv", b"", 65, &["empty"]);
    folder.run("contact import nowhere.csv --list readers").ends(66).says(&["nowhere.csv"]);
    folder
        .run("contact import none.csv --list readers --charset klingon")
        .ends(64)
        .says(&["charset"]);
}

#[test]
fn a_line_of_ten_megabytes_is_rejected_and_the_rest_is_taken() {
    let folder = Folder::ready();
    let long = "x".repeat(10 * 1_048_576);
    folder.write("long.csv", format!("email,name\na@example.com,A\n{long},B\nc@example.com,C\n"));
    let report = folder.run("--format json contact import long.csv --list readers").ends(0).json();
    assert_eq!((&report["added"], &report["rejected"]), (&2.into(), &1.into()), "{report}");
}

#[test]
fn a_campaign_that_cannot_be_sent_is_not_scheduled() {
    let folder = with_people();
    let refused = |flags: &[&str], code: i32, parts: &[&str]| {
        let words = [&["campaign", "schedule", "hello"], flags].concat();
        folder.run_words(&words).ends(code).says(parts);
        let list = folder.run("--format json campaign list").ends(0).json();
        assert_eq!(list.as_array().unwrap().len(), 0, "{flags:?} left something behind: {list}");
    };
    refused(&["--list", "nobody"], 66, &["no list named \"nobody\"", "readers"]);
    refused(&["--pool", "nowhere"], 66, &["no pool named \"nowhere\"", "try"]);
    refused(&["--at", "2020-01-01 09:00"], 65, &["has passed"]);
    refused(&["--at", "2030-01-01 09:00 Asia/Hanoi2"], 65, &["Asia/Hanoi2"]);
    refused(&["--at", "2030-03-31 02:30 Europe/Berlin"], 65, &["Europe/Berlin"]);
    refused(&["--filter", "city = 'Atlantis'"], 65, &["nobody would get it", "3 filter"]);
    refused(&["--filter", "city ="], 65, &["filter"]);
    refused(&["--from", "Me <me@gmail.com>"], 65, &["unsubscribe"]);
    folder.run("campaign schedule other").ends(66).says(&["campaign new other"]);
    folder.run("campaign run hello").ends(66).says(&["campaign schedule hello"]);
}

#[test]
fn a_template_with_a_fault_is_named_with_line_and_column() {
    let folder = with_people();
    folder.write("bad.html", "<p>Hello</p>\n<p>{{#if name}}</p>\n");
    folder.run("campaign check hello --template bad.html").ends(65).says(&["bad.html"]);
    folder.write("strict.html", "<p>{{shoe_size}}</p><a href=\"{{unsubscribe_url}}\">leave</a>\n");
    let said = folder.run("campaign check hello --template strict.html").ends(65);
    said.says(&["shoe_size", "anna@example.com", "3 messages cannot be composed"]);
}

#[test]
fn another_key_is_refused() {
    let folder = with_people();
    folder.write("secrets/postroad.key", "another key that is long enough to be one\n");
    folder.run("list list").ends(78).says(&["another secret key", "restore"]);
}

#[test]
fn a_second_engine_on_one_file_is_refused() {
    let folder = with_people();
    folder.run("campaign schedule hello").ends(0);
    let lock = std::fs::File::create(folder.path("postroad.db.engine")).unwrap();
    lock.lock().unwrap();
    folder.run("campaign run hello").ends(75).says(&["another postroad engine"]);
    drop(lock);
    folder.run("campaign run hello").ends(0);
}

#[test]
fn a_port_in_use_stops_serve_before_anything_is_sent() {
    let folder = with_people();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    folder.edit("#admin_listen", &format!("admin_listen = \"127.0.0.1:{port}\"\n#admin_listen"));
    folder.edit("#public_listen", "public_listen = \"127.0.0.1:0\"\n#public_listen");
    folder.run("campaign schedule hello").ends(0);
    folder.run("serve").ends(69).says(&["web.admin_listen", &port.to_string()]);
    let report = folder.run("--format json campaign status hello").ends(0).json();
    assert_eq!(report["state"], "scheduled");
}

/// A pool "real" with one relay.
fn with_relay(folder: &Folder, port: u16, rest: &str) {
    folder.edit(
        "[[pool]]",
        &format!(
            "[[relay]]\nname = \"real\"\nprofile = \"generic\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             limits = \"none\"\nsend_as = [\"example.com\"]\n{rest}\n\n[[pool]]\nname = \"real\"\n\
             relays = [\"real\"]\n\n[[pool]]"
        ),
    );
}

fn test_send(folder: &Folder) -> Ran {
    folder.run("campaign test hello --to me@example.com --pool real")
}

#[test]
fn a_relay_that_refuses_the_login_is_told_in_its_own_words() {
    let folder = with_people();
    let (_sink, port) = folder.sink("--account anna:right");
    folder.write("secrets/relay", "wrong\n");
    let login = "tls = \"none\"\nusername = \"anna\"\npassword = { file = \"secrets/relay\" }";
    with_relay(&folder, port, login);
    folder.run("relay test real").ends(77).says(&["535", "password"]);
    test_send(&folder).ends(69).says(&["535"]);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let folder = with_people();
    let (_sink, port) = folder.sink("--tls starttls --ca-out ca.pem");
    with_relay(&folder, port, "tls = \"starttls\"");
    folder.run("relay test real").ends(69).says(&["ca_file"]);
    let place = format!("port = {port}\n");
    folder.edit(&place, &format!("{place}ca_file = \"ca.pem\"\n"));
    folder.run("relay test real").ends(0);
    test_send(&folder).ends(0).says(&["accepted"]);
}

#[test]
fn a_mailbox_reads_as_much_of_a_message_as_is_understood_and_promises_no_more() {
    let folder = Folder::ready();
    let good = folder.read("postroad.toml");
    folder.write("secrets/box", "x");
    for (octets, code) in [(MAX_READ, 0), (MAX_READ + 1, 78)] {
        let table = format!(
            "[[mailbox]]\nname = \"g\"\nusername = \"g\"\nhost = \"127.0.0.1\"\nmax_message_bytes = {octets}\n\
             password = {{ file = \"secrets/box\" }}\n\n[placement]"
        );
        folder.write("postroad.toml", good.replacen("[placement]", &table, 1));
        folder.run("config check").ends(code);
    }
    folder.run("config check").ends(78).says(&["max_message_bytes", "2097152"]);
}

#[test]
fn an_authority_that_cannot_be_read_is_found_before_anything_is_sent() {
    let folder = with_people();
    folder.run("campaign schedule hello").ends(0);
    let broken = "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n";
    folder.write("ca.pem", broken).write("secrets/box", "x");
    let good = folder.read("postroad.toml");
    let host =
        "host = \"127.0.0.1\"\nca_file = \"ca.pem\"\npassword = { file = \"secrets/box\" }\n\n";
    for table in [
        "[[seed]]\nname = \"g\"\naddress = \"seed@example.net\"\nprovider = \"google\"\n",
        "[[mailbox]]\nname = \"g\"\nusername = \"g\"\n",
    ] {
        let text = good.replacen("[placement]", &format!("{table}{host}[placement]"), 1);
        folder.write("postroad.toml", text);
        folder.run("config check").ends(78).says(&["ca_file of mailbox g"]);
        folder.run("serve").ends(78).says(&["ca_file of mailbox g"]);
    }
    folder.write("postroad.toml", good).run("campaign run hello").ends(0);
}

#[test]
fn an_expired_certificate_is_called_so() {
    let folder = with_people();
    let authority = postroad_testkit::certificate::Authority::new();
    let expired = authority.issue_expired("127.0.0.1");
    folder.write("cert.pem", expired.certificate_pem).write("key.pem", expired.key_pem);
    folder.write("ca.pem", authority.certificate_pem());
    let (_sink, port) = folder.sink("--tls implicit --cert cert.pem --key key.pem");
    with_relay(&folder, port, "tls = \"implicit\"\nca_file = \"ca.pem\"");
    folder.run("relay test real").ends(69).says(&["expired"]);
}
