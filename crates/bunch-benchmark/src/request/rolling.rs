//! The windows in which a long text is scored, every token once.

use bunch_lm::TokenId;

use super::Scored;

/// lm-eval's windows of at most `window` read tokens: the first one begins with `prefix`, each later one scores its last
/// tokens and has what fits before them, at least one token, as context. `ids` is not empty, `window` at least 1.
pub(super) fn windows(ids: &[TokenId], prefix: TokenId, window: usize) -> Vec<Scored> {
    let first = ids.len().min(window);
    let mut windows = vec![Scored { context: [prefix].into(), continuation: ids[..first].to_vec() }];
    let mut scored = first;
    while scored < ids.len() {
        let end = (scored + window).min(ids.len());
        let context = ids[end - window - 1..scored].into();
        windows.push(Scored { context, continuation: ids[scored..end].to_vec() });
        scored = end;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::{Scored, windows};

    #[test]
    fn every_token_is_scored_once() {
        // The docstring of lm-eval's get_rolling_token_windows, made disjoint: 10 tokens in windows of 4.
        let ids: Vec<u32> = (1..=10).collect();
        let request = |context: &[u32], continuation: &[u32]| Scored {
            context: context.into(),
            continuation: continuation.to_vec(),
        };
        let expected = [request(&[0], &[1, 2, 3, 4]), request(&[4], &[5, 6, 7, 8]), request(&[6, 7, 8], &[9, 10])];
        assert_eq!(windows(&ids, 0, 4), expected);
        assert_eq!(windows(&ids[..4], 0, 4), expected[..1]);
        assert_eq!(windows(&ids[..1], 0, 4), [request(&[0], &[1])]);
        assert_eq!(windows(&ids[..3], 0, 1), [request(&[0], &[1]), request(&[1], &[2]), request(&[2], &[3])]);
    }
}
