//! One loopback address of its own for each test process, so that fixed ports never collide.
//!
//! All of 127.0.0.0/8 is local on Linux. A process takes the first free 127.77.y.z by locking a file named after it;
//! the kernel gives the lock back when the process ends, however it ends. Ports are counted up inside the process,
//! below the range that the kernel hands out, so a daemon that is killed and started again finds its port free.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST_PORT: u16 = 10_000;
const LAST_PORT: u16 = 32_000;

struct Claim {
    ip: Ipv4Addr,
    /// Held until the process ends.
    _lock: File,
}

/// This process's own address.
///
/// # Panics
/// When the lock folder cannot be written or all addresses are taken.
#[must_use]
pub fn ip() -> IpAddr {
    static CLAIM: OnceLock<Claim> = OnceLock::new();
    IpAddr::V4(CLAIM.get_or_init(claim).ip)
}

/// An address and port that no other test uses: listen there.
///
/// # Panics
/// As [`ip`], and when one process asks for more than 22,000.
#[must_use]
pub fn address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(FIRST_PORT);
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(port < LAST_PORT, "one test process used {} ports", LAST_PORT - FIRST_PORT);
    SocketAddr::new(ip(), port)
}

fn claim() -> Claim {
    let folder = std::env::temp_dir().join(format!("postroad-loopback-{}", uid()));
    std::fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("cannot make {folder:?}: {e}"));
    for n in 0..=u16::MAX {
        let [y, z] = n.to_be_bytes();
        if z == 0 || z == 255 {
            continue;
        }
        let ip = Ipv4Addr::new(127, 77, y, z);
        let path = folder.join(ip.to_string());
        let lock = File::create(&path).unwrap_or_else(|e| panic!("cannot open {path:?}: {e}"));
        if lock.try_lock().is_ok() {
            return Claim { ip, _lock: lock };
        }
    }
    panic!("every address of 127.77.0.0/16 is locked in {folder:?}");
}

fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn each_address_can_be_listened_on_and_differs_from_the_last() {
        let (a, b) = (address(), address());
        assert_ne!(a, b);
        let listeners = [TcpListener::bind(a).unwrap(), TcpListener::bind(b).unwrap()];
        assert!(listeners.iter().all(|l| l.local_addr().unwrap().ip().is_loopback()));
    }

    #[test]
    fn another_holder_of_the_lock_gets_another_address() {
        let mine = ip();
        let other = claim();
        assert_ne!(mine, IpAddr::V4(other.ip));
    }
}
