//! A list whose elements are an event's arguments, where their number is known only at run time.
//!
//! Not needed where it is known: a tuple spreads by itself.

use serde::ser::{Serialize, SerializeTuple, Serializer};

/// Spreads a list into several arguments, as `emit("name", ...list)` does in JavaScript.
///
/// ```no_run
/// # fn example(emitter: socketville::Emitter, args: Vec<serde_json::Value>) {
/// emitter.emit("said", socketville::Spread(args)); // ["said",arg,arg,..]
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread<T>(pub Vec<T>);

impl<T: Serialize> Serialize for Spread<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|arg| tuple.serialize_element(arg))?;
        tuple.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use socketville_hub::Config;

    use crate::args::{Form, rewrite_event};

    fn written(args: &impl Serialize) -> String {
        let mut out = Vec::new();
        rewrite_event(&mut out, "said", args, &mut Vec::new(), Form::of(&Config::default()))
            .expect("has a JSON form");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn each_element_is_an_argument() {
        assert_eq!(written(&Spread(vec![json!(1), json!(null), json!([2])])), r#"["said",1,null,[2]]"#);
        assert_eq!(written(&Spread(vec!["a"])), r#"["said","a"]"#);
        assert_eq!(written(&Spread::<i32>(vec![])), r#"["said"]"#);
    }
}
