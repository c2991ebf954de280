//! Where bytes come from: a file or a stream, perhaps gzip, and not everything that is called .csv is text.
//!
//! Gzip is found by its magic number, not by the name (RFC 1952 section 2.3.1), members one after the other included.
//! It keeps no more than its buffers in memory.

use crate::{Error, Result};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Octets that are looked at before anything is decided.
const HEAD: usize = 64 * 1024;

/// What is to be read.
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Anything else, e.g. standard input, with the name that reports use.
    Stream {
        /// How reports call it.
        name: String,
        /// The octets.
        reader: Box<dyn Read + Send>,
    },
}

impl Input {
    /// How reports call it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stream { name, .. } => name.clone(),
        }
    }
}

/// Opened octets, unpacked.
pub(crate) struct Source {
    pub name: String,
    /// Size of the file as it lies there; unknown for a stream.
    pub total: Option<u64>,
    /// Octets read so far, as they lie there.
    pub read: Arc<AtomicU64>,
    /// Tells the same file from another one of the same name; unknown for a stream.
    pub fingerprint: Option<String>,
    pub octets: Box<dyn Read + Send>,
}

struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Source {
    pub(crate) fn open(input: Input) -> Result<Self> {
        let name = input.name();
        let (raw, total): (Box<dyn Read + Send>, Option<u64>) = match input {
            Input::File(path) => {
                let open = |source| Error::Open { path: path.clone(), source };
                let file = File::open(&path).map_err(open)?;
                let facts = file.metadata().map_err(open)?;
                if facts.is_dir() {
                    return Err(open(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
                }
                (Box::new(file), facts.is_file().then_some(facts.len()))
            }
            Input::Stream { reader, .. } => (reader, None),
        };
        let read = Arc::new(AtomicU64::new(0));
        let mut raw = Counted { inner: raw, read: Arc::clone(&read) };
        let head = read_head(&name, &mut raw)?;
        let fingerprint = total.map(|total| {
            let mut crc = flate2::Crc::new();
            crc.update(&head);
            format!("{total}-{:08x}", crc.sum())
        });
        let packed = head.starts_with(&[0x1F, 0x8B, 8]);
        let whole = std::io::Cursor::new(head).chain(raw);
        let octets: Box<dyn Read + Send> = if packed {
            let mut unpacked =
                flate2::read::MultiGzDecoder::new(BufReader::with_capacity(HEAD, whole));
            let head = read_head(&name, &mut unpacked)?;
            refuse_binary(&name, &head)?;
            Box::new(std::io::Cursor::new(head).chain(unpacked))
        } else {
            let (head, raw) = whole.into_inner();
            refuse_binary(&name, head.get_ref())?;
            Box::new(head.chain(raw))
        };
        Ok(Self { name, total, read, fingerprint, octets })
    }
}

fn read_head(name: &str, from: &mut impl Read) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    from.take(HEAD as u64).read_to_end(&mut head).map_err(|source| Error::Read {
        name: name.to_owned(),
        bytes: 0,
        source,
    })?;
    Ok(head)
}

/// First octets of what people import by mistake.
const KINDS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "an Excel workbook or ZIP archive"),
    (b"\xD0\xCF\x11\xE0", "an old Excel workbook"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xFF\xD8\xFF", "a picture"),
    (b"GIF8", "a picture"),
    (b"BZh", "a bzip2 archive"),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
    (b"\xFD7zXZ\x00", "an xz archive"),
    (b"\x28\xB5\x2F\xFD", "a zstd archive"),
    (b"SQLite format 3\x00", "a database"),
    (b"\x7FELF", "a program"),
];

fn refuse_binary(name: &str, head: &[u8]) -> Result<()> {
    let binary = |what| Err(Error::Binary { name: name.to_owned(), what });
    if let Some((_, what)) = KINDS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return binary(what);
    }
    if crate::charset::utf16(head).is_some() {
        return Ok(());
    }
    let odd = |b: &&u8| **b < 0x20 && !matches!(**b, b'\t' | b'\n' | b'\r' | 0x0C | 0x1A | 0x1B);
    let odd = head.iter().filter(odd).count();
    let nuls = head.iter().filter(|b| **b == 0).count();
    if nuls * 100 > head.len() || odd * 20 > head.len() {
        return binary("a binary file");
    }
    Ok(())
}
