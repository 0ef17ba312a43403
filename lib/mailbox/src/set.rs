//! Sets of UIDs.

use crate::Uid;

/// UIDs as ascending ranges that neither overlap nor touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UidSet {
    ranges: Vec<(Uid, Uid)>,
}

impl UidSet {
    /// From ranges in any order, each either way round.
    #[must_use]
    pub fn from_ranges(ranges: impl IntoIterator<Item = (Uid, Uid)>) -> Self {
        let mut sorted: Vec<(Uid, Uid)> = ranges
            .into_iter()
            .map(|(a, b)| (a.min(b), a.max(b)))
            .collect();
        sorted.sort_unstable();
        let mut merged: Vec<(Uid, Uid)> = Vec::new();
        for (first, last) in sorted {
            match merged.last_mut() {
                Some(before) if first.get() <= before.1.get().saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// The ranges, first and last UID included.
    #[must_use]
    pub fn ranges(&self) -> &[(Uid, Uid)] {
        &self.ranges
    }

    /// Is `uid` in it?
    #[must_use]
    pub fn contains(&self, uid: Uid) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= uid);
        after
            .checked_sub(1)
            .and_then(|at| self.ranges.get(at))
            .is_some_and(|&(_, last)| uid <= last)
    }

    /// Is it empty?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<T: IntoIterator<Item = Uid>>(uids: T) -> Self {
        Self::from_ranges(uids.into_iter().map(|uid| (uid, uid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(number: u32) -> Uid {
        Uid::new(number).unwrap()
    }

    #[test]
    fn ranges_are_merged() {
        let set = UidSet::from_ranges([
            (uid(7), uid(5)),
            (uid(1), uid(2)),
            (uid(3), uid(3)),
            (uid(9), uid(u32::MAX)),
        ]);
        assert_eq!(
            set.ranges(),
            [(uid(1), uid(3)), (uid(5), uid(7)), (uid(9), uid(u32::MAX))]
        );
        assert!(set.contains(uid(6)) && !set.contains(uid(8)) && !set.contains(uid(4)));
        assert!(set.contains(uid(u32::MAX)));
    }
}
