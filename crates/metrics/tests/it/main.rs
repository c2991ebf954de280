//! The published text as Prometheus and its tools read it, and the files of deploy/ that speak of it.

#![expect(clippy::unwrap_used, reason = "all of this is tests")]

mod dashboards;
mod deploy;
mod exposition;
mod guide;
mod live;
mod placements;
mod rules;
