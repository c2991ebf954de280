//! contact, list, suppression: what was typed.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum ContactCommand {
    /// Import a CSV file into a list; who left or is suppressed stays so.
    Import(ImportArgs),
    /// Take an import back.
    UndoImport(UndoImportArgs),
    /// Write contacts as CSV (or JSON lines) to stdout.
    Export(ContactExportArgs),
    /// Show what is known of an address.
    Show(AddressArgs),
    /// Erase a person's data; only a keyed hash stays, so that nobody mails them again.
    Erase(EraseArgs),
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file: CSV, also with gzip; `-` is stdin.
    pub file: String,
    /// The list they join; it is made when it is not there.
    #[arg(long, value_name = "NAME")]
    pub list: String,
    /// Which column is what, e.g. "Mail=email,Full name=name,*=attr"; the rest is recognised.
    #[arg(long, value_name = "COLUMN=FIELD,...")]
    pub map: Option<String>,
    /// The character set, e.g. windows-1258; found out when absent.
    #[arg(long, value_name = "NAME")]
    pub charset: Option<String>,
    /// What separates the columns: a character, or `tab`; found out when absent.
    #[arg(long, value_name = "CHARACTER")]
    pub delimiter: Option<String>,
    /// Where refused rows go; FILE.rejects.csv when absent.
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Do everything but write.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct UndoImportArgs {
    /// The number that the import printed.
    pub id: i64,
}

#[derive(Debug, Args)]
pub struct ContactExportArgs {
    /// Only the members of this list.
    #[arg(long, value_name = "NAME")]
    pub list: Option<String>,
}

#[derive(Debug, Args)]
pub struct AddressArgs {
    /// The address.
    pub address: String,
}

#[derive(Debug, Args)]
pub struct EraseArgs {
    /// The address.
    pub address: String,
    /// Do not ask; without it the command says what it would erase.
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// Make an empty list.
    Create(ListCreateArgs),
    /// Show all lists.
    List,
    /// Show one list.
    Show(ListNameArgs),
    /// Give a list another name.
    Rename(ListRenameArgs),
    /// Delete a list that nothing needs: nobody was ever on it, and no campaign or suppression names it.
    Delete(ListNameArgs),
}

#[derive(Debug, Args)]
pub struct ListCreateArgs {
    /// Its name in commands.
    pub name: String,
    /// What recipients see of it.
    #[arg(long)]
    pub title: Option<String>,
}

#[derive(Debug, Args)]
pub struct ListNameArgs {
    /// The list.
    pub name: String,
}

#[derive(Debug, Args)]
pub struct ListRenameArgs {
    /// The list.
    pub name: String,
    /// Its new name.
    pub new_name: String,
}

#[derive(Debug, Subcommand)]
pub enum SuppressionCommand {
    /// Never mail these addresses; what waits for them is stopped.
    Add(SuppressionAddArgs),
    /// Lift a suppression that was put there by mistake.
    Remove(SuppressionRemoveArgs),
    /// Show all suppressions.
    List(SuppressionListArgs),
    /// Suppress every address of a file.
    Import(SuppressionImportArgs),
    /// Write all suppressions as CSV, but for those of erased people.
    Export,
}

#[derive(Debug, Args)]
pub struct SuppressionAddArgs {
    /// The addresses.
    #[arg(required = true)]
    pub addresses: Vec<String>,
    /// Only on this list; everywhere when absent.
    #[arg(long, value_name = "NAME")]
    pub list: Option<String>,
    /// Why.
    #[arg(long, value_enum, default_value_t = Why::Manual)]
    pub reason: Why,
}

/// Why an address is suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Why {
    /// You decided so.
    Manual,
    /// The mailbox does not exist.
    HardBounce,
    /// The person called it spam.
    Complaint,
    /// The person asked for it.
    Unsubscribe,
}

#[derive(Debug, Args)]
pub struct SuppressionRemoveArgs {
    /// The address.
    pub address: String,
    /// The list that it holds on; everywhere when absent.
    #[arg(long, value_name = "NAME")]
    pub list: Option<String>,
}

#[derive(Debug, Args)]
pub struct SuppressionListArgs {
    /// Only those against this address.
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
}

#[derive(Debug, Args)]
pub struct SuppressionImportArgs {
    /// A file with one address per line, or a CSV with an address column; `-` is stdin.
    pub file: String,
    /// Only on this list; everywhere when absent.
    #[arg(long, value_name = "NAME")]
    pub list: Option<String>,
    /// Why.
    #[arg(long, value_enum, default_value_t = Why::Manual)]
    pub reason: Why,
}
