//! Column names that people and programs write, in English and Vietnamese, and what they mean.
//!
//! Names are compared as slugs: lower case, diacritics dropped, everything else an underscore. Known exporters: Google
//! Contacts (both layouts), Outlook, Mailchimp, HubSpot, listmonk, and this program's own. Names that are not listed
//! become attributes under their slug. Data only; `columns` decides.

use unicode_normalization::UnicodeNormalization;

/// What a recognised column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The address; with several, the first that is not empty.
    Email,
    /// A name that also calls other things: the address only if addresses stand there.
    PerhapsEmail,
    /// Full name.
    Name,
    /// An attribute under this name that stays text, whatever it looks like.
    Text(&'static str),
    /// A part of the name, also an attribute.
    Part(Part),
    /// JSON of attributes.
    Attributes,
    /// A mark that the person had left where the file comes from.
    OptOut(OptOut),
}

/// A part of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    First,
    Middle,
    Last,
}

/// How a column says that a person must not be mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptOut {
    /// Yes, true or 1.
    WhenTrue,
    /// Anything at all (a time).
    WhenFilled,
    /// A word that is none of `enabled`, `subscribed`, `active`; only beside a `uuid` column (listmonk).
    ListmonkStatus,
    /// The word `unsubscribed` (this program's own export).
    OwnState,
}

/// Slugs and their meaning.
const KNOWN: &[(Meaning, &[&str])] = &[
    (
        Meaning::Email,
        &[
            "email",
            "e_mail",
            "email_address",
            "e_mail_address",
            "emailaddress",
            "mail_address",
            "primary_email",
            "email_1",
            "e_mail_1",
            "e_mail_1_value",
            "email_1_value",
            "work_email",
            "contact_email",
            "customer_email",
            "subscriber_email",
            "email_id",
            "your_email",
            "user_email",
            "dia_chi_email",
            "dia_chi_e_mail",
            "dia_chi_mail",
            "thu_dien_tu",
            "dia_chi_thu_dien_tu",
            "hom_thu",
            "hop_thu",
            "hop_thu_dien_tu",
            "email_khach_hang",
            "e_mail_2_value",
            "e_mail_2_address",
            "email_2",
            "e_mail_2",
            "secondary_email",
            "email_phu",
            "e_mail_3_value",
            "e_mail_3_address",
            "email_3",
        ],
    ),
    (
        Meaning::PerhapsEmail,
        &["address", "mail", "recipient", "contact", "thu", "dia_chi", "nguoi_nhan"],
    ),
    (
        Meaning::Name,
        &[
            "name",
            "full_name",
            "fullname",
            "display_name",
            "contact_name",
            "customer_name",
            "subscriber_name",
            "ho_va_ten",
            "ho_ten",
            "hovaten",
            "hoten",
            "ten_day_du",
            "ten_khach_hang",
            "ten_lien_he",
            "ten_nguoi_nhan",
        ],
    ),
    (
        Meaning::Part(Part::First),
        &[
            "first_name",
            "firstname",
            "given_name",
            "givenname",
            "forename",
            "fname",
            "ten",
            "ten_goi",
        ],
    ),
    (
        Meaning::Part(Part::Middle),
        &["middle_name", "middlename", "additional_name", "ten_dem", "ten_lot", "dem"],
    ),
    (
        Meaning::Part(Part::Last),
        &[
            "last_name",
            "lastname",
            "family_name",
            "familyname",
            "surname",
            "lname",
            "ho",
            "ho_dem",
            "ho_va_dem",
            "ho_va_ten_dem",
            "ho_lot",
        ],
    ),
    (
        Meaning::Text("phone"),
        &[
            "phone",
            "phone_number",
            "mobile",
            "mobile_phone",
            "mobile_number",
            "telephone",
            "tel",
            "cell_phone",
            "phone_1_value",
            "primary_phone",
            "so_dien_thoai",
            "dien_thoai",
            "dien_thoai_di_dong",
            "di_dong",
            "sdt",
            "so_dt",
        ],
    ),
    (
        Meaning::Text("company"),
        &[
            "company",
            "company_name",
            "organization",
            "organisation",
            "organization_name",
            "organization_1_name",
            "cong_ty",
            "ten_cong_ty",
            "to_chuc",
            "don_vi",
        ],
    ),
    (
        Meaning::Text("job_title"),
        &[
            "job_title",
            "organization_title",
            "organization_1_title",
            "position",
            "chuc_vu",
            "chuc_danh",
        ],
    ),
    (
        Meaning::Text("city"),
        &["city", "town", "home_city", "thanh_pho", "tinh_thanh", "tinh_thanh_pho"],
    ),
    (
        Meaning::Text("country"),
        &["country", "country_region", "home_country_region", "quoc_gia", "nuoc"],
    ),
    (
        Meaning::Text("postal_code"),
        &[
            "postal_code",
            "postcode",
            "zip",
            "zip_code",
            "zip_postal_code",
            "ma_buu_dien",
            "ma_buu_chinh",
        ],
    ),
    (
        Meaning::Text("birthday"),
        &["birthday", "birthdate", "birth_date", "date_of_birth", "dob", "ngay_sinh", "sinh_nhat"],
    ),
    (Meaning::Text("gender"), &["gender", "sex", "gioi_tinh"]),
    (Meaning::Text("language"), &["language", "lang", "locale", "ngon_ngu"]),
    (Meaning::Attributes, &["attributes", "attribs"]),
    (
        Meaning::OptOut(OptOut::WhenTrue),
        &[
            "unsubscribed_from_all_email",
            "opted_out_of_all_email",
            "opted_out_email",
            "email_opt_out",
            "email_optout",
            "hs_email_optout",
            "has_opted_out_of_email",
            "unsubscribed",
            "do_not_email",
            "suppressed",
        ],
    ),
    (
        Meaning::OptOut(OptOut::WhenFilled),
        &["unsub_time", "clean_time", "cleaned_time", "unsubscribed_at"],
    ),
    (Meaning::OptOut(OptOut::ListmonkStatus), &["status"]),
    (Meaning::OptOut(OptOut::OwnState), &["subscription"]),
];

