//! anvil: Counts who is logged in; limits; kick.

fn main() {}
