//! Statements: one `.sql` file each, the same text for both engines or one for each where they differ.
//!
//! `statements()` lists all of them, so that a test can prepare each on both engines: a misspelt column fails there.

use crate::backend::Engine;

/// A named statement.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// Its name, also in error messages.
    pub name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

impl Statement {
    pub(crate) const fn both(name: &'static str, text: &'static str) -> Self {
        Self { name, sqlite: text, postgres: text }
    }

    pub(crate) const fn each(
        name: &'static str,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> Self {
        Self { name, sqlite, postgres }
    }

    /// The text for an engine.
    #[must_use]
    pub fn of(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }
}

/// Where an engine needs no such statement.
pub(crate) const NOTHING: &str = "SELECT 1 WHERE false";

/// Declares statements and the list of them: `both NAME = "file";` reads sql/file.sql, `each NAME = "file";`
/// reads sql/file.sqlite.sql and sql/file.postgres.sql, `postgres NAME = "file";` the latter alone.
macro_rules! sql {
    ($($kind:ident $name:ident = $file:literal;)+) => {
        $(pub(crate) const $name: $crate::sql::Statement = $crate::sql::sql!(@$kind $file);)+
        pub(crate) const STATEMENTS: &[$crate::sql::Statement] = &[$($name),+];
    };
    (@both $file:literal) => {
        $crate::sql::Statement::both($file, include_str!(concat!("sql/", $file, ".sql")))
    };
    (@postgres $file:literal) => {
        $crate::sql::Statement::each(
            $file,
            $crate::sql::NOTHING,
            include_str!(concat!("sql/", $file, ".postgres.sql")),
        )
    };
    (@each $file:literal) => {
        $crate::sql::Statement::each(
            $file,
            include_str!(concat!("sql/", $file, ".sqlite.sql")),
            include_str!(concat!("sql/", $file, ".postgres.sql")),
        )
    };
}
pub(crate) use sql;

/// Every statement of the crate.
pub fn statements() -> impl Iterator<Item = &'static Statement> {
    [
        crate::backend::STATEMENTS,
        crate::brakes::STATEMENTS,
        crate::canaries::STATEMENTS,
        crate::contacts::STATEMENTS,
        crate::counters::STATEMENTS,
        crate::imports::STATEMENTS,
        crate::lanes::STATEMENTS,
        crate::leases::STATEMENTS,
        crate::ledger::STATEMENTS,
        crate::lists::STATEMENTS,
        crate::relays::STATEMENTS,
        crate::suppressions::STATEMENTS,
        crate::undo::STATEMENTS,
        crate::audience::STATEMENTS,
        crate::campaign_words::STATEMENTS,
        crate::campaigns::STATEMENTS,
        crate::closing::STATEMENTS,
        crate::explain::STATEMENTS,
        crate::exporter::STATEMENTS,
        crate::feedback::STATEMENTS,
        crate::feedback_views::STATEMENTS,
        crate::jobs::STATEMENTS,
        crate::opens::STATEMENTS,
        crate::pages::STATEMENTS,
        crate::plans::STATEMENTS,
        crate::providers::STATEMENTS,
        crate::reports::STATEMENTS,
        crate::seeds::STATEMENTS,
        crate::seed_counts::STATEMENTS,
        crate::seed_looks::STATEMENTS,
        crate::views::STATEMENTS,
        crate::writes::STATEMENTS,
    ]
    .into_iter()
    .flatten()
}
