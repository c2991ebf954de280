//! Exit codes (sysexits.h), and which error leads to which.
//!
//! Scripts act on the code, people read the message: both are stable. An error keeps its own type until it gets here;
//! nothing below `cli` knows of exit codes.

use crate::output::Output;
use std::io::ErrorKind;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// The command line makes no sense.
    Usage = 64,
    /// The data given are wrong: a file, a template, a state that does not allow it.
    Data = 65,
    /// A file or a named thing is not there.
    NoInput = 66,
    /// A service that is needed does not answer.
    Unavailable = 69,
    /// A fault of this program.
    Software = 70,
    /// Reading or writing failed: a full disk, a broken pipe.
    Io = 74,
    /// Nothing is wrong, try again later.
    TryLater = 75,
    /// Not allowed: rights of files, refused logins.
    NoPermission = 77,
    /// The configuration is wrong.
    Config = 78,
}

/// An error of the command line itself, with its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    exit: Exit,
    message: String,
}

impl Fault {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Exit::Data, message)
    }

    pub fn no_input(message: impl Into<String>) -> Self {
        Self::new(Exit::NoInput, message)
    }
}

/// Says what went wrong and gives the process its code.
pub fn report(ended: &anyhow::Result<Exit>, output: Output) -> ExitCode {
    let exit = match ended {
        Ok(exit) => *exit,
        Err(error) if is_broken_pipe(error) => Exit::Ok,
        Err(error) => {
            output.error(&message(error));
            classify(error)
        }
    };
    ExitCode::from(exit as u8)
}

/// `head` closed the pipe: it has what it wanted.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|source| source.kind() == ErrorKind::BrokenPipe)
}

