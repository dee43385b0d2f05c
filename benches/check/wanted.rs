//! What rows should come to. The documentation shows it beside what was measured.

use super::document::{
    Bound::{AtLeast, RatioAtMost},
    Wanted,
};

const fn wanted(part: &'static str, what: &'static str, limit: &'static str, bound: super::document::Bound) -> Wanted {
    Wanted { part, what, limit, bound }
}

/// One line for each row of which something is wanted: its part, its name, its limit ("": whatever it is), and the bound.
pub const WANTED: &[Wanted] = &[
    wanted("batch", "BatchCheck of 1,000 checks about as many users", "", AtLeast(5e6)),
    wanted("batch", "BatchCheck of 1,000 checks about one user", "", AtLeast(15e6)),
    wanted("batch", "ListPermissions of 150 permissions", "", AtLeast(50e3)),
    wanted(
        "grpc-batch",
        "BatchCheck of 1,000 checks about as many users, for each second of the server's processor time",
        "",
        AtLeast(5e6),
    ),
    wanted(
        "grpc-batch",
        "BatchCheck of 1,000 checks about one user, for each second of the server's processor time",
        "",
        AtLeast(15e6),
    ),
    wanted(
        "grpc-batch",
        "ListPermissions of 150 permissions, for each second of the server's processor time",
        "",
        AtLeast(50e3),
    ),
    wanted(
        "grpc",
        "Check over TCP, sharing two cores with the load: processor time of the server for a call",
        super::grpc::PLAIN,
        RatioAtMost(0.8),
    ),
    wanted(
        "grpc",
        "Check over a Unix socket, sharing two cores with the load: processor time of the server for a call",
        super::grpc::PLAIN,
        RatioAtMost(0.8),
    ),
    wanted(
        "grpc",
        "Check over TCP, a core each: processor time of the server for a call",
        super::grpc::PLAIN,
        RatioAtMost(0.45),
    ),
    wanted(
        "grpc",
        "Check over a Unix socket, a core each: processor time of the server for a call",
        super::grpc::PLAIN,
        RatioAtMost(0.45),
    ),
];
