//! Campaigns from files to finished, on both engines: each test runs on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod acts;
mod canaries;
mod checks;
mod freezes;
mod providers;
mod world;

/// Runs a test's body on both engines.
#[macro_export]
macro_rules! on_both_engines {
    ($(async fn $name:ident($world:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn body($world: $crate::world::World) $body

            #[tokio::test]
            async fn sqlite() {
                body($crate::world::World::sqlite().await).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(world) = $crate::world::World::postgres().await {
                    body(world).await;
                }
            }
        }
    )+};
}