/// The chain of causes on one line; a cause that the line above tells already is left out.
pub fn message(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// The code of the first cause that has one.
pub fn classify(error: &anyhow::Error) -> Exit {
    error.chain().find_map(of_cause).unwrap_or(Exit::Software)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(fault) = cause.downcast_ref::<Fault>() {
        return Some(fault.exit);
    }
    if let Some(error) = cause.downcast_ref::<postroad_store::Error>() {
        return Some(of_store(error));
    }
    if let Some(error) = cause.downcast_ref::<postroad_campaign::Error>() {
        return of_campaign(error);
    }
    if let Some(error) = cause.downcast_ref::<postroad_feedback::Error>() {
        return Some(match error {
            postroad_feedback::Error::Store(error) => of_store(error),
            postroad_feedback::Error::OnTheWire { .. } => Exit::TryLater,
        });
    }
    if let Some(error) = cause.downcast_ref::<postroad_import::Error>() {
        return of_import(error);
    }
    if cause.is::<postroad_config::Error>() {
        return Some(Exit::Config);
    }
    if let Some(error) = cause.downcast_ref::<postroad_dkim::Error>() {
        return Some(of_dkim(error));
    }
    if let Some(error) = cause.downcast_ref::<postroad_smtpd::Error>() {
        return Some(of_smtpd(error));
    }
    if cause.is::<postroad_campaign::spec::SpecError>()
        || cause.is::<postroad_campaign::identity::IdentityError>()
        || cause.is::<postroad_model::AddressError>()
        || cause.is::<postroad_model::when::WhenError>()
    {
        return Some(Exit::Data);
    }
    cause.downcast_ref::<std::io::Error>().map(|error| of_io(error.kind()))
}

fn of_io(kind: ErrorKind) -> Exit {
    if kind == ErrorKind::NotFound {
        Exit::NoInput
    } else if kind == ErrorKind::PermissionDenied {
        Exit::NoPermission
    } else if kind == ErrorKind::AddrInUse {
        Exit::Unavailable
    } else if kind == ErrorKind::InvalidData {
        Exit::Data
    } else {
        Exit::Io
    }
}

fn of_store(error: &postroad_store::Error) -> Exit {
    use postroad_store::Error as E;
    match error {
        E::Open { .. } if error.is_transient() => Exit::Unavailable,
        E::Open { .. } => Exit::Io,
        E::Url(_) | E::NotDurable(_) | E::OtherKey { .. } => Exit::Config,
        E::EngineLocked { .. } | E::JobLost { .. } | E::LaneLost { .. } => Exit::TryLater,
        E::Migrate { .. } | E::Inconsistent { .. } | E::Limit { .. } => Exit::Data,
        E::LockFile { source, .. } => of_io(source.kind()),
        // SQLite's words for a full disk; the next attempt needs somebody who makes room.
        E::Statement { source, .. } if source.to_string().contains("disk is full") => Exit::Io,
        E::Statement { .. } if error.is_transient() => Exit::TryLater,
        E::Statement { .. } | E::Json { .. } => Exit::Software,
        E::NotFound { .. } => Exit::NoInput,
        E::Exists { .. } | E::Transition { .. } => Exit::Data,
    }
}

fn of_campaign(error: &postroad_campaign::Error) -> Option<Exit> {
    use postroad_campaign::Error as E;
    match error {
        // The chain goes on to the store's own error where that is the source; here it is the error itself.
        E::Store(error) => Some(of_store(error)),
        E::Spec(_)
        | E::Filter(_)
        | E::Template(_)
        | E::Plan(_)
        | E::When(_)
        | E::Identity(_)
        | E::Refused(_)
        | E::Exists(_)
        | E::CanaryHolds { .. }
        | E::Attributes(_) => Some(Exit::Data),
        E::UnknownPool { .. } | E::UnknownRelay { .. } | E::UnknownTemplate { .. } => {
            Some(Exit::NoInput)
        }
        E::File { source, .. } => Some(of_io(source.kind())),
        E::NotRetried(_) => Some(Exit::Usage),
        E::Thread(_) => Some(Exit::Software),
    }
}

fn of_import(error: &postroad_import::Error) -> Option<Exit> {
    use postroad_import::Error as E;
    match error {
        E::Store(error) => Some(of_store(error)),
        E::Open { source, .. } | E::Rejects { source, .. } => Some(of_io(source.kind())),
        E::Read { source, .. } if source.kind() == ErrorKind::InvalidData => Some(Exit::Data),
        E::Read { .. } => Some(Exit::Io),
        E::Write(source) if source.kind() == ErrorKind::BrokenPipe => Some(Exit::Ok),
        E::Write(_) => Some(Exit::Io),
        E::Binary { .. } | E::Empty { .. } | E::NoAddressColumn { .. } => Some(Exit::Data),
        E::Mapping { .. } | E::Charset(_) | E::Delimiter(_) => Some(Exit::Usage),
        E::Reader(_) => Some(Exit::Software),
    }
}

fn of_dkim(error: &postroad_dkim::Error) -> Exit {
    use postroad_dkim::Error as E;
    match error {
        E::Read { source, .. } => of_io(source.kind()),
        E::Write { source, .. } if source.kind() == ErrorKind::AlreadyExists => Exit::Data,
        E::Write { source, .. } => of_io(source.kind()),
        E::WritableByOthers { .. } => Exit::NoPermission,
        E::Key { .. } | E::DuplicateSelector { .. } => Exit::Config,
        E::Selector(_) => Exit::Usage,
        E::Generate(_) | E::Message { .. } | E::Sign { .. } => Exit::Software,
    }
}

fn of_smtpd(error: &postroad_smtpd::Error) -> Exit {
    use postroad_smtpd::Error as E;
    match error {
        E::Bind { source, .. } | E::File { source, .. } => of_io(source.kind()),
        E::Pem { .. } | E::Tls(_) => Exit::Data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_its_code() {
        let check = |error: anyhow::Error, exit: Exit| assert_eq!(classify(&error), exit);
        check(Fault::usage("no").into(), Exit::Usage);
        check(anyhow::Error::from(Fault::data("no")).context("while reading"), Exit::Data);
        check(anyhow::anyhow!("never seen"), Exit::Software);
        check(std::io::Error::from(ErrorKind::NotFound).into(), Exit::NoInput);
        check(std::io::Error::from(ErrorKind::StorageFull).into(), Exit::Io);
        check(postroad_store::Error::Url("x".into()).into(), Exit::Config);
        let locked = postroad_store::Error::EngineLocked { path: "x".into() };
        check(locked.into(), Exit::TryLater);
    }

    #[test]
    fn a_message_tells_each_cause_once() {
        let inner = std::io::Error::other("disk on fire");
        let error = anyhow::Error::from(inner).context("cannot read x: disk on fire");
        assert_eq!(message(&error), "cannot read x: disk on fire");
        let inner = std::io::Error::other("disk on fire");
        let error = anyhow::Error::from(inner).context("cannot read x");
        assert_eq!(message(&error), "cannot read x: disk on fire");
    }
}
