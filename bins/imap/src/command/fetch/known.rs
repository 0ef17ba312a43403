//! What the cache knows of what a FETCH asks, and what it is taught when the client has its answer.

#[cfg(test)]
mod tests;

use imap_proto::fetch::FetchItem;
use mailbox::{Asked, Lacks, Mail};

use super::plan::Plan;

/// Of one mail.
pub struct Known {
    /// One for each item of the plan.
    pub items: Vec<Option<Vec<u8>>>,
    /// One for each section.
    pub sections: Vec<Option<Vec<u8>>>,
    /// What else it would like to know.
    lacks: Lacks,
}

impl Known {
    /// Asks.
    pub fn of(mail: &mut dyn Mail, plan: &Plan) -> Self {
        let mut known = Self {
            items: vec![None; plan.items.len()],
            sections: vec![None; plan.sections.len()],
            lacks: Lacks::Nothing,
        };
        let Some(cache) = mail.cache().filter(|_| plan.reads_bytes()) else {
            return known;
        };
        for (known, item) in known.items.iter_mut().zip(&plan.items) {
            *known = asked(item).and_then(|asked| cache.ask(asked));
        }
        for (known, wanted) in known.sections.iter_mut().zip(&plan.sections) {
            *known = wanted.asked().and_then(|asked| cache.ask(asked));
        }
        if !known.is_enough(plan) {
            known.lacks = cache.lacks();
        }
        known
    }

    /// Need the mail not be read?
    pub fn is_enough(&self, plan: &Plan) -> bool {
        let items = plan.items.iter().zip(&self.items);
        let all_items = items
            .filter(|(item, _)| asked(item).is_some())
            .all(|(_, known)| known.is_some());
        all_items && self.sections.iter().all(Option::is_some)
    }

    /// What was asked for in vain.
    pub fn missing<'p>(&self, plan: &'p Plan) -> Vec<Asked<'p>> {
        let items = plan.items.iter().zip(&self.items);
        let items = items.map(|(item, known)| (asked(item), known));
        let sections = plan.sections.iter().zip(&self.sections);
        let sections = sections.map(|(wanted, known)| (wanted.asked(), known));
        items
            .chain(sections)
            .filter(|(_, known)| known.is_none())
            .filter_map(|(asked, _)| asked)
            .collect()
    }

    /// Is there anything to learn for the cache when the mail was read?
    pub fn wants_lesson(&self, missing: &[Asked<'_>]) -> bool {
        !missing.is_empty() || self.lacks > Lacks::Nothing
    }
}

/// What a cache may know.
fn asked(item: &FetchItem) -> Option<Asked<'static>> {
    match item {
        FetchItem::Envelope => Some(Asked::Envelope),
        FetchItem::Body => Some(Asked::Body),
        FetchItem::BodyStructure => Some(Asked::BodyStructure),
        _ => None,
    }
}
