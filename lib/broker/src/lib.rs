//! Managers and their workers: who serves which user, pools, crash containment.
