//! How the losses of a search fell, and the front that a search of two losses found.

use bunch_evolution::Numbers;
use bunch_report::{CurvePanel, CurvePoint, CurveSeries, Curves};

/// The figure of a search and its name: the losses of the best merge so far, or the front of a search of two losses. None for
/// a search without losses, or without a finite one.
pub(crate) fn figure(seen: &[(Numbers, Numbers)]) -> Option<(&'static str, Curves)> {
    let has_loss = seen.iter().any(|(_, scores)| scores.contains_key("loss"));
    if has_loss { Some(("convergence", convergence(seen)?)) } else { Some(("front", front(seen)?)) }
}

/// The losses of the merges that none beats in both.
fn front(seen: &[(Numbers, Numbers)]) -> Option<Curves> {
    let losses = |(_, scores): &(Numbers, Numbers)| Some((*scores.get("loss_safety")?, *scores.get("loss_expert")?));
    let mut all: Vec<(f64, f64)> = seen.iter().filter_map(losses).collect();
    all.retain(|(safety, expert)| safety.is_finite() && expert.is_finite());
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut best = f64::INFINITY;
    let beats_all_safer = |&(_, expert): &(f64, f64)| {
        let is_better = expert < best;
        best = best.min(expert);
        is_better
    };
    let points = all.into_iter().filter(beats_all_safer).map(|(x, y)| CurvePoint { x, y, interval: None });
    let points: Vec<CurvePoint> = points.collect();
    (!points.is_empty()).then(|| {
        let series = CurveSeries { label: "merges on the front".into(), points, published: Vec::new(), dashed: false };
        let labels = ("L_safety (nats per token)", "L_expert (nats per token)");
        one_panel("What safety costs", labels, vec![series])
    })
}

fn one_panel(title: &str, (x_label, y_label): (&str, &str), series: Vec<CurveSeries>) -> Curves {
    let (title, x_label, y_label) = (title.to_owned(), x_label.to_owned(), y_label.to_owned());
    let panel = CurvePanel { title: String::new(), x_label, y_label, y_is_percent: false, series };
    Curves { title, panels: vec![panel], log_x: false }
}

/// The losses of the best merge so far, by evaluation.
fn convergence(seen: &[(Numbers, Numbers)]) -> Option<Curves> {
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
            let point = best.get(*name).map(|&y| CurvePoint { x: (step + 1) as f64, y, interval: None });
            points.extend(point);
        }
    }
    let series = names.iter().zip(points).filter(|(_, points)| !points.is_empty());
    let series: Vec<CurveSeries> = series
        .map(|(&(_, label), points)| CurveSeries { label: label.into(), points, published: Vec::new(), dashed: false })
        .collect();
    let labels = ("merges evaluated", "cross-entropy (nats per token)");
    (!series.is_empty()).then(|| one_panel("Convergence of the search", labels, series))
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
        let (name, figure) = figure(&scores).unwrap();
        assert_eq!(name, "convergence");
        let [loss, expert] = &figure.panels[0].series[..] else { panic!("two lines") };
        let places: Vec<(f64, f64)> = loss.points.iter().map(|point| (point.x, point.y)).collect();
        assert_eq!((places, expert.points[2].y), (vec![(2.0, 3.0), (3.0, 3.0), (4.0, 1.0)], 2.0));
        assert!(figure.svg().unwrap().contains("merges evaluated"));
        assert!(super::figure(&[]).is_none());
    }

    #[test]
    fn a_front_holds_what_no_merge_beats() {
        let scores = [(1.0, 5.0), (2.0, 3.0), (2.5, 4.0), (3.0, 1.0), (0.5, f64::INFINITY)].map(|(safety, expert)| {
            let scores = [("loss_safety", safety), ("loss_expert", expert)];
            (Numbers::new(), scores.map(|(name, loss)| (name.to_owned(), loss)).into())
        });
        let (name, figure) = figure(&scores).unwrap();
        let points: Vec<(f64, f64)> =
            figure.panels[0].series[0].points.iter().map(|point| (point.x, point.y)).collect();
        assert_eq!((name, points), ("front", vec![(1.0, 5.0), (2.0, 3.0), (3.0, 1.0)]));
    }
}
