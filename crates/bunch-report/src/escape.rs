//! Text made safe for the format it is put into.

/// `text` as HTML: safe between tags and within a quoted attribute.
pub(crate) fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            // Not allowed in HTML, not even as a reference.
            '\t' | '\n' => safe.push(c),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// `text` as LaTeX without packages: what is special is escaped, signs and Greek letters are set in mathematics.
///
/// Latin letters with accents stay, since LaTeX reads UTF-8; what is left and outside of ASCII becomes a question mark,
/// because it would be an error.
pub(crate) fn latex(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => safe.extend(['\\', c]),
            '\\' => safe += "\\textbackslash{}",
            '~' => safe += "\\textasciitilde{}",
            '^' => safe += "\\textasciicircum{}",
            // The classic encoding of typefaces has other signs in their places.
            '<' => safe += "$<$",
            '>' => safe += "$>$",
            '|' => safe += "$|$",
            '"' => safe += "''",
            // At the start of a row they would belong to the end of the one before.
            '[' | '*' => safe.extend(['{', c, '}']),
            c if c.is_whitespace() => safe.push(' '),
            c if c.is_ascii_graphic() || ('À'..='ž').contains(&c) && !NO_LETTERS.contains(c) => safe.push(c),
            c => match sign(c) {
                Some(command) => safe += command,
                None => safe.push('?'),
            },
        }
    }
    safe
}

/// What between À and ž LaTeX cannot set with its first typeface.
const NO_LETTERS: &str = "×÷ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲų";

/// LaTeX's command for a sign or a Greek letter.
fn sign(c: char) -> Option<&'static str> {
    const SIGNS: [(char, &str); 45] = [
        ('±', "$\\pm$"),
        ('−', "$-$"),
        ('×', "$\\times$"),
        ('÷', "$\\div$"),
        ('·', "$\\cdot$"),
        ('≤', "$\\le$"),
        ('≥', "$\\ge$"),
        ('≠', "$\\ne$"),
        ('≈', "$\\approx$"),
        ('∈', "$\\in$"),
        ('→', "$\\rightarrow$"),
        ('←', "$\\leftarrow$"),
        ('†', "\\dag{}"),
        ('‡', "\\ddag{}"),
        ('–', "--"),
        ('—', "---"),
        ('‘', "`"),
        ('’', "'"),
        ('“', "``"),
        ('”', "''"),
        ('…', "\\dots{}"),
        ('§', "\\S{}"),
        ('°', "$^\\circ$"),
        ('²', "$^2$"),
        ('³', "$^3$"),
        ('α', "$\\alpha$"),
        ('β', "$\\beta$"),
        ('γ', "$\\gamma$"),
        ('δ', "$\\delta$"),
        ('ε', "$\\varepsilon$"),
        ('η', "$\\eta$"),
        ('θ', "$\\theta$"),
        ('κ', "$\\kappa$"),
        ('λ', "$\\lambda$"),
        ('μ', "$\\mu$"),
        ('µ', "$\\mu$"),
        ('π', "$\\pi$"),
        ('ρ', "$\\rho$"),
        ('σ', "$\\sigma$"),
        ('τ', "$\\tau$"),
        ('φ', "$\\varphi$"),
        ('χ', "$\\chi$"),
        ('ψ', "$\\psi$"),
        ('ω', "$\\omega$"),
        ('Δ', "$\\Delta$"),
    ];
    SIGNS.iter().find(|(sign, _)| *sign == c).map(|(_, command)| *command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn html_cannot_be_left() {
        assert_eq!(html("<b a=\"x\" b='y'>&\u{7}"), "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\u{fffd}");
        assert_eq!(html("± — é\n"), "± — é\n");
    }

    #[test]
    fn latex_has_nothing_special_left() {
        assert_eq!(latex("5 % of a_b & #1 {x}"), "5 \\% of a\\_b \\& \\#1 \\{x\\}");
        assert_eq!(latex("1 ± 2 − 3 — α\n†"), "1 $\\pm$ 2 $-$ 3 --- $\\alpha$ \\dag{}");
        assert_eq!(latex("a\\b~c^d<e>|$"), "a\\textbackslash{}b\\textasciitilde{}c\\textasciicircum{}d$<$e$>$$|$\\$");
        assert_eq!(latex("Müller [ð] ✓"), "Müller {[}?] ?");
    }

    proptest! {
        #[test]
        fn nothing_special_gets_through(text in "(?s).{0,40}") {
            let safe = html(&text);
            prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            let safe = latex(&text);
            for special in ['%', '&', '#', '_'] {
                let all = safe.matches(special).count();
                prop_assert_eq!(safe.matches(&format!("\\{special}")).count(), all);
            }
            prop_assert_eq!(safe.replace("\\$", "").matches('$').count() % 2, 0);
        }
    }
}
