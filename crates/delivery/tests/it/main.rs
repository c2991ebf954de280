//! Integration tests of delivery.

mod connection;
