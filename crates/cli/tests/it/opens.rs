//! Opens from end to end: images in messages that a sink kept are fetched as mail programs fetch them.

use crate::campaigns::folder_with;
use crate::folder::Folder;
use crate::serving::{get, get_as, serving_both};
use crate::ways::ends;
use serde_json::json;

/// As image proxies, mail programs and Apple's privacy protection call themselves.
pub const PROXY: &str = "Mozilla/5.0 (via ggpht.com GoogleImageProxy)";
const APPLE: &str = "Mozilla/5.0";

/// A public address, so that links are written, and a body in HTML: `--template body.html`.
pub fn with_html(folder: &Folder) {
    folder.write(
        "body.html",
        "<p>Hello <a href=\"{{unsubscribe_url}}\">Leave</a> {{postal_address}}</p>\n",
    );
    folder.edit(
        "# example: public_url",
        "public_url = \"https://n.example.com\"\n# example: public_url",
    );
}

/// The path of the image in each message for an address that a sink kept, in the order of its files.
pub fn images(sinks: &Folder, to: &str) -> Vec<String> {
    let Ok(kept) = std::fs::read_dir(sinks.path("kept/new")) else { return Vec::new() };
    let mut files: Vec<_> = kept.map(|file| file.unwrap().path()).collect();
    files.sort();
    let image = |file: std::path::PathBuf| {
        let mail = String::from_utf8_lossy(&std::fs::read(file).unwrap()).replace("\r\n", "\n");
        let (head, body) = mail.split_once("\n\n")?;
        let wanted = head.lines().any(|line| line.starts_with("To: ") && line.contains(to));
        let body = body.replace("=\n", "");
        let at = body.find("/o/").filter(|_| wanted)?;
        Some(body[at..at + body[at..].find(".gif")? + 4].to_owned())
    };
    files.into_iter().filter_map(image).collect()
}

#[test]
fn opens_are_counted_where_a_campaign_asks_and_compared_between_providers() {
    let sinks = Folder::empty();
    let (_sink, port) = sinks.sink_words(&["--keep", "kept"]);
    let folder = folder_with(3, &[("one", port, "\"none\"")]);
    folder.write("more.csv", "email\nq0@gmail.com\nq1@gmail.com\n");
    folder.run("contact import more.csv --list readers").ends(0);
    folder.run("campaign check hello --track-opens").ends(65).says(&["track_opens", "public_url"]);
    with_html(&folder);
    let (serve, admin, public) = serving_both(&folder);
    folder.run("campaign schedule hello --track-opens --template body.html").ends(0);
    folder.run("campaign status hello --watch").ends(0).says(&["finished"]);
    for (to, agent) in [("q0@gmail.com", PROXY), ("q0@gmail.com", PROXY), ("p0@example.org", APPLE)]
    {
        let image = images(&sinks, to).remove(0);
        let (code, head) = get_as(&public, &image, agent);
        assert!(code == 200 && head.contains("image/gif"), "{head}");
    }
    let report = folder.run("--format json campaign report hello").ends(0).json();
    let line = |provider, proxy, prefetch, accepted, share| {
        json!({ "provider": provider, "human": 0, "proxy": proxy, "prefetch": prefetch,
                "accepted": accepted, "share": share })
    };
    let expected = json!([line("other", 0, 1, 3, 0.0), line("google", 1, 0, 2, 0.5)]);
    assert_eq!(report["opens"], expected, "{report}");
    folder.run("campaign status hello").ends(0).says(&["prefetch"]);
    folder.run("campaign report hello").ends(0).says(&["opened", "50.0 %"]);
    folder.run("campaign report hello --html -").ends(0).says(&["through an image proxy"]);
    let explained = folder.run("explain q0@gmail.com --campaign hello").ends(0);
    explained.says(&["opened proxy (from image)"]);
    assert!(get(&admin, "/metrics").1.contains(
        "postroad_campaign_opens{campaign=\"hello\",kind=\"proxy\",provider=\"google\"} 1\n"
    ));
    assert_eq!(folder.run("--format json bounce list").ends(0).json(), json!([]));
    // The next one asks for nothing, so it carries no image and has no table.
    folder.run("campaign new next --list readers --pool real --template announcement").ends(0);
    folder.run("campaign schedule next --template body.html").ends(0);
    folder.run("campaign status next --watch").ends(0).says(&["finished"]);
    assert_eq!(images(&sinks, "q0@gmail.com").len(), 1);
    let report = folder.run("--format json campaign report next").ends(0).json();
    assert!(report["opens"].is_null(), "{report}");
    ends(serve);
}
