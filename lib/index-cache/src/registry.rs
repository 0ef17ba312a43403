//! The fields that a cache knows, and what it has decided about each: from its settings, from the
//! file, and from what clients ask for.

use std::collections::HashMap;
use std::sync::Arc;

use super::codec::Damage;
use super::field::{Decision, FieldId, FieldType, KNOWN, NO_SIZE, Policy};
use super::record::Shape;
use super::settings::Settings;
use super::table::{Table, TableEntry};

/// What clients may make us remember.
const MAX_FIELDS: usize = 4096;
/// Longer names of header fields are not cached.
const MAX_HEADER_NAME: usize = 100;
const HEADER_PREFIX: &[u8] = b"hdr.";

#[derive(Debug)]
pub(super) struct Registered {
    pub name: Vec<u8>,
    pub kind: FieldType,
    /// Bytes of each value; [`NO_SIZE`] if they differ.
    pub size: u32,
    pub policy: Policy,
    /// UNIX seconds, 0: never.
    pub last_used: u32,
    /// The highest UID that this process was asked for.
    pub high_uid: u32,
    /// Belongs into the file's table.
    pub used: bool,
    /// The policy is newer than the file's.
    pub dirty: bool,
    /// Its place in the file's table.
    pub place: Option<u32>,
}

impl Registered {
    fn new(name: &[u8], kind: FieldType, size: u32) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            size,
            policy: Policy::NO,
            last_used: 0,
            high_uid: 0,
            used: false,
            dirty: false,
            place: None,
        }
    }

    pub fn fixed_size(&self) -> Option<u32> {
        (self.size != NO_SIZE).then_some(self.size)
    }

    fn agrees_with(&self, entry: &TableEntry) -> Result<(), Damage> {
        if self.kind != entry.kind {
            Err(Damage("registered field type changed"))
        } else if self.kind.has_fixed_size() && self.size != entry.size {
            Err(Damage("registered field size changed"))
        } else {
            Ok(())
        }
    }

    fn entry(&self) -> TableEntry {
        TableEntry {
            name: self.name.clone(),
            kind: self.kind,
            size: self.size,
            policy: self.policy,
            last_used: self.last_used,
        }
    }
}

#[derive(Debug)]
pub(super) struct Registry {
    fields: Vec<Registered>,
    by_name: HashMap<Vec<u8>, FieldId>,
    /// The file's table, for readers of records.
    shapes: Arc<[Shape]>,
    /// Something is to be written into the file's table.
    pub pending: bool,
}

impl Registry {
    pub fn new(settings: &Settings) -> Self {
        let mut registry = Self {
            fields: Vec::new(),
            by_name: HashMap::new(),
            shapes: Arc::new([]),
            pending: false,
        };
        for (name, kind, size) in KNOWN {
            registry.insert(Registered::new(name.as_bytes(), *kind, *size));
        }
        let lists = [
            (&settings.cache_fields, Policy::free(Decision::Temp)),
            (&settings.always_cache_fields, Policy::forced(Decision::Yes)),
            (&settings.never_cache_fields, Policy::forced(Decision::No)),
        ];
        for (names, policy) in lists {
            let ids: Vec<_> = names.iter().filter_map(|n| registry.find(n)).collect();
            ids.into_iter().for_each(|id| registry.decide(id, policy));
        }
        registry
    }

    fn decide(&mut self, id: FieldId, policy: Policy) {
        if let Some(field) = self.get_mut(id) {
            field.policy = policy;
        }
    }

    /// The field of this name; a header field (`hdr.Name`) is added if it is new.
    pub fn find(&mut self, name: &str) -> Option<FieldId> {
        let name = name.as_bytes();
        if let Some(id) = self.by_name.get(&name.to_ascii_lowercase()) {
            return Some(*id);
        }
        let (prefix, header) = name.split_at_checked(HEADER_PREFIX.len())?;
        let is_name = (1..=MAX_HEADER_NAME).contains(&header.len())
            && header.iter().all(|b| b.is_ascii_graphic() && *b != b':');
        if !prefix.eq_ignore_ascii_case(HEADER_PREFIX) || !is_name {
            return None;
        }
        if self.fields.len() >= MAX_FIELDS {
            return None;
        }
        let field = Registered::new(name, FieldType::Header, NO_SIZE);
        Some(self.insert(field))
    }

