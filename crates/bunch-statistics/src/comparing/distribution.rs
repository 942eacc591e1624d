//! Student's t, of which the numbers come from the crate `statrs`.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Student's t distribution.
///
/// # Panics
/// If `degrees_of_freedom` is not above 0.
fn student_t(degrees_of_freedom: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, degrees_of_freedom).expect("degrees of freedom are above 0")
}

/// The 0.975 quantile of Student's t, the factor of a two-sided 95 % interval; `None` for 0 degrees of freedom. Within 1e-6
/// of published values up to 1000 degrees of freedom.
pub(crate) fn student_t_975(degrees_of_freedom: usize) -> Option<f64> {
    (degrees_of_freedom > 0).then(|| student_t_quantile(0.975, degrees_of_freedom as f64))
}

/// The quantile of Student's t distribution with `degrees_of_freedom` above 0 at `p` in (0, 1).
pub(crate) fn student_t_quantile(p: f64, degrees_of_freedom: f64) -> f64 {
    student_t(degrees_of_freedom).inverse_cdf(p)
}

/// `P(T > t)` of Student's t distribution with `degrees_of_freedom` above 0.
pub(crate) fn student_t_above(t: f64, degrees_of_freedom: f64) -> f64 {
    student_t(degrees_of_freedom).sf(t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use statrs::distribution::Normal;
    use statrs::function::beta::{beta_reg, inv_beta_reg};

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 1e-12 + 1e-9 * expected.abs(), "{got}, expected {expected}");
    }

    #[test]
    fn incomplete_beta_by_hand() {
        // I_x(1, 1) = x; I_x(2, 1) = x^2; P(Binomial(4, 1/2) >= 3) = 5/16 = I_{1/2}(3, 2).
        close(beta_reg(1.0, 1.0, 0.3), 0.3);
        close(beta_reg(2.0, 1.0, 0.3), 0.09);
        close(beta_reg(3.0, 2.0, 0.5), 5.0 / 16.0);
        close(inv_beta_reg(2.0, 1.0, 0.09), 0.3);
    }

    #[test]
    fn the_normal_quantile_is_the_one_that_wilsons_interval_uses() {
        close(Normal::standard().inverse_cdf(0.975), crate::counting::Z_95);
    }

    #[test]
    fn quantiles_agree_with_published_ones() {
        assert_eq!(student_t_975(0), None);
        // Up to 30 from published tables, beyond from scipy.stats.t.ppf(0.975, dof).
        for (dof, expected) in [
            (1, 12.706205),
            (2, 4.302653),
            (3, 3.182446),
            (4, 2.776445),
            (5, 2.570582),
            (10, 2.228139),
            (19, 2.093024),
            (30, 2.042272),
            (31, 2.03951345),
            (40, 2.02107539),
            (60, 2.00029782),
            (120, 1.97993041),
            (1000, 1.96233908),
        ] {
            assert!((student_t_975(dof).unwrap() - expected).abs() < 1e-6, "{dof}");
        }
    }

    #[test]
    fn t_tails_agree_with_published_quantiles() {
        // One degree of freedom is Cauchy's: P(T > 1) = 1/4. Two: P(T > t) = 1/2 - t / (2 sqrt(2 + t^2)).
        close(student_t_above(1.0, 1.0), 0.25);
        close(student_t_above(-1.0, 1.0), 0.75);
        close(student_t_above(3.0, 2.0), 0.5 - 3.0 / (2.0 * 11_f64.sqrt()));
        for (dof, quantile) in [(1.0, 12.706205), (2.0, 4.302653), (5.0, 2.570582), (30.0, 2.042272)] {
            // The quantiles are rounded to 1e-6, and no density is above 0.4.
            assert!((student_t_above(quantile, dof) - 0.025).abs() < 0.5e-6 * 0.4, "{dof}");
        }
    }

    proptest! {
        #[test]
        fn the_beta_quantile_inverts_the_function(a in 0.5..2000.0_f64, b in 0.5..2000.0_f64, p in 0.001..0.999_f64) {
            let x = inv_beta_reg(a, b, p);
            prop_assert!((beta_reg(a, b, x) - p).abs() < 1e-8);
            prop_assert!((beta_reg(a, b, x) + beta_reg(b, a, 1.0 - x) - 1.0).abs() < 1e-9);
        }
    }
}
