//! The name of a table as a person wrote it, and as it is safe to write into a statement.

/// PostgreSQL cuts at 63 bytes, MariaDB refuses more than 64 characters.
const MAX_PART: usize = 64;

/// "orders" or "shop.orders": each part a plain name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table<'a> {
    schema: Option<&'a str>,
    name: &'a str,
}

impl<'a> Table<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let (schema, name) = match text.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, text),
        };
        let plain = |part: &str| {
            (1..=MAX_PART).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'-'))
        };
        if plain(name) && schema.is_none_or(plain) {
            return Ok(Self { schema, name });
        }
        Err(format!(
            "'{}' is not the name of a table: letters, digits, '_', '$' and '-', with its schema before a dot",
            text.chars().take(80).collect::<String>()
        ))
    }

    pub(super) fn schema(&self) -> Option<&'a str> {
        self.schema
    }

    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// `"shop"."orders"`, with the quote of the platform.
    pub(super) fn quoted(&self, quote: char) -> String {
        let name = quoted(self.name, quote);
        self.schema.map_or_else(|| name.clone(), |schema| format!("{}.{name}", quoted(schema, quote)))
    }
}

/// Any identifier, as the server gave it.
pub(super) fn quoted(name: &str, quote: char) -> String {
    format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn only_plain_names_are_tables() {
        assert_eq!(Table::parse("shop.orders").unwrap().quoted('"'), r#""shop"."orders""#);
        assert_eq!(Table::parse("orders").unwrap().quoted('`'), "`orders`");
        for bad in ["", ".", "a.", ".b", "a.b.c", "a b", "a;drop", "a\"b", "a`b", "orders--\n", &"x".repeat(65)] {
            assert!(Table::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(quoted("a\"b", '"'), "\"a\"\"b\"");
    }
}
