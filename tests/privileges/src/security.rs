//! What `systemd-analyze security` says about each unit: 0 is a tomb, 10 is root. Dovecot's one unit has 8.5.

use crate::table::loaded;

const CEILINGS: [(&str, f32); 8] = [
    ("imap-login", 0.5),
    ("anvil", 0.5),
    ("imap-hibernate", 0.5),
    ("auth", 1.0),
    ("imap", 1.2),
    ("deliver", 1.2),
    ("lmtp", 1.2),
    ("auth-worker", 1.5),
];

#[test]
fn every_unit_stays_below_its_ceiling() {
    let machine = loaded();
    for (service, ceiling) in CEILINGS {
        let report = machine.run(&format!(
            "systemd-analyze security --no-pager culver-{service}.service"
        ));
        let overall = report.lines().last().unwrap_or_default();
        let exposure = overall
            .split_whitespace()
            .find_map(|word| word.parse::<f32>().ok());
        let exposure = exposure.unwrap_or_else(|| panic!("{overall:?}"));
        assert!(
            exposure <= ceiling,
            "{service}: {exposure} > {ceiling}\n{report}"
        );
    }
}
