//! Fuzz target: any text is a configuration or problems with places, never a panic.

use std::path::Path;

use config::parse_text;

#[test]
fn any_configuration() {
    bolero::check!().for_each(|bytes: &[u8]| {
        // Files that text names are read; here only the text is.
        let text: String = String::from_utf8_lossy(bytes)
            .chars()
            .filter(|c| !matches!(c, '!' | '/'))
            .collect();
        let config = parse_text(Path::new("/fuzz.conf"), &text);
        assert!(format!("{config:?}").len() < 1 << 24);
    });
}
