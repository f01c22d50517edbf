import MatrixWire
import PresenceModel

/// Headers by which a request is its sender's: each link of a chain that signs `METHOD:PATH:TIMESTAMP:METADATA`, the time
/// and the metadata. ADR-44, as ADR-322 amends it; facts: social service, section 6.1.
public struct SignedFetch: Hashable, Sendable {
    /// The last link signs ``text``.
    public var chain: AuthChain
    /// Milliseconds since the epoch, in decimal.
    public var timestamp: String
    /// JSON; taken as it is.
    public var metadata: String

    /// Signed headers as given.
    public init(chain: AuthChain, timestamp: String, metadata: String) {
        self.chain = chain
        self.timestamp = timestamp
        self.metadata = metadata
    }

    /// What opens a WebSocket of the production service: `get:/:TIMESTAMP:{}`.
    /// - Parameter now: the service takes it for five minutes.
    public init(opening identity: EphemeralIdentity, at now: Instant) {
        timestamp = String(now.millisecondsSinceEpoch)
        metadata = "{}"
        chain = identity.signing(SignedFetch.text(timestamp: timestamp, metadata: metadata))
    }

    /// What is signed to open a WebSocket. In lower case but for the metadata, which older services lower as well.
    public static func text(timestamp: String, metadata: String) -> String { "get:/:\(timestamp):\(metadata)" }

    /// Names in lower case, in the order in which clients write them.
    public var headers: [(name: String, value: String)] {
        var headers = chain.links.enumerated().map { place, link in
            (name: "x-identity-auth-chain-\(place)", value: link.json)
        }
        headers.append((name: "x-identity-timestamp", value: timestamp))
        headers.append((name: "x-identity-metadata", value: metadata))
        return headers
    }

    /// A JSON object of the headers, as the first message of a WebSocket has them.
    public var message: String {
        var writer = JSONWriter(capacity: 1024)
        writer.beginObject()
        for header in headers {
            writer.key(escaping: header.name)
            writer.string(header.value)
        }
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension AuthLink {
    fileprivate var json: String {
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.key("type")
        writer.string(type)
        writer.key("payload")
        writer.string(payload)
        writer.key("signature")
        writer.string(signature)
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