    fn insert(&mut self, field: Registered) -> FieldId {
        let id = FieldId(u32::try_from(self.fields.len()).unwrap_or(u32::MAX));
        self.by_name.insert(field.name.to_ascii_lowercase(), id);
        self.fields.push(field);
        id
    }

    pub fn get(&self, id: FieldId) -> Option<&Registered> {
        self.fields.get(id.0 as usize)
    }

    pub fn get_mut(&mut self, id: FieldId) -> Option<&mut Registered> {
        self.fields.get_mut(id.0 as usize)
    }

    pub fn fields(&self) -> &[Registered] {
        &self.fields
    }

    /// What the places in the file's table mean.
    pub fn shapes(&self) -> Arc<[Shape]> {
        Arc::clone(&self.shapes)
    }

    /// Takes over the file's table. What the file says about a field counts, unless a setting
    /// forces it or this process has just decided otherwise.
    pub fn adopt(&mut self, table: &Table) -> Result<(), Damage> {
        self.forget_file();
        let mut shapes = Vec::with_capacity(table.entries.len());
        for (place, entry) in table.entries.iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            shapes.push(self.adopt_entry(place, entry)?);
        }
        self.shapes = shapes.into();
        Ok(())
    }

    fn adopt_entry(&mut self, place: u32, entry: &TableEntry) -> Result<Shape, Damage> {
        let known = self.by_name.get(&entry.name.to_ascii_lowercase()).copied();
        let id = known.unwrap_or_else(|| {
            let size = match entry.kind.has_fixed_size() {
                true => entry.size,
                false => NO_SIZE,
            };
            self.insert(Registered::new(&entry.name, entry.kind, size))
        });
        let mut pending = false;
        let field = self.get_mut(id).ok_or(Damage("too many fields"))?;
        field.agrees_with(entry)?;
        if field.place.is_some() {
            return Err(Damage("Duplicated field in header"));
        }
        if field.policy.forced {
            pending = field.policy.decision != entry.policy.decision;
        } else if !field.dirty {
            field.policy = Policy::free(entry.policy.decision);
        }
        field.place = Some(place);
        field.used = true;
        field.last_used = field.last_used.max(entry.last_used);
        let fixed_size = field.fixed_size();
        self.pending |= pending;
        Ok(Shape { id, fixed_size })
    }

    /// There is no file any more, or it is another one.
    pub fn forget_file(&mut self) {
        for field in &mut self.fields {
            field.place = None;
        }
        self.shapes = Arc::new([]);
    }

    /// Are there used fields that the file's table lacks?
    pub fn has_new(&self) -> bool {
        self.fields.iter().any(is_new)
    }

    /// The table for the file: its fields in their order, then new ones.
    pub fn table(&self) -> Table {
        let of_file = self.shapes.iter().filter_map(|shape| self.get(shape.id));
        let new = self.fields.iter().filter(|field| is_new(field));
        Table {
            next_offset: 0,
            entries: of_file.chain(new).map(Registered::entry).collect(),
        }
    }

    /// The place of each field in [`Registry::table`].
    pub fn places(&self) -> HashMap<FieldId, u32> {
        let of_file = self.shapes.iter().map(|shape| shape.id);
        let ids = (0..).map(FieldId).zip(&self.fields);
        let new = ids.filter(|(_, field)| is_new(field)).map(|(id, _)| id);
        of_file.chain(new).zip(0..).collect()
    }

    /// What we think is in the file now.
    pub fn written(&mut self) {
        self.pending = false;
        for field in &mut self.fields {
            field.dirty = false;
        }
    }
}

fn is_new(field: &Registered) -> bool {
    field.used && field.place.is_none()
}
