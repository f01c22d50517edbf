/// The one form of a JSON value that signatures are made over: keys sorted by Unicode code point, no blanks, the
/// shortest escapes, whole numbers.
///
/// Spec: appendices, canonical JSON.
public enum CanonicalJSON {
    /// A ``JSONValue/fraction(_:)`` has no canonical form and is written as it came.
    public static func encode(_ value: JSONValue) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(value)
        return writer.bytes
    }

    /// What is signed of a document: its canonical form without `signatures` and `unsigned`.
    ///
    /// Spec: appendices, signing JSON.
    public static func signingBytes(ofObject object: JSONObject) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(object, leavingOut: ["signatures", "unsigned"])
        return writer.bytes
    }
}
