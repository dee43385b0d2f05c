//! Times in files: RFC 3339, to milliseconds, as the server's clock counts.

use crate::model::Timestamp;

/// The first second that has a year of five digits.
const END_SECONDS: u64 = 253_402_300_800;

/// What a time should be, as the end of a sentence.
pub(super) const EXPECTED: &str =
    "a time from 1970 to 9999 with its offset and at most milliseconds, such as \"2027-01-01T00:00:00Z\"";

/// The instant that a text names; none if it names none that the clock could show.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    // The library takes a date alone, and a time without an offset, for one in UTC. A file has to say what it means.
    let (_, of_day) = text.split_once(['T', 't'])?;
    if !of_day.contains(['Z', 'z', '+', '-']) {
        return None;
    }
    let time: prost_types::Timestamp = text.parse().ok()?;
    let seconds = u64::try_from(time.seconds).ok().filter(|seconds| *seconds < END_SECONDS)?;
    let nanos = u64::try_from(time.nanos).ok().filter(|nanos| nanos.is_multiple_of(1_000_000))?;
    Some(Timestamp(seconds * 1000 + nanos / 1_000_000))
}

/// The instant as a file has it, in UTC.
#[must_use]
pub fn write(time: Timestamp) -> String {
    let seconds = i64::try_from(time.0 / 1000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(time.0 % 1000 * 1_000_000).unwrap_or_default();
    prost_types::Timestamp { seconds, nanos }.to_string()
}

#[cfg(test)]
mod tests {
    use super::{parse, write};
    use crate::model::Timestamp;

    #[test]
    fn a_time_is_read_with_its_offset_and_written_in_utc() {
        for (text, milliseconds, written) in [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
            ("2027-01-01T00:00:00Z", 1_798_761_600_000, "2027-01-01T00:00:00Z"),
            ("2027-01-01t01:30:00.5+01:30", 1_798_761_600_500, "2027-01-01T00:00:00.500Z"),
            ("2028-02-29T23:59:59.001z", 1_835_481_599_001, "2028-02-29T23:59:59.001Z"),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(parse(text), Some(Timestamp(milliseconds)), "{text}");
            assert_eq!(write(Timestamp(milliseconds)), written);
        }
        for bad in [
            "",
            "2027-01-01",
            "2027-01-01T00:00:00",
            "2027-01-01 00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-02-29T00:00:00Z",
            "2027-01-01T00:00:00.0001Z",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59-01:00",
            "+10000-01-01T00:00:00Z",
            "tomorrow",
            "1798761600",
            "2027-01-01T00:00:00Z ",
        ] {
            assert_eq!(parse(bad), None, "{bad:?} was accepted");
        }
    }
}
