//! Reads a TOML tree into a type and says, for every mistake, which key it is about.
//!
//! serde's own errors lose the path of the key and the nearest known name; this deserializer
//! keeps both.

use crate::{Error, Result};
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use std::fmt::Display;
use toml::{Table, Value};

/// Similarity (Jaro–Winkler, 0 to 1) from which a known name is offered as what was meant.
const NEAR: f64 = 0.7;

/// Reads `table`; `origin` (a file's name, `command line`) starts every error.
///
/// # Errors
/// [`Error::Argument`] for an unknown or missing key, an unknown name or a value of the wrong
/// type; it names the key's whole path.
pub(crate) fn read<T: DeserializeOwned>(table: Table, origin: &str) -> Result<T> {
    T::deserialize(Node(Value::Table(table))).map_err(|mistake| mistake.into_error(origin))
}

/// [`read`] of a table that lies at `place` (`layers.2`) of what `origin` names.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_at<T: DeserializeOwned>(table: Table, origin: &str, place: &str) -> Result<T> {
    let read = T::deserialize(Node(Value::Table(table)));
    read.map_err(|mistake| mistake.inside(place).into_error(origin))
}

/// `expected` for a name that is not among `known`: the nearest first.
pub(crate) fn nearest(found: &str, known: &[&str]) -> String {
    let similarity = |name: &&&str| strsim::jaro_winkler(found, name);
    let nearest = known
        .iter()
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match nearest {
        Some(name) if similarity(&name) >= NEAR => {
            format!("{name} (the nearest of {})", known.join(", "))
        }
        Some(_) => format!("one of {}", known.join(", ")),
        None => "no key here".into(),
    }
}

/// What is wrong with one key.
#[derive(Debug)]
struct Mistake {
    /// From the root to the key, innermost first while it travels outwards.
    path: Vec<String>,
    found: String,
    expected: String,
}

impl Mistake {
    fn new(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            found: found.into(),
            expected: expected.into(),
        }
    }

    fn inside(mut self, key: &str) -> Self {
        self.path.push(key.into());
        self
    }

    /// Names the value, or the key in it, where serde did not: it reads a table with a tag without
    /// its keys.
    fn about(mut self, value: &Value) -> Self {
        if !self.path.is_empty() {
            return self;
        }
        if self.found == UNNAMED {
            self.found = shown(value);
        } else if let Value::Table(table) = value {
            let found = |entry: &Value| match entry {
                Value::Array(items) => self.found == A_LIST || self.found == list_of(items.len()),
                Value::Table(_) => self.found == A_TABLE,
                other => self.found == shown(other),
            };
            let mut suspects = table.iter().filter(|(_, entry)| found(entry));
            if let (Some((key, _)), None) = (suspects.next(), suspects.next()) {
                let key = key.clone();
                return self.inside(&key);
            }
        }
        self
    }

    fn into_error(self, origin: &str) -> Error {
        let path: Vec<_> = self.path.iter().rev().map(String::as_str).collect();
        let place = if path.is_empty() {
            origin.into()
        } else {
            format!("{origin}: {}", path.join("."))
        };
        Error::Argument {
            argument: place,
            found: self.found,
            expected: self.expected,
        }
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "found {}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for Mistake {}

/// What was found, when serde does not say it.
const UNNAMED: &str = "a value that does not fit";
const A_LIST: &str = "a list";
const A_TABLE: &str = "a table";

fn list_of(items: usize) -> String {
    format!("{A_LIST} of {items} values")
}

/// A value as TOML writes it, its beginning when it is long.
fn shown(value: &Value) -> String {
    const SHOWN: usize = 80;
    let text = value.to_string().escape_debug().to_string();
    let text = text.replace("\\\"", "\"");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What was found, as TOML calls it.
fn found_in_toml(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(flag) => flag.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Float(number) => format!("{number:?}"),
        Unexpected::Str(text) => shown(&Value::String((*text).into())),
        Unexpected::Seq => A_LIST.into(),
        Unexpected::Map => A_TABLE.into(),
        _ => UNNAMED.into(),
    }
}

/// serde names Rust's types; users know TOML's.
fn plain(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number, 0 or more".into(),
        "isize" | "i64" | "i32" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a string" | "path string" => "a text in quotes".into(),
        "variant identifier" => "a name".into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        other if other.starts_with("struct ") => "a table".into(),
        "internally tagged enum Layer" => "a table with a kind, { kind = … }".into(),
        other if other.starts_with("internally tagged enum") => {
            "a table with a name, { name = … }".into()
        }
        other if other.starts_with("an array of length ") => {
            format!("a list of {} values", &other["an array of length ".len()..])
        }
        other
            if ["enum ", "tuple ", "unit "]
                .iter()
                .any(|rust| other.starts_with(rust)) =>
        {
            "another value".into()
        }
        other => other.into(),
    }
}

