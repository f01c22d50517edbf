import PresenceModel

/// What one server signs of a request to another.
///
/// Spec: server-server API, request authentication.
public enum SignedRequest {
    /// The canonical JSON to sign or to verify: `{"content":…,"destination":…,"method":…,"origin":…,"uri":…}`.
    ///
    /// - Parameters:
    ///   - method: in upper case.
    ///   - uri: path and query, byte for byte as on the request line.
    ///   - destination: the server that the request is meant for, whether or not the header names it.
    ///   - content: the body in canonical form (``ParsedJSON/canonicalBytes(from:)``); `nil` if there is none.
    public static func signingBytes(
        method: String, uri: String, origin: ServerName, destination: ServerName, content: [UInt8]?
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: (content?.count ?? 0) + uri.utf8.count + 512)
        writer.beginObject()
        if let content {
            writer.key("content")
            writer.raw(content)
        }
        writer.key("destination")
        writer.string(destination.text)
        writer.key("method")
        writer.string(method)
        writer.key("origin")
        writer.string(origin.text)
        writer.key("uri")
        writer.string(uri)
        writer.endObject()
        return writer.bytes
    }
}
