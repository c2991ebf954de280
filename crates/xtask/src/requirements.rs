//! What the tests need beside Rust and a C compiler, and how Debian calls it.

use crate::command::{is_ci, program};
use anyhow::{Result, bail};

struct Requirement {
    package: &'static str,
    /// A shell command that succeeds when it is there.
    probe: &'static str,
    why: &'static str,
}

const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        package: "postgresql",
        probe: "command -v initdb || ls /usr/lib/postgresql/*/bin/initdb",
        why: "the second engine of the store",
    },
    Requirement {
        package: "postfix",
        probe: "PATH=$PATH:/usr/sbin; command -v smtp-sink && command -v smtp-source",
        why: "smtp-sink and smtp-source, an SMTP server and client of other people",
    },
    Requirement {
        package: "dovecot-imapd",
        probe: "PATH=$PATH:/usr/sbin; command -v dovecot && ls /usr/lib/dovecot/imap",
        why: "IMAP of other people",
    },
    Requirement {
        package: "dovecot-pop3d",
        probe: "ls /usr/lib/dovecot/pop3",
        why: "POP3 of other people",
    },
    Requirement {
        package: "dovecot-lmtpd",
        probe: "ls /usr/lib/dovecot/lmtp",
        why: "LMTP of other people, through which mail gets into their mailboxes",
    },
    Requirement {
        package: "python3-dkim",
        probe: "/usr/bin/python3 -c 'import dkim' || python3 -c 'import dkim'",
        why: "a DKIM verifier of other people",
    },
    Requirement {
        package: "python3-nacl",
        probe: "/usr/bin/python3 -c 'import nacl' || python3 -c 'import nacl'",
        why: "Ed25519 for that verifier",
    },
    Requirement {
        package: "sqlite3",
        probe: "command -v sqlite3",
        why: "SQLite's own shell, which fills databases for the benchmark of /metrics",
    },
    Requirement {
        package: "prometheus",
        probe: "command -v promtool && command -v prometheus",
        why: "promtool and Prometheus, which check metrics, rules and the dashboards' queries",
    },
    Requirement {
        package: "npm",
        probe: "command -v npm && command -v node",
        why: "the TypeScript compiler and Grafana's types, which check the dashboards",
    },
];

/// Keeps Debian's packages from starting daemons, and Postfix from asking how it should be set up.
const INSTALL: &str = r#"
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@"
"#;

/// Installs what is missing as root on Debian; otherwise names the one line to type, which is an error only in CI.
pub fn provide() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<String> = missing.iter().map(|r| r.package.to_owned()).collect();
    let may_install =
        program("sh", &["-c", "[ \"$(id -u)\" = 0 ] && command -v apt-get"]).succeeds();
    if may_install {
        let install = program("sh", &["-c", INSTALL, "apt-get install"]).args(&packages);
        let result = install.run();
        if let (Err(error), true) = (result, is_ci()) {
            return Err(error);
        }
    }
    let still = self::missing();
    for r in &still {
        println!("missing: {} ({})", r.package, r.why);
    }
    if still.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = still.iter().map(|r| r.package).collect();
    let line = format!("sudo apt-get install --no-install-recommends {}", names.join(" "));
    if is_ci() {
        bail!("the tests need more than is here: {line}");
    }
    println!("some tests will be skipped; to run them: {line}");
    Ok(())
}

fn missing() -> Vec<&'static Requirement> {
    REQUIREMENTS.iter().filter(|r| !program("sh", &["-c", r.probe]).succeeds()).collect()
}
