//! `[dns]`: whom to ask for the mail hosts of recipients' domains.
//!
//! Absent means that nobody is asked: mailbox providers are then known by the table of well-known domains alone.

use crate::section::Section;
use std::net::{IpAddr, SocketAddr};

const PORT: u16 = 53;
const EXAMPLE: &str = "e.g. servers = \"system\" or servers = [\"192.0.2.53\"]";

/// The DNS servers to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsServers {
    /// Those of the system.
    System,
    /// These.
    These(Vec<SocketAddr>),
}

/// Reads `[dns]`.
pub(crate) fn dns(root: &Section<'_>) -> Option<DnsServers> {
    let section = root.table("dns", "dns")?;
    let servers = servers(&section);
    section.finish();
    servers
}

fn servers(section: &Section<'_>) -> Option<DnsServers> {
    let Some(value) = section.value("servers") else {
        section.missing("servers", EXAMPLE);
        return None;
    };
    if value.get_ref().as_str().is_some() {
        return section.choice("servers", &[("system", ())]).map(|()| DnsServers::System);
    }
    let named = section.strings("servers")?;
    if named.is_empty() {
        section.error(section.place("servers"), "servers", format!("names no server; {EXAMPLE}"));
    }
    let mut list = Vec::new();
    for text in named {
        let with_port = text.value.parse::<SocketAddr>();
        let alone = || text.value.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
        match with_port.or_else(|_| alone()) {
            Ok(server) => list.push(server),
            Err(_) => {
                let why = format!("{:?} is no IP address with or without a port", text.value);
                section.error(text.at, "servers", why);
            }
        }
    }
    Some(DnsServers::These(list))
}
