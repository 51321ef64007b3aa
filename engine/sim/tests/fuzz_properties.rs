//! The promises of the hub and of the whole server over arbitrary scripts; the fuzz targets `rooms` and `server` run the same functions.

use proptest::prelude::*;
use socketville_sim::fuzzing::{rooms, server};

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_hub_selects_whom_the_twin_selects(script in prop::collection::vec(any::<u8>(), 0..600)) {
        rooms::rooms(&script);
    }

    #[test]
    fn nobody_but_the_sender_is_harmed(script in prop::collection::vec(any::<u8>(), 0..400)) {
        server::server(&script);
    }
}
