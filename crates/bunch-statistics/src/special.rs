//! The special functions that distributions rest on.

/// Steps of the continued fraction, far more than its convergence needs for the arguments that occur.
const MOST_STEPS: usize = 10_000;

/// The natural logarithm of the gamma function, for `x > 0`.
///
/// Lanczos' approximation with g = 7 and nine terms (Press et al., Numerical Recipes, section 6.1); relative error below 1e-14.
fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = TERMS[0] + TERMS[1..].iter().zip(1..).map(|(term, i)| term / (x + f64::from(i))).sum::<f64>();
    let t = x + G + 0.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised incomplete beta function `I_x(a, b)`, for `a, b > 0` and `x` in [0, 1].
///
/// Its continued fraction (Abramowitz and Stegun 26.5.8) by Lentz's method, on the side where it converges fast.
pub(crate) fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let ln_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    if x < (a + 1.0) / (a + b + 2.0) {
        ln_front.exp() * fraction(a, b, x) / a
    } else {
        1.0 - ln_front.exp() * fraction(b, a, 1.0 - x) / b
    }
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    // Lentz's method divides by what may be zero.
    let apart = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / apart(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..MOST_STEPS {
        let m = step as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = value;
        for term in [even, odd] {
            d = 1.0 / apart(1.0 + term * d);
            c = apart(1.0 + term / c);
            value *= c * d;
        }
        if (value - before).abs() <= 1e-16 * value.abs() {
            break;
        }
    }
    value
}

/// The `x` with `I_x(a, b) = p`, for `a, b > 0` and `p` in (0, 1): the quantile of the beta distribution, by bisection.
pub(crate) fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Halved until the ends are neighbours as numbers.
    for _ in 0..1100 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if incomplete_beta(a, b, middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// `P(T > t)` of Student's t distribution with `degrees_of_freedom > 0` (Abramowitz and Stegun 26.7.1 and 26.5.27).
pub(crate) fn student_t_above(t: f64, degrees_of_freedom: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(0.5 * degrees_of_freedom, 0.5, degrees_of_freedom / (degrees_of_freedom + t * t));
    if t >= 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::student_t_975;
    use proptest::prelude::*;

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 1e-12 + 1e-9 * expected.abs(), "{got}, expected {expected}");
    }

    #[test]
    fn gamma_of_whole_and_half_numbers() {
        close(ln_gamma(1.0), 0.0);
        close(ln_gamma(11.0), 3_628_800_f64.ln());
        close(ln_gamma(0.5), 0.5 * std::f64::consts::PI.ln());
    }

    #[test]
    fn incomplete_beta_by_hand() {
        // I_x(1, 1) = x; I_x(2, 1) = x^2; P(Binomial(4, 1/2) >= 3) = 5/16 = I_{1/2}(3, 2).
        close(incomplete_beta(1.0, 1.0, 0.3), 0.3);
        close(incomplete_beta(2.0, 1.0, 0.3), 0.09);
        close(incomplete_beta(3.0, 2.0, 0.5), 5.0 / 16.0);
        close(beta_quantile(2.0, 1.0, 0.09), 0.3);
    }

    #[test]
    fn t_tails_agree_with_published_quantiles() {
        // One degree of freedom is Cauchy's: P(T > 1) = 1/4. Two: P(T > t) = 1/2 - t / (2 sqrt(2 + t^2)).
        close(student_t_above(1.0, 1.0), 0.25);
        close(student_t_above(-1.0, 1.0), 0.75);
        close(student_t_above(3.0, 2.0), 0.5 - 3.0 / (2.0 * 11_f64.sqrt()));
        for dof in [1, 2, 5, 30] {
            let quantile = student_t_975(dof).expect("at least one degree of freedom");
            // The quantiles are rounded to 1e-6, and no density is above 0.4.
            assert!((student_t_above(quantile, dof as f64) - 0.025).abs() < 0.5e-6 * 0.4, "{dof}");
        }
    }

    proptest! {
        #[test]
        fn the_quantile_inverts_the_function(a in 0.5..2000.0_f64, b in 0.5..2000.0_f64, p in 0.001..0.999_f64) {
            let x = beta_quantile(a, b, p);
            prop_assert!((incomplete_beta(a, b, x) - p).abs() < 1e-8);
            prop_assert!((incomplete_beta(a, b, x) + incomplete_beta(b, a, 1.0 - x) - 1.0).abs() < 1e-9);
        }
    }
}
