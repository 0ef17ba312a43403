//! Which known name somebody may have meant.

/// A known name at most two letters away.
pub fn nearest(key: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let near = names.map(|name| (distance(key, name), name)).min()?;
    (near.0 <= 2 && key.len() > 4).then_some(near.1)
}

/// How many letters must be changed, added or left out (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, a) in left.bytes().enumerate() {
        let mut diagonal = line;
        let mut before = line.saturating_add(1);
        let mut next = vec![before];
        for (above, b) in row.iter().skip(1).zip(right.bytes()) {
            let changed = diagonal.saturating_add(usize::from(a != b));
            before = changed
                .min(above.saturating_add(1))
                .min(before.saturating_add(1));
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
