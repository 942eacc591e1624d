//! How the losses of a search fell.

use bunch_evolution::Numbers;
use bunch_report::{CurvePanel, CurvePoint, CurveSeries, Curves};

/// The losses of the best merge so far, by evaluation; nothing for a search that has no loss or no finite one.
pub(crate) fn figure(seen: &[(Numbers, Numbers)]) -> Option<Curves> {
    let names = [("loss", "best loss"), ("loss_safety", "its L_safety"), ("loss_expert", "its L_expert")];
    let mut points = names.map(|_| Vec::new());
    let mut best: Option<&Numbers> = None;
    for (step, (_, scores)) in seen.iter().enumerate() {
        let loss = *scores.get("loss")?;
        if loss.is_finite() && best.is_none_or(|best| loss < best["loss"]) {
            best = Some(scores);
        }
        let Some(best) = best else { continue };
        for ((name, _), points) in names.iter().zip(&mut points) {
            let point = best.get(*name).map(|&y| CurvePoint { x: (step + 1) as f64, y, half_width: None });
            points.extend(point);
        }
    }
    let series = names.iter().zip(points).filter(|(_, points)| !points.is_empty());
    let series: Vec<CurveSeries> = series
        .map(|(&(_, label), points)| CurveSeries { label: label.into(), points, published: Vec::new(), dashed: false })
        .collect();
    (!series.is_empty()).then(|| Curves {
        title: "Convergence of the search".into(),
        panels: vec![CurvePanel {
            title: String::new(),
            x_label: "merges evaluated".into(),
            y_label: "cross-entropy (nats per token)".into(),
            y_is_percent: false,
            series,
        }],
        log_x: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_so_far_never_rises_and_infinite_losses_do_not_count() {
        let scores = [f64::INFINITY, 3.0, 4.0, 1.0].map(|loss| {
            let scores = [("loss", loss), ("loss_expert", 2.0 * loss)];
            (Numbers::new(), scores.map(|(name, loss)| (name.to_owned(), loss)).into())
        });
        let figure = figure(&scores).unwrap();
        let [loss, expert] = &figure.panels[0].series[..] else { panic!("two lines") };
        let places: Vec<(f64, f64)> = loss.points.iter().map(|point| (point.x, point.y)).collect();
        assert_eq!((places, expert.points[2].y), (vec![(2.0, 3.0), (3.0, 3.0), (4.0, 1.0)], 2.0));
        assert!(figure.svg().unwrap().contains("merges evaluated"));
        assert!(super::figure(&[]).is_none());
    }
}
