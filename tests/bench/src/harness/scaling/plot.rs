//! Plots: a sweep's lines as an SVG, on white, with no font of the system measured.

use std::io::{Error, Result};
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::sweep::{Line, Sweep};

const SIZE: (u32, u32) = (860, 460);
const KEY_WIDTH: u32 = 150;
const FONT: (&str, u32) = ("sans-serif", 17);

/// Told apart by those who see few colours, too: Okabe and Ito's.
const COLOURS: [RGBColor; 7] = [
    RGBColor(213, 94, 0),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
];

impl Sweep {
    pub(super) fn draw(&self, lines: &[Line], path: &Path) -> Result<()> {
        let points = || lines.iter().flat_map(|line| &line.points);
        let highest = points().map(|point| point.1).fold(0.0, f64::max);
        let lowest = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
        if highest == 0.0 {
            return Err(Error::other(format!("{}: nothing to draw", self.name)));
        }
        if self.has_log_y {
            self.draw_on(lines, path, (lowest / 1.5..highest * 2.0).log_scale())
        } else {
            self.draw_on(lines, path, 0.0..highest * 1.15)
        }
    }

    fn draw_on<Y>(&self, lines: &[Line], path: &Path, y: Y) -> Result<()>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let (first, last) = (self.amounts[0] as f64, self.amounts[self.amounts.len() - 1] as f64);
        let x = (first / 1.2..last * 1.2).log_scale();
        let root = SVGBackend::new(path, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(Error::other)?;
        let (left, right) = root.split_horizontally(SIZE.0 - KEY_WIDTH);
        let mut chart = ChartBuilder::on(&left)
            .caption(self.title, FONT)
            .margin(12)
            .x_label_area_size(52)
            .y_label_area_size(72)
            .build_cartesian_2d(x, y)
            .map_err(Error::other)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .label_style(FONT)
            .axis_desc_style(FONT)
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|x| amount(*x))
            .y_label_formatter(&|y| amount(*y))
            .draw()
            .map_err(Error::other)?;
        for (number, line) in lines.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let points = || line.points.iter().map(|(x, y)| (*x as f64, *y));
            chart
                .draw_series(LineSeries::new(points(), colour.stroke_width(2)))
                .map_err(Error::other)?;
            let dots = points().map(|point| Circle::new(point, 3, colour.filled()));
            chart.draw_series(dots).map_err(Error::other)?;
            draw_key(&right, number as i32, line.name, colour)?;
        }
        root.present().map_err(Error::other)
    }
}

/// Says beside the plot which line is whose.
fn draw_key<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    number: i32,
    name: &str,
    colour: RGBColor,
) -> Result<()>
where
    B::ErrorType: Send + Sync + 'static,
{
    let y = 60 + number * 24;
    let stroke = PathElement::new([(0, y), (20, y)], colour.stroke_width(2));
    area.draw(&stroke).map_err(Error::other)?;
    area.draw(&Text::new(name.to_owned(), (26, y - 8), FONT)).map_err(Error::other)
}

fn amount(value: f64) -> String {
    match value {
        1e6.. => format!("{} M", value / 1e6),
        1e3.. => format!("{} k", value / 1e3),
        _ => format!("{}", (value * 1000.0).round() / 1000.0),
    }
}
