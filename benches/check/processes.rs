//! Other processes: what they use, and where they run.

use std::{cell::RefCell, fs};

thread_local! {
    static CHILDREN: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// The processes that this one has started and that still run.
pub fn children() -> Vec<u32> {
    CHILDREN.with_borrow(Clone::clone)
}

/// Notes that a process is one of ours.
pub fn is_ours(process: u32) {
    CHILDREN.with_borrow_mut(|children| children.push(process));
}

/// Notes that it has ended.
pub fn has_ended(process: u32) {
    CHILDREN.with_borrow_mut(|children| children.retain(|child| *child != process));
}

/// The processor time that a process has used, in ticks of a hundredth of a second.
pub fn ticks_of(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in brackets can have spaces in it.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// The processor time of the processes that a process has started and that have ended, in ticks of a hundredth of a second.
pub fn ticks_of_ended(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    Some(fields.get(13)?.parse::<u64>().ok()? + fields.get(14)?.parse::<u64>().ok()?)
}

/// Resident memory of a process, in bytes.
pub fn resident_of(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
