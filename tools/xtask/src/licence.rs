//! Licence expressions as crates state them (SPDX: `MIT OR (Apache-2.0 WITH LLVM-exception AND ISC)`), held against a
//! list of allowed ones.
//!
//! It does not read licence texts, and knows no licence by name.

/// Whether the expression can be met from the allowed licences alone; `None` if it is no expression.
/// The old slash (`MIT/Apache-2.0`) means `OR`.
pub(crate) fn allowed(expression: &str, allow: &[String]) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut reader = Reader { words: spaced.split_whitespace().collect(), position: 0, allow };
    let verdict = reader.any_of()?;
    if reader.position == reader.words.len() { Some(verdict) } else { None }
}

/// A descent over the words: `OR` binds weaker than `AND`, `AND` weaker than `WITH`.
struct Reader<'a> {
    words: Vec<&'a str>,
    position: usize,
    allow: &'a [String],
}

impl<'a> Reader<'a> {
    fn any_of(&mut self) -> Option<bool> {
        let mut verdict = self.all_of()?;
        while self.skip("OR") {
            verdict |= self.all_of()?;
        }
        Some(verdict)
    }

    fn all_of(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.skip("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.skip("(") {
            let verdict = self.any_of()?;
            return self.skip(")").then_some(verdict);
        }
        let name = self.name()?;
        if self.skip("WITH") {
            let whole = format!("{name} WITH {}", self.name()?);
            return Some(self.allow.contains(&whole));
        }
        Some(self.allow.iter().any(|allowed| allowed == name))
    }

    fn name(&mut self) -> Option<&'a str> {
        let word = *self.words.get(self.position)?;
        self.position += 1;
        if matches!(word, "(" | ")" | "OR" | "AND" | "WITH") { None } else { Some(word) }
    }

    fn skip(&mut self, word: &str) -> bool {
        let found = self.words.get(self.position) == Some(&word);
        self.position += usize::from(found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(expression: &str) -> Option<bool> {
        let allow = ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"];
        allowed(expression, &allow.map(String::from))
    }

    #[test]
    fn one_allowed_choice_is_enough_and_every_condition_is_needed() {
        for met in
            ["MIT", "Unlicense OR MIT", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND Unicode-3.0", "((MIT))"]
        {
            assert_eq!(verdict(met), Some(true), "{met}");
        }
        for unmet in ["GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 OR MIT AND AGPL-3.0", "MIT-0"] {
            assert_eq!(verdict(unmet), Some(false), "{unmet}");
        }
    }

    #[test]
    fn an_exception_is_part_of_the_name() {
        assert_eq!(verdict("Apache-2.0 WITH LLVM-exception"), Some(true));
        assert_eq!(verdict("MIT WITH LLVM-exception"), Some(false));
    }

    #[test]
    fn what_is_no_expression_has_no_verdict() {
        for other in ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT Apache-2.0", "MIT AND WITH"] {
            assert_eq!(verdict(other), None, "{other}");
        }
    }
}
