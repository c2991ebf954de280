//! Tests that run on both engines of the store.

/// Runs each test's body on SQLite and, where it is installed, on PostgreSQL. The test crate has a `world::World` with
/// `async fn sqlite() -> World` and `async fn postgres() -> Option<World>`.
#[macro_export]
#[expect(clippy::crate_in_macro_def, reason = "the world is the test crate's own")]
macro_rules! on_both_engines {
    ($(async fn $name:ident($world:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn body(mut $world: crate::world::World) $body

            #[tokio::test]
            async fn sqlite() {
                body(crate::world::World::sqlite().await).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(world) = crate::world::World::postgres().await {
                    body(world).await;
                }
            }
        }
    )+};
}