impl serde::de::Error for Mistake {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(UNNAMED, message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(found_in_toml(&found), plain(expected))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(found_in_toml(&found), plain(expected))
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::new(list_of(found), plain(expected))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::new(format!("unknown key {field}"), nearest(field, known))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(variant, nearest(variant, known))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("no value", "one").inside(field)
    }
}

/// A value of the tree.
struct Node(Value);

impl<'de> Deserializer<'de> for Node {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            Value::Integer(number) => visitor.visit_i64(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Boolean(flag) => visitor.visit_bool(flag),
            Value::Datetime(date) => visitor.visit_string(date.to_string()),
            Value::Array(items) => visitor.visit_seq(Items {
                next: 0,
                items: items.into_iter(),
            }),
            Value::Table(table) => visitor.visit_map(Entries {
                entries: table.into_iter(),
                value: None,
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Choice { name, value: None }),
            Value::Table(table) if table.len() == 1 => {
                let (name, value) = table.into_iter().next().unwrap_or_else(|| {
                    unreachable!("the guard saw one entry");
                });
                let value = Some(value);
                visitor.visit_enum(Choice { name, value })
            }
            other => Err(Mistake::new(
                shown(&other),
                format!("one of {}", variants.join(", ")),
            )),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Entries {
    entries: toml::map::IntoIter<String, Value>,
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((key.clone(), value));
        let key: StringDeserializer<Mistake> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let Some((key, value)) = self.value.take() else {
            return Err(Mistake::new("no value", "one after each key"));
        };
        seed.deserialize(Node(value.clone()))
            .map_err(|mistake| mistake.about(&value).inside(&key))
    }
}

struct Items {
    next: usize,
    items: std::vec::IntoIter<Value>,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let place = self.next.to_string();
        self.next += 1;
        let element = seed.deserialize(Node(item.clone()));
        element
            .map(Some)
            .map_err(|mistake| mistake.about(&item).inside(&place))
    }
}

/// `name`, or `{ name = value }`.
struct Choice {
    name: String,
    value: Option<Value>,
}

impl<'de> EnumAccess<'de> for Choice {
    type Error = Mistake;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content), Mistake> {
        let name: StringDeserializer<Mistake> = self.name.clone().into_deserializer();
        let variant = seed.deserialize(name)?;
        let content = Content {
            name: self.name,
            value: self.value,
        };
        Ok((variant, content))
    }
}

/// What stands behind a variant's name.
struct Content {
    name: String,
    value: Option<Value>,
}

impl Content {
    fn value(self) -> Result<(String, Value), Mistake> {
        if let Some(value) = self.value {
            Ok((self.name, value))
        } else {
            let expected = format!("{{ {} = … }}", self.name);
            Err(Mistake::new(self.name, expected))
        }
    }
}

impl<'de> VariantAccess<'de> for Content {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        if self.value.is_none() {
            Ok(())
        } else {
            let found = format!("{{ {} = … }}", self.name);
            Err(Mistake::new(found, format!("the bare name {}", self.name)))
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mistake> {
        let (name, value) = self.value()?;
        seed.deserialize(Node(value))
            .map_err(|mistake| mistake.inside(&name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Mistake> {
        let (name, value) = self.value()?;
        let content = Node(value).deserialize_any(visitor);
        content.map_err(|mistake| mistake.inside(&name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.tuple_variant(0, visitor)
    }
}

/// Lets a visitor that accepts a table hand it to a struct's own reader.
pub(crate) fn from_map<'de, T: serde::Deserialize<'de>, A: MapAccess<'de>>(
    map: A,
) -> Result<T, A::Error> {
    T::deserialize(MapAccessDeserializer::new(map))
}
