//! From an empty folder to a campaign that was sent: what `init` promises.

use crate::folder::Folder;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn the_eight_commands_that_init_names_work_in_their_order() {
    let folder = Folder::empty();
    let said = folder.run("--format json init").ends(0).json();
    let next: Vec<&str> =
        said["next"].as_array().unwrap().iter().filter_map(|c| c.as_str()).collect();
    assert_eq!(next.len(), 8);
    for command in next {
        folder.run(command.strip_prefix("postroad ").unwrap()).ends(0);
    }
    let report = folder.run("--format json campaign report hello").ends(0).json();
    assert_eq!(
        (&report["state"], &report["audience"], &report["accepted"], &report["imbalance"]),
        (&"finished".into(), &3.into(), &3.into(), &0.into())
    );
    // One line per RCPT, dot and acceptance; the test went there too.
    let record = folder.read("sink/sink.jsonl");
    assert_eq!(record.matches(r#""kind":"accepted""#).count(), 4);
}

#[test]
fn init_overwrites_nothing() {
    let folder = Folder::ready();
    let before = (folder.read("postroad.toml"), folder.read("secrets/postroad.key"));
    folder.run("init").ends(65).says(&["postroad.toml exists already"]);
    assert_eq!(before, (folder.read("postroad.toml"), folder.read("secrets/postroad.key")));
    // A key alone is kept as well.
    let other = Folder::empty();
    other.write("secrets/postroad.key", "precious");
    other.run("init").ends(65);
    assert_eq!(other.read("secrets/postroad.key"), "precious");
    assert!(!other.path("postroad.toml").exists(), "nothing half done");
}

#[test]
fn the_key_is_for_its_owner_alone() {
    let folder = Folder::ready();
    let mode = std::fs::metadata(folder.path("secrets/postroad.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    folder.run("config check").ends(0).says(&["is right"]);
    let shown = folder.run("config show").ends(0);
    assert!(!shown.stdout.contains(folder.read("secrets/postroad.key").trim()));
}

#[test]
fn a_webhooks_key_that_is_none_is_found_by_config_check_and_before_serve_sends() {
    let folder = Folder::ready();
    folder.write("secrets/hook", "MFkw-nonsense\n");
    let hook =
        "[[hook]]\nname = \"h\"\nkind = \"sendgrid\"\nsecret = { file = \"secrets/hook\" }\n";
    let text = folder.read("postroad.toml");
    folder.write("postroad.toml", format!("{text}\n{hook}"));
    for command in ["config check", "serve"] {
        folder.run(command).ends(78).says(&["hook[h]", "secret", "is no P-256 public key"]);
    }
}

#[test]
fn config_check_names_every_problem_with_the_nearest_key() {
    let folder = Folder::ready();
    folder
        .edit("[engine]", "[engine]\nleese = \"1m\"\n")
        .edit("profile = \"sink\"", "profile = \"sinc\"");
    folder.run("config check").ends(78).says(&["lease", "sink", "postroad.toml:"]);
    let said = folder.run("--format json config check").ends(78).json();
    assert!(said["errors"].as_array().unwrap().len() >= 2, "all at once: {said}");
    folder.run("contact show a@example.com").ends(78);
    let nowhere = Folder::empty();
    nowhere.run("list list").ends(78).says(&["postroad init"]);
}

#[test]
fn a_wrong_command_line_ends_with_64() {
    let folder = Folder::empty();
    folder.run("campaing list").ends(64).says(&["campaign"]);
    folder.run("campaign schedule").ends(64);
    folder.run("--version").ends(0).says(&["postroad 0."]);
    folder.run("campaign schedule --help").ends(0).says(&["--at", "Ho_Chi_Minh"]);
    folder.run("completions bash").ends(0).says(&["_postroad"]);
}

#[test]
fn dkim_keys_are_made_once_and_their_records_printed() {
    let folder = Folder::ready();
    folder.run("dkim record").ends(66).says(&["dkim generate"]);
    let made =
        folder.run("--format json dkim generate example.com --algorithm both").ends(0).json();
    assert_eq!(made[0]["name"], "s1._domainkey.example.com");
    folder.run("dkim generate example.com").ends(65).says(&["exists already"]);
    folder.edit(
        "name = \"example.com\"",
        "name = \"example.com\"\ndkim = [{ selector = \"s1\", key_file = \"keys/example.com-s1.pem\" }]\n",
    );
    let record = folder.run("--format json dkim record example.com").ends(0).json();
    assert_eq!(record[0]["value"], made[0]["value"]);
}

#[test]
fn doctor_finds_what_is_wrong() {
    let folder = Folder::ready();
    folder.edit("#public_listen", "public_listen = \"127.0.0.1:0\"\n#public_listen");
    folder.edit("#admin_listen", "admin_listen = \"127.0.0.1:0\"\n#admin_listen");
    folder.run("doctor").ends(0).says(&["relay sink", "none is running"]);
    folder.edit(
        "[[pool]]",
        "[[relay]]\nname = \"away\"\nprofile = \"generic\"\nhost = \"127.0.0.1\"\nport = 1\ntls = \"none\"\n\
         limits = \"none\"\nsend_as = [\"example.com\"]\n\n[[pool]]",
    );
    let said = folder.run("--format json doctor").ends(69).json();
    let checks = said["checks"].as_array().unwrap();
    let away = checks.iter().find(|c| c["check"] == "relay away").unwrap();
    assert_eq!(away["verdict"], "failed");
    assert!(away["message"].as_str().unwrap().contains("nothing listens"), "{away}");
}

#[test]
fn the_same_commands_work_on_postgresql() {
    let Some(database) = postroad_testkit::postgres::database() else { return };
    let folder = Folder::empty();
    let said = folder.run("--format json init").ends(0).json();
    folder.edit("#url = \"sqlite:postroad.db\"", &format!("url = {:?}", database.url()));
    for command in said["next"].as_array().unwrap().iter().filter_map(|c| c.as_str()) {
        folder.run(command.strip_prefix("postroad ").unwrap()).ends(0);
    }
    let report = folder.run("--format json campaign report hello").ends(0).json();
    assert_eq!((&report["accepted"], &report["imbalance"]), (&3.into(), &0.into()));
    assert!(!folder.path("postroad.db").exists());
    folder.run("db check").ends(0);
    folder.run("doctor").says(&["the database's"]);
}
