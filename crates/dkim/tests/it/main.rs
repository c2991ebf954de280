//! Signatures as strangers see them: checked by a small verifier of our own and by dkimpy, neither of which is
//! the library that signs.

#[cfg(test)]
mod dkimpy;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod verifier;
#[cfg(test)]
mod verify;
