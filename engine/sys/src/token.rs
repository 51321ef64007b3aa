//! The name of a connection within one driver. It is not a descriptor: it can be kept for ever and never reaches
//! somebody else's connection.

/// A connection of one driver; a stale generation is legal and touches nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Token {
    /// The place in the driver's table (the kernel's descriptor number). Used again after a close.
    pub index: u32,
    /// Which use of the place this is: 24 bits, wrapping.
    pub generation: u32,
}
