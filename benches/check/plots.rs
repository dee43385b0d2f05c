//! Curves as pictures. Both axes are logarithmic, and nothing is painted behind them: the colours can be read on light and
//! on dark ground.

use plotters::{
    coord::Shift,
    prelude::{
        ChartBuilder, Circle, Color as _, DrawingArea, IntoDrawingArea as _, IntoFont as _, IntoLogRange as _,
        LineSeries, PathElement, RGBColor, SVGBackend, ShapeStyle, Text, TextStyle,
    },
    style::text_anchor::{HPos, Pos, VPos},
};

use super::document::{Curve, Point, count};

const SIZE: (u32, u32) = (760, 440);
/// Between black and white: four and a half to one against either.
const INK: RGBColor = RGBColor(0x76, 0x76, 0x76);
const COLORS: [RGBColor; 5] = [
    RGBColor(0x2a, 0x7f, 0xc8),
    RGBColor(0xc8, 0x5f, 0x10),
    RGBColor(0x2c, 0x8a, 0x57),
    RGBColor(0x93, 0x63, 0xc4),
    RGBColor(0xc0, 0x4a, 0x6a),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A curve as SVG.
pub fn svg(curve: &Curve) -> String {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&area, curve);
        area.present().unwrap();
    }
    text
}

fn words(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn draw(area: &Area<'_>, curve: &Curve) {
    area.draw(&Text::new(curve.title.clone(), (20, 14), words(19))).unwrap();
    let mut left = 20;
    for (number, line) in curve.series.iter().enumerate() {
        let color = COLORS[number % COLORS.len()];
        area.draw(&PathElement::new([(left, 52), (left + 22, 52)], color.stroke_width(3))).unwrap();
        let name = words(15).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(line.name.clone(), (left + 28, 52), name)).unwrap();
        // No font is at hand to measure with; no letter is wider than this on average.
        left += 28 + 8 * line.name.len() as i32 + 24;
    }
    let points = || curve.series.iter().flat_map(|line| &line.points);
    let (x0, x1) = range(points().map(|point| point.x), false);
    let (y0, y1) = range(points().flat_map(|point| [point.min, point.max]), true);
    let mut chart = ChartBuilder::on(area)
        .margin_top(70)
        .margin_right(30)
        .margin_bottom(8)
        .margin_left(8)
        .x_label_area_size(48)
        .y_label_area_size(74)
        .build_cartesian_2d((x0..x1).log_scale(), (y0..y1).log_scale())
        .unwrap();
    chart
        .configure_mesh()
        .bold_line_style(INK.mix(0.35))
        .light_line_style(INK.mix(0.0))
        .axis_style(INK)
        .label_style(words(14))
        .axis_desc_style(words(16))
        .x_desc(&curve.x)
        .y_desc(&curve.y)
        .x_labels(8)
        .y_labels(8)
        .x_label_formatter(&|x| count(*x))
        .y_label_formatter(&|y| short(*y, &curve.unit))
        .draw()
        .unwrap();
    for (number, line) in curve.series.iter().enumerate() {
        let style: ShapeStyle = COLORS[number % COLORS.len()].stroke_width(2);
        let at = |point: &Point| (point.x, point.median);
        chart.draw_series(LineSeries::new(line.points.iter().map(at), style)).unwrap();
        let dots = line.points.iter().map(|point| Circle::new(at(point), 4, style.filled()));
        chart.draw_series(dots).unwrap();
        let reach = |point: &Point| [(point.x, point.min), (point.x, point.max)];
        chart.draw_series(line.points.iter().map(|point| PathElement::new(reach(point), style))).unwrap();
    }
}

/// The least and the most with a little room; `whole`: the powers of ten around them.
fn range(figures: impl Iterator<Item = f64>, whole: bool) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
    for figure in figures.filter(|figure| *figure > 0.0) {
        low = low.min(figure);
        high = high.max(figure);
    }
    if high == 0.0 {
        return (1.0, 10.0);
    }
    if whole { (10_f64.powf(low.log10().floor()), 10_f64.powf(high.log10().ceil())) } else { (low / 1.15, high * 1.15) }
}

/// A round figure at an axis.
fn short(figure: f64, unit: &str) -> String {
    let (figure, unit) = match unit {
        "ns" if figure >= 1e9 => (figure / 1e9, "s"),
        "ns" if figure >= 1e6 => (figure / 1e6, "ms"),
        "ns" if figure >= 1e3 => (figure / 1e3, "us"),
        unit => (figure, unit),
    };
    // Tenths that no float can hold are not shown with all their digits.
    format!("{} {unit}", (figure * 1e3).round() / 1e3)
}
