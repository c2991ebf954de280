//! UTF-8 out of whatever the file is in.
//!
//! In this order: the operator's word, a byte order mark, NULs where UTF-16 has them, octets that are valid UTF-8, and
//! only then a guess (chardetng) from the first 128 KiB that follow the first octet beyond ASCII. So a stream needs no
//! second reading and memory stays bounded. Letters are composed later, record by record (windows-1258 keeps tone
//! marks apart). It never fails: what cannot be read becomes U+FFFD, and rows are judged by that.

use crate::{Error, Result};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::io::Read;

/// Octets read at a time.
const CHUNK: usize = 64 * 1024;
/// Octets that a guess is made from.
const SAMPLE: usize = 128 * 1024;

/// A charset by one of its registered labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    /// Finds a charset by its label, e.g. `windows-1258`.
    ///
    /// # Errors
    /// `Charset`.
    pub fn from_label(label: &str) -> Result<Self> {
        let plain = label.trim().to_ascii_lowercase();
        let known = match plain.as_str() {
            "utf16" | "utf-16" => Some(UTF_16LE),
            "utf8" => Some(UTF_8),
            other => Encoding::for_label(other.as_bytes())
                .or_else(|| Encoding::for_label(other.replace("cp", "windows-").as_bytes())),
        };
        known.map(Self).ok_or_else(|| Error::Charset(label.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

/// A reader that gives text.
pub(crate) struct TextReader {
    octets: Box<dyn Read + Send>,
    state: State,
    buffer: Vec<u8>,
    /// Octets in the buffer that are not decoded yet.
    held: usize,
    ended: bool,
    /// Nothing was read yet: only then can it turn out to be UTF-16.
    first: bool,
    /// How many octet sequences could not be read.
    pub malformed: u64,
}

enum State {
    /// Nothing but ASCII so far: the charset does not matter yet.
    Ascii,
    Known {
        charset: &'static Encoding,
        decoder: Decoder,
    },
}

impl TextReader {
    pub(crate) fn new(octets: Box<dyn Read + Send>, charset: Option<Charset>) -> Self {
        let state = charset.map_or(State::Ascii, |Charset(charset)| State::Known {
            charset,
            decoder: charset.new_decoder_with_bom_removal(),
        });
        Self { octets, state, buffer: Vec::new(), held: 0, ended: false, first: true, malformed: 0 }
    }

    /// What the text is in; ASCII alone is UTF-8 too.
    pub(crate) fn charset(&self) -> Charset {
        match &self.state {
            State::Ascii => Charset(UTF_8),
            State::Known { charset, .. } => Charset(charset),
        }
    }

    /// Appends some text; false at the end.
    pub(crate) fn fill(&mut self, text: &mut String) -> std::io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.read_to(CHUNK)?;
        if matches!(self.state, State::Ascii) {
            let beyond = self.buffer[..self.held].iter().position(|b| !b.is_ascii());
            let looks_like_utf16 = self.first && utf16(&self.buffer[..self.held]).is_some();
            if beyond.is_some() || looks_like_utf16 {
                self.read_to(SAMPLE)?;
                let charset = detect(&self.buffer[..self.held]);
                let decoder = charset.new_decoder_with_bom_removal();
                self.state = State::Known { charset, decoder };
            }
        }
        self.first = false;
        self.decode(text);
        Ok(true)
    }

    /// Reads until that many octets are held or the end is there.
    fn read_to(&mut self, goal: usize) -> std::io::Result<()> {
        if self.buffer.len() < goal {
            self.buffer.resize(goal, 0);
        }
        while self.held < goal {
            match self.octets.read(&mut self.buffer[self.held..goal]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(n) => self.held += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn decode(&mut self, text: &mut String) {
        let octets = &self.buffer[..self.held];
        match &mut self.state {
            State::Ascii => {
                text.push_str(std::str::from_utf8(octets).expect("all of it is ASCII"));
            }
            State::Known { decoder, .. } => {
                let mut rest = octets;
                loop {
                    let room = decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len() * 3);
                    text.reserve(room);
                    let (result, read, had_errors) =
                        decoder.decode_to_string(rest, text, self.ended);
                    self.malformed += u64::from(had_errors);
                    rest = &rest[read..];
                    if result == CoderResult::InputEmpty {
                        break;
                    }
                }
            }
        }
        self.held = 0;
    }
}

/// UTF-16 by its byte order mark, or by NULs at every other place as Latin letters leave them.
pub(crate) fn utf16(head: &[u8]) -> Option<&'static Encoding> {
    match head {
        [0xFF, 0xFE, ..] => return Some(UTF_16LE),
        [0xFE, 0xFF, ..] => return Some(UTF_16BE),
        _ => {}
    }
    let head = &head[..head.len().min(4096)];
    let pairs = head.len() / 2;
    let nuls = |offset: usize| head.chunks_exact(2).filter(|p| p[offset] == 0).count();
    let (first, second) = (nuls(0), nuls(1));
    if pairs < 4 || (first + second) * 10 < pairs * 4 {
        None
    } else if second > 0 && first * 20 < second {
        Some(UTF_16LE)
    } else if first > 0 && second * 20 < first {
        Some(UTF_16BE)
    } else {
        None
    }
}

fn detect(sample: &[u8]) -> &'static Encoding {
    if sample.starts_with(&[0xEF, 0xBB, 0xBF]) {
        return UTF_8;
    }
    if let Some(charset) = utf16(sample) {
        return charset;
    }
    // A file in UTF-8 with a few broken letters is still UTF-8; another charset hardly ever looks like it by chance.
    let (mut letters, mut broken) = (0_usize, 0_usize);
    for chunk in sample.utf8_chunks() {
        letters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    // The sample's end may cut one letter.
    if broken <= 1 && letters > 0 || letters > broken * 10 {
        return UTF_8;
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    detector.guess(None, chardetng::Utf8Detection::Deny)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &[u8], label: Option<&str>, expected: (&str, &str)) {
        let charset = label.map(|l| Charset::from_label(l).unwrap());
        let mut reader = TextReader::new(Box::new(std::io::Cursor::new(octets.to_vec())), charset);
        let mut text = String::new();
        while reader.fill(&mut text).unwrap() {}
        assert_eq!((reader.charset().name(), text.as_str()), expected);
    }

    #[test]
    fn byte_order_marks_are_heeded_and_dropped() {
        check(b"\xEF\xBB\xBFemail\n", None, ("UTF-8", "email\n"));
        check(b"\xFF\xFEe\0\x1E\x01\n\0", None, ("UTF-16LE", "eĞ\n"));
        check(b"\xFE\xFF\0e\x01\x1E\0\n", None, ("UTF-16BE", "eĞ\n"));
    }

    #[test]
    fn utf_16_without_a_mark_is_found_by_its_nuls() {
        let le: Vec<u8> =
            "email;name\nan@b.vn;An Lê\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        check(&le, None, ("UTF-16LE", "email;name\nan@b.vn;An Lê\n"));
        let be: Vec<u8> =
            "email;name\nan@b.vn;An Lê\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        check(&be, None, ("UTF-16BE", "email;name\nan@b.vn;An Lê\n"));
    }

    #[test]
    fn what_is_valid_utf_8_is_utf_8_wherever_the_first_letter_stands() {
        check("an@b.vn,Lê\n".as_bytes(), None, ("UTF-8", "an@b.vn,Lê\n"));
        let late = format!("{}Lê\n", "a@b.vn\n".repeat(30_000));
        check(late.as_bytes(), None, ("UTF-8", &late));
        check(b"plain\n", None, ("UTF-8", "plain\n"));
    }

    #[test]
    fn one_broken_letter_does_not_make_a_file_another_charset() {
        let mut octets = "Nguyễn Văn Ánh, Lê Thị Hồng, Phạm Đức\n".repeat(5).into_bytes();
        octets.extend_from_slice(b"J\xF6rg\n");
        let expected =
            format!("{}J\u{FFFD}rg\n", "Nguyễn Văn Ánh, Lê Thị Hồng, Phạm Đức\n".repeat(5));
        check(&octets, None, ("UTF-8", &expected));
    }

    #[test]
    fn the_operators_word_beats_every_guess() {
        check(b"\xE9\xEC\n", Some("windows-1258"), ("windows-1258", "é\u{301}\n"));
        check(b"J\xF6rg\n", Some("latin1"), ("windows-1252", "Jörg\n"));
        check(b"J\xF6rg\n", Some("cp1252"), ("windows-1252", "Jörg\n"));
        assert!(matches!(Charset::from_label("klingon"), Err(Error::Charset(_))));
    }

    #[test]
    fn windows_1252_is_guessed_from_western_names() {
        let text = "email,name\na@b.fr,Hélène Lefèvre\nc@d.de,Jürgen Müller\ne@f.es,José Núñez\n";
        let (octets, _, _) = encoding_rs::WINDOWS_1252.encode(text);
        check(&octets, None, ("windows-1252", text));
    }
}
