//! A token from a program: run without a shell, bounded in time and output.
//!
//! The program prints the token, or the JSON of a token endpoint, on its standard output; what it prints there is
//! never repeated in an error. Its last line on standard error is.

use crate::Error;
use crate::token::short;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_OUTPUT: u64 = 65_536;

/// Runs the command and gives its standard output.
pub(crate) async fn run(command: &[String], limit: Option<Duration>) -> Result<Vec<u8>, Error> {
    let (program, arguments) = command.split_first().ok_or_else(|| Error::Command {
        program: String::new(),
        why: "it names no program; correct token_command".into(),
    })?;
    let failed = |why: String| Error::Command { program: program.clone(), why };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| failed(format!("it cannot be started: {e}")))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let limit = limit.unwrap_or(TIMEOUT);
    let all = async {
        let (out, err) = tokio::join!(read_bounded(stdout), read_bounded(stderr));
        (out, err, child.wait().await)
    };
    let (out, err, status) = tokio::time::timeout(limit, all)
        .await
        .map_err(|_| failed(format!("it did not end within {} s", limit.as_secs())))?;
    let status = status.map_err(|e| failed(format!("it was lost: {e}")))?;
    if !status.success() {
        let last = String::from_utf8_lossy(&err);
        let last = last.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing");
        return Err(failed(format!("{status}; it said: {}", short(last, &[]))));
    }
    if out.len() as u64 > MAX_OUTPUT {
        return Err(failed(format!("it printed more than {MAX_OUTPUT} octets")));
    }
    Ok(out)
}

/// One octet more than allowed shows that there was more; the rest is drained so that the program can end.
async fn read_bounded(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(mut stream) = stream else { return bytes };
    let read = (&mut stream).take(MAX_OUTPUT + 1).read_to_end(&mut bytes).await;
    if read.is_ok() && bytes.len() as u64 > MAX_OUTPUT {
        // A failure to drain shows as the program's own end.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    bytes
}
