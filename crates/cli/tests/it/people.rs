//! Contacts, lists and suppressions from the command line.

use crate::folder::Folder;

const CSV: &str = "Email,Name,City\nanna@example.com,Anna Nguyễn,Hà Nội\nbob@example.com,Bob,London\n\
                   ANNA@example.com,Anna,Huế\nnonsense,X,Y\n";

#[test]
fn an_import_adds_up_and_can_be_repeated_and_undone() {
    let folder = Folder::ready();
    folder.write("people.csv", CSV);
    let dry = folder
        .run("--format json contact import people.csv --list readers --dry-run")
        .ends(0)
        .json();
    assert_eq!(dry["import"], serde_json::Value::Null);
    folder.run("list show readers").ends(66);
    let first = folder.run("--format json contact import people.csv --list readers").ends(0).json();
    assert_eq!(
        (&first["rows"], &first["added"], &first["merged"]),
        (&4.into(), &2.into(), &1.into())
    );
    assert_eq!(first["rejected"], 1);
    assert!(folder.read("people.csv.rejects.csv").contains("nonsense"));
    let again = folder.run("--format json contact import people.csv --list readers").ends(0).json();
    assert_eq!((&again["added"], &again["unchanged"]), (&0.into(), &2.into()), "{again}");
    folder.run("contact show anna@example.com").ends(0).says(&["Anna", "subscribed"]);
    let export = folder.run("contact export --list readers").ends(0);
    assert_eq!(export.stdout.lines().count(), 3, "{}", export.stdout);
    let id = first["import"].to_string();
    folder.run(&format!("contact undo-import {id}")).ends(0);
    folder.run("contact undo-import 999").ends(66);
}

#[test]
fn whoever_is_suppressed_or_erased_stays_so() {
    let folder = Folder::ready();
    folder.write("people.csv", CSV);
    folder.run("contact import people.csv --list readers").ends(0);
    let added = folder.run("--format json suppression add bob@example.com").ends(0).json();
    assert_eq!(added["added"], 1);
    folder.run("suppression list").ends(0).says(&["bob@example.com", "everywhere"]);
    folder.run("contact erase anna@example.com").ends(64).says(&["--yes"]);
    folder.run("contact erase anna@example.com --yes").ends(0);
    folder.run("contact show anna@example.com").ends(0).says(&["(erased)"]);
    folder.run("contact show nobody@example.com").ends(66);
    let again = folder.run("--format json contact import people.csv --list readers").ends(0).json();
    assert_eq!(again["suppressed"], 2, "{again}");
    folder.write("never.txt", "email\ncarol@example.com\nbob@example.com\n");
    let more = folder.run("--format json suppression import never.txt").ends(0).json();
    assert_eq!((&more["added"], &more["standing"]), (&1.into(), &1.into()));
    folder.run("suppression remove carol@example.com").ends(0);
    folder.run("suppression remove carol@example.com").ends(66);
}

#[test]
fn suppressions_are_exported_as_a_file_that_can_be_imported() {
    let folder = Folder::ready();
    folder.run("suppression add bob@example.com --reason complaint").ends(0);
    let csv = folder.run("suppression export").ends(0).stdout;
    assert!(
        csv.starts_with("email,list,reason,origin,at\nbob@example.com,,complaint,cli,"),
        "{csv}"
    );
    folder.write("moved.csv", &csv);
    let again = folder.run("--format json suppression import moved.csv").ends(0).json();
    assert_eq!((&again["added"], &again["standing"]), (&0.into(), &1.into()));
}

#[test]
fn a_list_is_deleted_unless_something_needs_it() {
    let folder = Folder::ready();
    folder.run("list create mistake").ends(0);
    folder.run("list delete mistake").ends(0).says(&["list mistake is deleted"]);
    folder.run("list delete mistake").ends(66);
    folder.run("contact import contacts.csv --list readers").ends(0);
    folder.run("list delete readers").ends(65).says(&["3 contacts are or were on it", "stays"]);
    folder.run("list show readers").ends(0);
}

#[test]
fn lists_are_made_renamed_and_shown() {
    let folder = Folder::ready();
    folder.run("list create vip --title Friends").ends(0);
    folder.run("list create vip").ends(65).says(&["exists already"]);
    folder.run("list rename vip friends").ends(0);
    folder.run("list show vip").ends(66).says(&["friends"]);
    let lists = folder.run("--format json lists list").ends(0).json();
    assert_eq!((&lists[0]["name"], &lists[0]["title"]), (&"friends".into(), &"Friends".into()));
}
