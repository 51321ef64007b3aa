//! placeholder
pub fn http_head(_: &[u8]) {}
pub fn chunked(_: &[u8]) {}
pub fn ws(_: &[u8]) {}
