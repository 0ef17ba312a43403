//! deliver: Delivery: manager and workers.

fn main() {}
