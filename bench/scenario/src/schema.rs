//! The JSON Schemas of the scenario file, of the node file and of the sweep file.

use schemars::Schema;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

/// The JSON Schema (2020-12) of the scenario file, for editors that check and complete while one types.
///
/// It knows the keys, the units and which keys must stand; what depends on more than one value, only [`crate::load`] checks.
pub fn schema() -> Schema {
    let mut schema = schemars::schema_for!(crate::file::File);
    tidy(&mut schema);
    schema
}

/// The JSON Schema (2020-12) of the node file, likewise; [`crate::load_node`] checks the rest.
pub fn node_schema() -> Schema {
    let mut schema = schemars::schema_for!(crate::node_file::NodeFile);
    tidy(&mut schema);
    schema
}

/// The JSON Schema (2020-12) of the sweep file, likewise; [`crate::load_sweep`] checks the rest.
pub fn sweep_schema() -> Schema {
    let mut schema = schemars::schema_for!(crate::sweep_file::SweepFile);
    tidy(&mut schema);
    schema
}

fn tidy(schema: &mut Schema) {
    unwrap_lines(schema);
    refuse_null(schema);
    transform_subschemas(&mut tidy as &mut dyn Transform, schema);
}

/// A key that may be left out is an `Option` to serde, which would also take `null`; the reader does not.
fn refuse_null(schema: &mut Schema) {
    let null = serde_json::json!("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| *kind != null);
        if let [only] = &types[..] {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::Array(kinds)) = schema.get_mut("anyOf") {
        kinds.retain(|kind| kind.get("type") != Some(&null));
    }
}

/// Descriptions come from comments that are wrapped for the source; an editor wraps them for itself.
fn unwrap_lines(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        let paragraphs: Vec<String> = description.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *description = paragraphs.join("\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `visit` with each object schema that has properties, and its path.
    fn objects(value: &Value, path: &str, visit: &mut impl FnMut(&str, &serde_json::Map<String, Value>)) {
        if let Value::Object(map) = value {
            if map.get("type") == Some(&"object".into()) && map.contains_key("properties") {
                visit(path, map);
            }
            for (key, value) in map {
                objects(value, &format!("{path}/{key}"), visit);
            }
        }
    }

    #[test]
    fn every_key_is_described_and_no_other_is_allowed() {
        for schema in [schema().to_value(), node_schema().to_value(), sweep_schema().to_value()] {
            let mut seen = 0;
            objects(&schema, "", &mut |path, object| {
                assert_eq!(object.get("additionalProperties"), Some(&Value::Bool(false)), "{path}");
                for (key, property) in object["properties"].as_object().unwrap() {
                    let text = property.get("description").and_then(Value::as_str).unwrap_or_default();
                    assert!(text.len() > 10, "{path}: `{key}` has no description: {property}");
                    assert!(!text.replace("\n\n", "").contains('\n'), "{path}: `{key}` is wrapped");
                    seen += 1;
                }
            });
            assert!(seen > 30, "only {seen} keys");
        }
    }

    #[test]
    fn null_is_nowhere_allowed() {
        for schema in [schema().to_value(), node_schema().to_value(), sweep_schema().to_value()] {
            assert!(!schema.to_string().contains("\"null\"") && !schema.to_string().contains("null,"), "{schema}");
        }
    }

    #[test]
    fn what_must_stand_is_required() {
        let schema = schema().to_value();
        assert_eq!(schema["required"], serde_json::json!(["scenario", "epoch", "duration", "nodes", "links"]));
        let required = |name: &str| schema["$defs"][name]["required"].clone();
        assert_eq!(required("LinkEntry"), serde_json::json!(["forward", "return"]));
        for channel in ["forward", "return"] {
            let channel = &schema["$defs"]["LinkEntry"]["properties"][channel];
            assert_eq!(channel["required"], serde_json::json!(["from", "to", "rate"]));
        }
        assert_eq!(required("NodeEntry"), serde_json::json!(["eid"]));
        assert_eq!(required("ContactEntry"), serde_json::json!(["start", "end"]));
    }

    #[test]
    fn only_what_can_be_used_is_offered() {
        let schema = schema().to_value();
        assert_eq!(schema["$defs"]["NodeEntry"]["properties"]["kind"]["enum"], serde_json::json!(["builtin"]));
        let body = &schema["$defs"]["SiteEntry"]["properties"]["body"]["enum"];
        assert!(body.as_array().unwrap().contains(&"mars".into()), "{body}");
    }
}
