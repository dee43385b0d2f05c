//! Catalog files and account files: YAML or JSON read into checked values, and written back in one canonical form.
//!
//! A file is read whole into a small tree with positions, then into a definition; everything that is wrong with it is
//! reported at once, each problem with its line and column. What only the server can tell, such as whether an account's
//! feature is one of its catalog, is left to it: those references keep their [`Position`].
//! No files are opened here, and no clock is read. Start with [`parse_catalog`] and [`parse_account`].

mod account_file;
mod account_writer;
mod catalog_file;
mod catalog_writer;
mod condition;
mod cycles;
mod definition;
mod node;
mod problem;
mod read;
mod scalar;
mod statements;
mod time;
mod user_line_writer;
mod user_lines;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use account_file::{MAX_HOLDER_REFERENCES, MAX_REASON_BYTES, parse_account};
pub use account_writer::{AccountWriter, write_account};
pub use catalog_file::parse_catalog;
pub use catalog_writer::write_catalog;
pub use condition::check_condition;
pub use definition::{
    AccessDefinition, AccountDefinition, ExceptionDefinition, FacetName, Located, PolicyDefinition, PolicyName,
    ResourceDefinition, RoleDefinition, RoleGrant, RoleName, ServiceAccountDefinition, StatementDefinition,
    TeamDefinition, UserDefinition,
};
pub use node::{FileKind, Position, kind_of};
pub use problem::{MAX_PROBLEMS, Problem, Problems};
pub use read::{MAX_DESCRIPTION_BYTES, MAX_DISPLAY_NAME_BYTES};
pub use time::write as write_time;
pub use user_line_writer::write_user;
pub use user_lines::{MAX_LINE_BYTES, parse_user};
pub use vocabulary::{PermissionPatterns, Vocabulary};
