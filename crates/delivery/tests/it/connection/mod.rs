//! Opening connections to relays; what happens on an open one is tested beside the code, where permits can be made.

mod dial;
mod login;
mod server;
