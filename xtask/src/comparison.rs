//! Two tools measured alternately.

use anyhow::Result;

use crate::measurement::Measurement;
use crate::tool::Tool;

/// What each tool used: medians, or `None` if it was not measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Comparison {
    /// bunch.
    pub bunch: Option<Measurement>,
    /// mergekit.
    pub mergekit: Option<Measurement>,
}

impl Comparison {
    /// Has `take` measure each of `tools` alternately: `warm_ups` times without counting, then `runs` times.
    ///
    /// # Errors
    /// Fails with the first error of `take`.
    pub fn take(
        tools: &[Tool],
        warm_ups: u32,
        runs: u32,
        mut take: impl FnMut(&Tool) -> Result<Measurement>,
    ) -> Result<Self> {
        let (mut bunch, mut mergekit) = (Vec::new(), Vec::new());
        for run in 0..warm_ups + runs {
            for tool in tools {
                let measurement = take(tool)?;
                if run >= warm_ups {
                    match tool {
                        Tool::Bunch(_) => bunch.push(measurement),
                        Tool::Mergekit(_) => mergekit.push(measurement),
                    }
                }
            }
        }
        Ok(Self { bunch: Measurement::median(&bunch), mergekit: Measurement::median(&mergekit) })
    }

    /// A number of both tools: bunch's, then mergekit's.
    pub fn numbers(&self, number: impl Fn(&Measurement) -> f64) -> (Option<f64>, Option<f64>) {
        (self.bunch.as_ref().map(&number), self.mergekit.as_ref().map(&number))
    }
}

#[cfg(test)]
mod tests {
    use super::Comparison;
    use crate::measurement::Measurement;
    use crate::tool::Tool;

    fn of_cpu(cpu_seconds: f64) -> Measurement {
        Measurement { wall_seconds: 0.0, cpu_seconds, peak_resident: 0, peak_anonymous: 0 }
    }

    #[test]
    fn tools_take_turns_and_warm_ups_do_not_count() {
        let tools = [Tool::Bunch("b".into()), Tool::Mergekit("m".into())];
        let (mut order, mut seconds) = (String::new(), 100.0);
        let comparison = Comparison::take(&tools, 1, 3, |tool| {
            order.push(if matches!(tool, Tool::Bunch(_)) { 'b' } else { 'm' });
            seconds -= 1.0;
            Ok(of_cpu(seconds))
        });
        assert_eq!(order, "bmbmbmbm");
        // bunch: 99 as a warm-up, then 97, 95, 93.
        assert_eq!(comparison.unwrap().numbers(|run| run.cpu_seconds), (Some(95.0), Some(94.0)));
    }

    #[test]
    fn a_tool_that_is_not_there_is_not_measured() {
        let comparison = Comparison::take(&[Tool::Bunch("b".into())], 0, 1, |_| Ok(of_cpu(1.0))).unwrap();
        assert_eq!(comparison.numbers(|run| run.cpu_seconds), (Some(1.0), None));
        let failed = Comparison::take(&[Tool::Bunch("b".into())], 0, 1, |_| anyhow::bail!("no"));
        assert!(failed.is_err());
    }
}
