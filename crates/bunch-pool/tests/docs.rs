//! The generated part of `docs/pool.md`. With `UPDATE_DOCS=1` in the environment the test writes it instead of comparing.

use std::fs;
use std::path::Path;

use bunch_pool::docs_reference;

const BEGIN: &str = "<!-- BEGIN: keys -->\n";
const END: &str = "<!-- END: keys -->\n";

#[test]
fn the_page_has_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pool.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the line that begins the keys");
    let (_, after) = rest.split_once(END).expect("the line that ends the keys");
    let expected = format!("{before}{BEGIN}{}{END}{after}", docs_reference());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).expect("written");
    } else {
        assert!(
            page == expected,
            "docs/pool.md is out of date; run: UPDATE_DOCS=1 cargo test -p bunch-pool --test docs"
        );
    }
}
