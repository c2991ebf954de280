//! What a server is and offers, the same for each of its connections; and how EHLO says so.
//!
//! Made by the server from its settings, read by the session. RFC 5321 section 4.1.1.1: an extension is
//! announced exactly when it would be understood.

use crate::{
    auth::Logins,
    behaviour::{DataWithoutRecipients, Extension},
    envelope::Peer,
    settings::{Limits, Protocol, ServerSettings, Tls},
};

#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) hostname: String,
    pub(crate) protocol: Protocol,
    pub(crate) limits: Limits,
    pub(crate) logins: Logins,
    pub(crate) hide: Vec<Extension>,
    pub(crate) starttls: StartTls,
    pub(crate) without_recipients: DataWithoutRecipients,
}

impl Terms {
    pub(crate) fn new(settings: &ServerSettings) -> Self {
        Self {
            hostname: settings.hostname.clone(),
            protocol: settings.protocol,
            limits: settings.limits.clone(),
            logins: settings.logins.clone(),
            hide: settings.behaviour.hide.clone(),
            starttls: match settings.tls {
                Tls::Off | Tls::Implicit(_) => StartTls::No,
                Tls::StartTls(_) => StartTls::Offered,
                Tls::StartTlsRequired(_) => StartTls::Required,
            },
            without_recipients: settings.behaviour.data_without_recipients,
        }
    }

    pub(crate) fn offers(&self, extension: Extension, peer: &Peer) -> bool {
        let possible = match extension {
            Extension::StartTls => self.starttls != StartTls::No && !peer.encrypted,
            Extension::Auth => !self.logins.mechanisms().is_empty(),
            Extension::Pipelining
            | Extension::Size
            | Extension::EightBitMime
            | Extension::Smtputf8
            | Extension::Dsn
            | Extension::Chunking
            | Extension::EnhancedStatusCodes => true,
        };
        possible && !self.hide.contains(&extension)
    }

    /// The lines of EHLO, after its greeting.
    pub(crate) fn announcement(&self, mut text: String, peer: &Peer) -> String {
        let size = format!("SIZE {}", self.limits.message_bytes_max);
        let mut auth = "AUTH".to_owned();
        for mechanism in self.logins.mechanisms() {
            auth.push(' ');
            auth.push_str(mechanism.name());
        }
        for (extension, line) in [
            (Extension::Pipelining, "PIPELINING"),
            (Extension::Size, size.as_str()),
            (Extension::EightBitMime, "8BITMIME"),
            (Extension::Smtputf8, "SMTPUTF8"),
            (Extension::Dsn, "DSN"),
            (Extension::Chunking, "CHUNKING"),
            (Extension::EnhancedStatusCodes, "ENHANCEDSTATUSCODES"),
            (Extension::StartTls, "STARTTLS"),
            (Extension::Auth, auth.as_str()),
        ] {
            if self.offers(extension, peer) {
                text.push('\n');
                text.push_str(line);
            }
        }
        text
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartTls {
    No,
    Offered,
    Required,
}
