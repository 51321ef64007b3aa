//! An answer that a client has asked for: an event of the contract that wants one and comes without is ignored.

use socketville::{Ack, ArgumentError, EventContext, FromEvent};

/// The way to answer; its handler is not called if nobody asked.
#[derive(Debug)]
pub struct Wanted(pub Ack);

impl FromEvent for Wanted {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ArgumentError> {
        let ack = Ack::from_event(event)?;
        match ack.is_wanted() {
            true => Ok(Self(ack)),
            false => Err(ArgumentError {
                index: 0,
                expected: "an acknowledgement to be wanted".to_owned(),
                found: "nothing".to_owned(),
            }),
        }
    }
}
