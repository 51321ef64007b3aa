//! What an application keeps with a socket: any value, and its JSON for those who see the socket from elsewhere.
//!
//! Not a store: one value a socket, replaced as a whole.

use std::any::Any;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

/// A value whose type is forgotten.
pub(crate) trait Data: Any + Send + Sync {
    /// As others see it; what cannot be written as JSON is `null`.
    fn to_json(&self) -> Value;

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<T: Serialize + Send + Sync + 'static> Data for T {
    fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
