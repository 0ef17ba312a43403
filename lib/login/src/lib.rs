//! What every login process shares: TLS, limits, authentication, hand-off.
