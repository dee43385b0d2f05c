//! The tables of `docs/performance.md`: where the benchmark writes them, and that it writes nothing else.

use std::{fs, path::Path};

use document::{Bound, Curve, Part, Place, Point, Recorded, Row, Run, Series, Spread, Wanted, places, written};

#[allow(dead_code)]
#[path = "../../benches/check/document.rs"]
mod document;

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn page() -> String {
    file("docs/performance.md")
}

fn row(what: &str, ratio: f64) -> Row {
    Row {
        what: what.to_owned(),
        unit: "ns".to_owned(),
        limit: "the least".to_owned(),
        rounds: 7,
        discarded: 2,
        ratio: Spread { min: 0.5, low: 0.75, median: ratio, high: 2.0, max: 3.0 },
        one: 12_345.0,
        other: 2.25,
        run: run(),
    }
}

fn run() -> Run {
    Run {
        machine: "a machine".to_owned(),
        cores: 2,
        kernel: "Linux".to_owned(),
        rustc: "rustc".to_owned(),
        workload: "A little of everything".to_owned(),
        users: Some(100_000),
        rounds: 9,
    }
}

fn curve() -> Curve {
    let point = |x: f64| Point { x, min: 1.0, median: 2.0 * x, max: 1e9 };
    let series = |name: &str, points| Series { name: name.to_owned(), points };
    Curve {
        name: "growth-things".to_owned(),
        title: "Answers".to_owned(),
        x: "things".to_owned(),
        y: "time".to_owned(),
        unit: "ns".to_owned(),
        series: vec![series("one", vec![point(1.0), point(1_500.0)]), series("other", vec![point(1e6)])],
        run: run(),
    }
}

/// Something of every part that the page has a place for.
fn recorded(page: &str) -> Recorded {
    let part =
        |place: Place| Part { name: place.part, rows: vec![row("A", 1.0), row("B", 0.5)], curves: vec![curve()] };
    Recorded { parts: places(page).unwrap().into_iter().map(part).collect() }
}

/// What of a page stands outside of its places.
fn outside(page: &str) -> Vec<&str> {
    let places = places(page).unwrap();
    let is_outside = |number: &usize| !places.iter().any(|place| place.lines.contains(number));
    page.lines().enumerate().filter(|(number, _)| is_outside(number)).map(|(_, line)| line).collect()
}

#[test]
fn every_part_of_the_benchmark_has_a_place_on_the_page() {
    let page = page();
    let places: Vec<String> = places(&page).unwrap().into_iter().map(|place| place.part).collect();
    let program = file("benches/check/main.rs");
    let mut parts: Vec<&str> =
        program.split("is_wanted(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(parts.len() >= 5, "{parts:?}");
    parts.retain(|part| !places.iter().any(|place| place == part));
    assert_eq!(parts, [""; 0], "these have none");
}

#[test]
fn writing_figures_a_second_time_changes_nothing() {
    let before = page();
    let recorded = recorded(&before);
    let once = written(&before, &recorded, &[]).unwrap();
    assert!(once != before && once.contains("| A | 12.3 us | the least | 2.2 ns | 0.50 | **1.00** (0.75 to 2.00) |"));
    assert!(once.contains("Two cores of a machine, Linux, rustc; 9 rounds, 100 k users. A little of everything."));
    assert!(once.contains("![Answers: time against things](plots/growth-things.svg)"));
    assert!(once.contains("| 1,500 | 3000 ns |  |\n| 1 M |  | 2.0 ms |\n"), "{once}");
    assert_eq!(outside(&once), outside(&before));
    assert_eq!(written(&once, &recorded, &[]).unwrap(), once);
}

#[test]
fn what_was_not_measured_stays_as_it_is() {
    let page = page();
    assert_eq!(written(&page, &Recorded::default(), &[]).unwrap(), page);
    let mut one = recorded(&page);
    one.parts.truncate(1);
    let after = written(&page, &one, &[]).unwrap();
    let inside = |page: &str| -> Vec<String> {
        let place = places(page).unwrap().remove(1);
        page.lines().skip(place.lines.start).take(place.lines.len()).map(str::to_owned).collect()
    };
    assert_eq!(inside(&after), inside(&page));
}

#[test]
fn a_part_without_a_place_is_an_error() {
    let mut recorded = recorded(&page());
    recorded.parts[0].name = "unheard-of".to_owned();
    let why = written(&page(), &recorded, &[]).unwrap_err();
    assert!(why.contains("unheard-of") && why.contains("<!-- figures of unheard-of:"), "{why}");
}

#[test]
fn a_row_that_misses_what_is_wanted_says_so() {
    let wanted = |limit, bound| Wanted { part: "engine", what: "A", limit, bound };
    let line = |wanted: Wanted| {
        let text = written(&page(), &recorded(&page()), &[wanted]).unwrap();
        text.lines().find(|line| line.starts_with("| A |")).unwrap().to_owned()
    };
    for (bound, end) in [
        (Bound::RatioAtMost(1.0), "| 7 of 9 | ratio at most 1 |"),
        (Bound::RatioAtMost(0.9), "| 7 of 9 | ratio at most 0.9: **missed** |"),
        (Bound::RatioAtLeast(1.5), "| 7 of 9 | ratio at least 1.5: **missed** |"),
        (Bound::AtMost(12_345.0), "| 7 of 9 | at most 12.3 us |"),
        (Bound::AtMost(12_344.0), "| 7 of 9 | at most 12.3 us: **missed** |"),
        (Bound::AtLeast(2e6), "| 7 of 9 | at least 2.0 ms: **missed** |"),
    ] {
        for limit in ["", "the least"] {
            let line = line(wanted(limit, bound));
            assert!(line.ends_with(end), "{line}");
        }
        assert!(line(wanted("another", bound)).ends_with("| 7 of 9 |  |"));
    }
}

#[test]
fn markers_that_do_not_fit_are_refused() {
    let begin = |part: &str| format!("<!-- figures of {part}: written by cargo bench -- write-docs -->\n");
    let end = "<!-- end of figures -->\n";
    let fits = [begin("engine"), end.to_owned(), begin("in-process"), "| row |\n".to_owned(), end.to_owned()].concat();
    let place = |part: &str, lines| Place { part: part.to_owned(), lines };
    assert_eq!(places(&fits).unwrap(), [place("engine", 1..1), place("in-process", 3..4)]);
    assert_eq!(places("no markers\n").unwrap(), []);
    for (text, expected) in [
        (begin("engine"), "have no end"),
        (end.to_owned(), "an end without a beginning"),
        ([begin("engine"), begin("grpc"), end.to_owned()].concat(), "have no end"),
        ([begin("engine"), end.to_owned(), begin("engine"), end.to_owned()].concat(), "has a place already"),
        ([begin("Engine"), end.to_owned()].concat(), "small letters"),
        (format!("<!-- figures of engine -->\n{end}"), "ends differently"),
        (format!("{}  {end}", begin("engine")), "stands alone"),
        (format!(" {}{end}", begin("engine")), "stands alone"),
    ] {
        let why = places(&text).unwrap_err();
        assert!(why.contains(expected), "{text:?}: {why}");
    }
}

#[test]
fn every_plot_on_the_page_is_there() {
    let page = page();
    let names: Vec<&str> = page.split("](plots/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    for name in names {
        assert!(file(&format!("docs/plots/{name}")).starts_with("<svg "), "{name}");
    }
}
