//! Which addresses a rule, mix, greylist or fault means.
//!
//! Used by `policy` and `fault`. ASCII letters are compared without case, also in local parts: a script is
//! written by hand.

/// Whether a pattern of a rule (absent, `*`, address, domain or `.suffix`) fits an address.
pub(crate) fn fits(pattern: Option<&str>, address: &str) -> bool {
    let Some(pattern) = pattern else { return true };
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let wanted = pattern.strip_prefix('@').unwrap_or(pattern);
    if pattern == "*" {
        true
    } else if wanted.contains('@') {
        wanted.eq_ignore_ascii_case(address)
    } else if wanted.starts_with('.') {
        domain
            .len()
            .checked_sub(wanted.len())
            .and_then(|at| domain.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(wanted))
    } else {
        wanted.eq_ignore_ascii_case(domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_an_address_a_domain_or_a_suffix() {
        let check = |pattern, address, expected| {
            assert_eq!(fits(pattern, address), expected, "{pattern:?} {address}");
        };
        check(None, "a@b.test", true);
        check(Some("*"), "a@b.test", true);
        check(Some("B.test"), "a@b.TEST", true);
        check(Some("@b.test"), "a@b.test", true);
        check(Some("b.test"), "a@ab.test", false);
        check(Some(".test"), "a@b.test", true);
        check(Some(".b.test"), "a@b.test", false);
        check(Some("a@b.test"), "A@b.test", true);
        check(Some("a@b.test"), "c@b.test", false);
        check(Some("b.test"), "", false);
    }
}
