//! The keys of all sending domains, and which of them may sign for a From.
//!
//! Aligned here means: the key's domain is the From domain or a parent of it that the operator configured as a
//! sending domain (DMARC's relaxed alignment, RFC 7489 section 3.1.1, without guessing at public suffixes). The
//! exact domain is preferred, then the longest parent.

use crate::{Coverage, DnsRecord, Error, Signer, SigningKey};
use postroad_model::message::{RenderedMessage, SignedMessage};
use postroad_model::relay::SendingDomain;
use postroad_model::{Domain, Timestamp};
use std::{collections::HashMap, sync::Arc};

/// All keys, parsed once; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    signers: HashMap<Domain, Arc<Signer>>,
}

impl KeyRing {
    /// Reads the key files of all sending domains. The second value are warnings about the files' rights.
    ///
    /// # Errors
    /// The first key that cannot be read or used.
    pub fn load(domains: &[SendingDomain]) -> Result<(Self, Vec<String>), Error> {
        let mut ring = Self::default();
        let mut warnings = Vec::new();
        for domain in domains {
            for reference in &domain.dkim {
                let (key, warning) = SigningKey::from_file(&reference.key_file)?;
                warnings.extend(warning);
                ring.insert(&domain.name, &reference.selector, key)?;
            }
        }
        Ok((ring, warnings))
    }

    /// Adds a key; RSA keys of a domain sign before its Ed25519 keys.
    ///
    /// # Errors
    /// [`Error::Selector`], [`Error::DuplicateSelector`].
    pub fn insert(
        &mut self,
        domain: &Domain,
        selector: &str,
        key: SigningKey,
    ) -> Result<(), Error> {
        let signer = match self.signers.get(domain) {
            Some(old) => old.with_key(selector, key)?,
            None => Signer::new(domain).with_key(selector, key)?,
        };
        self.signers.insert(domain.clone(), Arc::new(signer));
        Ok(())
    }

    /// The signer for mail from this domain, `None` when no key is aligned with it.
    #[must_use]
    pub fn signer_for(&self, from: &Domain) -> Option<Arc<Signer>> {
        let mut best: Option<&Arc<Signer>> = None;
        for (domain, signer) in &self.signers {
            let longer = best.is_none_or(|b| b.domain().as_str().len() < domain.as_str().len());
            if longer && from.is_within(domain) {
                best = Some(signer);
            }
        }
        best.cloned()
    }

    /// Signs with the keys aligned with the message's From; without one the message stays unsigned.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn sign(
        &self,
        message: RenderedMessage,
        coverage: Coverage,
        at: Timestamp,
    ) -> Result<SignedMessage, Error> {
        match self.signer_for(message.from.domain()) {
            Some(signer) => signer.sign(message, coverage, at),
            None => {
                Ok(SignedMessage { signature_fields: Vec::new(), message, signed_by: Vec::new() })
            }
        }
    }

    /// The DNS records of a domain's own keys, in the order they sign.
    #[must_use]
    pub fn records(&self, domain: &Domain) -> Vec<DnsRecord> {
        self.signers.get(domain).map(|s| s.records()).unwrap_or_default()
    }
}
