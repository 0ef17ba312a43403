//! House rules: edges, sizes, names, forbidden words.
