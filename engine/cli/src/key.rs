//! The key that backends show to publish.
//!
//! Not an identity: whoever has it may speak to everybody.

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

/// A key. It is compared in constant time and never shown by accident.
#[derive(Clone)]
pub(crate) struct ApiKey(String);

impl ApiKey {
    /// A new one: 32 URL-safe characters of 6 random bits each, from the operating system.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()))
    }

    /// Whether a text is this key. The time it takes tells nothing but the text's length, which is the asker's own.
    pub(crate) fn is(&self, text: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), text.as_bytes());
        let mut difference = u8::from(ours.len() != theirs.len());
        for (index, byte) in theirs.iter().enumerate() {
            difference = black_box(difference | (byte ^ ours[index % ours.len()]));
        }
        difference == 0
    }

    /// The key itself, for the one who started the server.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApiKey {
    type Err = String;

    /// A key that was given: what fits into an HTTP header and needs no quotes in a shell's history.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = format!("expected a key of 1 to {KEY_BYTES_MAX} visible ASCII characters");
        if let Some(stranger) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(format!("{expected}, found {stranger:?}"));
        }
        match text.len() {
            0 => Err(format!("{expected}, found none")),
            1..=KEY_BYTES_MAX => Ok(Self(text.to_owned())),
            length => Err(format!("{expected}, found {length}")),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The URL-safe alphabet of base64 (RFC 4648 section 5): 64 characters, so that 6 bits choose one evenly.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Bytes of a key: far beyond what can be guessed, far below what a header may hold.
const KEY_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_32_url_safe_characters_and_is_no_other() {
        let (one, other) = (ApiKey::generate().expect("random"), ApiKey::generate().expect("random"));
        assert_eq!(one.reveal().len(), 32);
        assert!(one.reveal().bytes().all(|byte| ALPHABET.contains(&byte)));
        assert!(one.is(one.reveal()) && !one.is(other.reveal()));
    }

    #[test]
    fn only_the_whole_key_is_the_key() {
        let key: ApiKey = "secret".parse().expect("valid");
        assert!(key.is("secret"));
        for text in ["", "s", "secre", "secret!", "Secret", "secretsecret", "sécret"] {
            assert!(!key.is(text), "{text}");
        }
    }

    #[test]
    fn a_key_is_not_shown_by_accident() {
        let key: ApiKey = "secret".parse().expect("valid");
        assert!(!format!("{key:?}").contains("secret"));
    }
}