/// The meaning of a slug.
pub(crate) fn meaning(slug: &str) -> Option<Meaning> {
    KNOWN.iter().find(|(_, slugs)| slugs.contains(&slug)).map(|(meaning, _)| *meaning)
}

/// True for Vietnamese words for a last name: then it stands first in the full name.
pub(crate) fn family_name_first(slug: &str) -> bool {
    slug.starts_with("ho") && slug.len() < 14
}

/// A column's name as an attribute's: lower case letters without marks, digits and `_`; never empty, never beginning
/// with a digit.
pub(crate) fn slug(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.nfd().flat_map(char::to_lowercase) {
        let c = if c == 'đ' { 'd' } else { c };
        if c.is_alphanumeric() {
            out.push(c);
        } else if !is_mark(c) && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    let out = out.trim_end_matches('_');
    match out.chars().next() {
        None => "column".to_owned(),
        Some(c) if c.is_numeric() => format!("_{out}"),
        Some(_) => out.to_owned(),
    }
}

/// Combining marks of Latin letters; those of other scripts carry meaning and are alphabetic.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_slugs_that_templates_and_filters_can_write() {
        let check = |name: &str, expected: &str| assert_eq!(slug(name), expected, "{name}");
        check("First Name", "first_name");
        check("  E-mail 1 - Value ", "e_mail_1_value");
        check("Địa chỉ thư điện tử", "dia_chi_thu_dien_tu");
        check("Ngày sinh (dd/mm)", "ngay_sinh_dd_mm");
        check("Straße", "straße");
        check("氏名", "氏名");
        check("2nd phone", "_2nd_phone");
        check("***", "column");
    }

    #[test]
    fn every_known_name_is_a_slug_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for name in KNOWN.iter().flat_map(|(_, names)| names.iter()) {
            assert_eq!(slug(name), *name);
            assert!(seen.insert(*name), "{name} stands twice");
        }
    }
}
