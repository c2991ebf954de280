//! The campaign templates that come with the program, in English and Vietnamese, for `campaign new --template`.
//!
//! Each is a body and a small TOML file with subject and preheader (templates/email). They ask for nothing that a
//! plain import does not bring: every contact's attribute has a default.

use crate::facts::Locale;
use postroad_model::campaign::BodyFormat;

/// One shipped template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// `newsletter`, `promotion`, `announcement` or `welcome`.
    pub name: &'static str,
    /// Its language.
    pub locale: Locale,
    /// What it is for, one line.
    pub about: &'static str,
    /// Format of the body.
    pub format: BodyFormat,
    /// `body.mjml` or `body.txt`.
    pub file_name: &'static str,
    /// The body.
    pub body: &'static str,
    /// TOML with `subject` and `preheader`.
    pub settings: &'static str,
}

macro_rules! shipped {
    ($name:literal, $locale:ident, $dir:literal, $format:ident, $file:literal, $about:literal) => {
        Shipped {
            name: $name,
            locale: Locale::$locale,
            about: $about,
            format: BodyFormat::$format,
            file_name: $file,
            body: include_str!(concat!("../../../templates/email/", $dir, "/", $name, "/", $file)),
            settings: include_str!(concat!(
                "../../../templates/email/",
                $dir,
                "/",
                $name,
                "/template.toml"
            )),
        }
    };
}

/// All of them.
pub const TEMPLATES: [Shipped; 8] = [
    shipped!("newsletter", En, "en", Mjml, "body.mjml", "several articles under a header"),
    shipped!("promotion", En, "en", Mjml, "body.mjml", "one offer, one button, products below"),
    shipped!(
        "announcement",
        En,
        "en",
        Text,
        "body.txt",
        "plain text, as one person writes to another"
    ),
    shipped!("welcome", En, "en", Mjml, "body.mjml", "the first mail to a new subscriber"),
    shipped!("newsletter", Vi, "vi", Mjml, "body.mjml", "nhiều bài viết dưới một tiêu đề"),
    shipped!(
        "promotion",
        Vi,
        "vi",
        Mjml,
        "body.mjml",
        "một ưu đãi, một nút bấm, sản phẩm bên dưới"
    ),
    shipped!("announcement", Vi, "vi", Text, "body.txt", "văn bản thuần, như người viết cho người"),
    shipped!("welcome", Vi, "vi", Mjml, "body.mjml", "thư đầu tiên gửi người mới đăng ký"),
];

/// A template by name and language.
#[must_use]
pub fn find(name: &str, locale: Locale) -> Option<&'static Shipped> {
    TEMPLATES.iter().find(|t| t.name == name && t.locale == locale)
}
