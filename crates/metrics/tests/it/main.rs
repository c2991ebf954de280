//! The published text as Prometheus and its tools read it.

mod exposition;
mod guide;
