//! What rows should come to. The documentation shows it beside what was measured.

use super::document::{
    Bound::{AtLeast, AtMost, RatioAtLeast, RatioAtMost},
    Wanted,
};

const fn wanted(part: &'static str, what: &'static str, limit: &'static str, bound: super::document::Bound) -> Wanted {
    Wanted { part, what, limit, bound }
}

/// One line for each row of which something is wanted: its part, how its name begins, its limit ("": whatever it is), and the
/// bound.
pub const WANTED: &[Wanted] = &[
    wanted("in-process", "A Check in process, 1,000 users, kept", "", AtMost(50.0)),
    wanted("in-process", "The same on two threads, both together", "", RatioAtLeast(1.9)),
    wanted("zipf", "A Check in process, ", "", RatioAtMost(1.5)),
    wanted("writes", "64 writers, durable", "", RatioAtLeast(0.8)),
    wanted("writes", "One writer, p50", "", RatioAtMost(1.0)),
    wanted("writes", "Checks on two threads while 1,000 writes a second are done", "", RatioAtLeast(0.8)),
    wanted("change", "", "felt by one", RatioAtMost(1.2)),
    wanted("change", "", "ten microseconds", RatioAtMost(1.0)),
    wanted("change", "", "a kept one, and 3 us", RatioAtMost(1.0)),
    wanted("start", "", "", RatioAtMost(1.0)),
    wanted("memory", "", "", RatioAtMost(1.0)),
    wanted("names", "Each of ten million names", "", AtMost(64.0)),
    wanted("import", "import of", "", RatioAtLeast(0.8)),
    wanted("import", "export of", "", RatioAtLeast(0.8)),
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
    wanted(
        "grpc",
        "Check over TCP, sharing two cores with the load: 64 in flight",
        super::grpc::NOTHING,
        RatioAtLeast(0.95),
    ),
    wanted(
        "grpc",
        "Check over TCP, sharing two cores with the load: processor time of the server for a call",
        super::grpc::NOTHING,
        RatioAtMost(1.1),
    ),
    wanted(
        "grpc",
        "Check over TCP, sharing two cores with the load: one in flight, p50",
        super::grpc::NOTHING,
        RatioAtMost(1.05),
    ),
    wanted(
        "grpc",
        "Check over TCP, sharing two cores with the load: one in flight, p99",
        super::grpc::NOTHING,
        RatioAtMost(1.25),
    ),
    wanted(
        "grpc",
        "Check over a Unix socket, sharing two cores with the load: 64 in flight",
        super::grpc::NOTHING,
        RatioAtLeast(0.95),
    ),
    wanted(
        "grpc",
        "Check over a Unix socket, sharing two cores with the load: processor time of the server for a call",
        super::grpc::NOTHING,
        RatioAtMost(1.1),
    ),
    wanted(
        "grpc",
        "Check over a Unix socket, sharing two cores with the load: one in flight, p50",
        super::grpc::NOTHING,
        RatioAtMost(1.05),
    ),
    wanted(
        "grpc",
        "Check over a Unix socket, sharing two cores with the load: one in flight, p99",
        super::grpc::NOTHING,
        RatioAtMost(1.25),
    ),
    wanted("grpc", "Check over TCP, a core each: 64 in flight", super::grpc::NOTHING, RatioAtLeast(0.95)),
    wanted(
        "grpc",
        "Check over TCP, a core each: processor time of the server for a call",
        super::grpc::NOTHING,
        RatioAtMost(1.1),
    ),
    wanted("grpc", "Check over TCP, a core each: one in flight, p50", super::grpc::NOTHING, RatioAtMost(1.05)),
    wanted("grpc", "Check over TCP, a core each: one in flight, p99", super::grpc::NOTHING, RatioAtMost(1.25)),
    wanted("grpc", "Check over a Unix socket, a core each: 64 in flight", super::grpc::NOTHING, RatioAtLeast(0.95)),
    wanted(
        "grpc",
        "Check over a Unix socket, a core each: processor time of the server for a call",
        super::grpc::NOTHING,
        RatioAtMost(1.1),
    ),
    wanted(
        "grpc",
        "Check over a Unix socket, a core each: one in flight, p50",
        super::grpc::NOTHING,
        RatioAtMost(1.05),
    ),
    wanted(
        "grpc",
        "Check over a Unix socket, a core each: one in flight, p99",
        super::grpc::NOTHING,
        RatioAtMost(1.25),
    ),
];
