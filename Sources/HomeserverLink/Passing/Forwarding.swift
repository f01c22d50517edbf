import HTTPTypes
import MatrixFederation
import MatrixHTTP

/// Which header fields go from one side to the other, and how the homeserver learns who asked.
///
/// What belongs to one connection stays there: RFC 9110, section 7.6.1. `X-Forwarded-For` and `X-Forwarded-Proto` of a
/// reverse proxy that is trusted are continued, those of anybody else replaced.
public struct Forwarding: Sendable {
    /// Whose word on where a request comes from is taken.
    public var trustedProxies: [AddressRange]
    /// How this listener is spoken to: `http` or `https`.
    public var scheme: String
    /// - Parameter scheme: what clients that come without a reverse proxy speak.
    public init(trustedProxies: [AddressRange], scheme: String = "http") {
        self.trustedProxies = trustedProxies
        self.scheme = scheme
    }

    /// Whether `request` came from us: the homeserver's address is our own.
    func wasHere(_ request: MatrixRequest) -> Bool {
        request.headers[values: .via].contains { $0.contains(Forwarding.name) }
    }

    /// The fields of `request` as the homeserver is to get them, its length left out. RFC 9110, section 7.6.3: `Via`.
    func fields(of request: MatrixRequest) -> HTTPFields {
        var fields = Forwarding.endToEnd(request.headers)
        fields[.contentLength] = nil
        fields[.expect] = nil
        return addOrigin(of: request, to: fields)
    }

    /// What a question of our own, caused by `request`, says of who caused it.
    func origin(of request: MatrixRequest) -> HTTPFields {
        var fields = HTTPFields()
        fields[.userAgent] = request.headers[.userAgent]
        for name in Forwarding.forwarding { fields[values: name] = request.headers[values: name] }
        return addOrigin(of: request, to: fields)
    }

    /// What a question says that no request of HTTP caused.
    static var ownFields: HTTPFields {
        var fields = HTTPFields()
        fields[.userAgent] = "presenced"
        fields[.via] = "1.1 \(name)"
        return fields
    }

    private func addOrigin(of request: MatrixRequest, to fields: HTTPFields) -> HTTPFields {
        var fields = fields
        if let authority = request.authority { fields[.host] = authority }
        let peer = request.peerAddress ?? "unknown"
        let isTrusted = IPAddress(parsing: peer).map { peer in trustedProxies.contains { $0.contains(peer) } } ?? false
        if !isTrusted { for name in Forwarding.forwarding { fields[name] = nil } }
        fields[.forwardedFor] = (fields[values: .forwardedFor] + [peer]).joined(separator: ", ")
        fields[.forwardedProto] = fields[.forwardedProto] ?? scheme
        fields[.via] = (fields[values: .via] + ["1.1 \(Forwarding.name)"]).joined(separator: ", ")
        return fields
    }

    /// The fields without those that belong to the connection they came over.
    static func endToEnd(_ fields: HTTPFields) -> HTTPFields {
        var named: Set<String> = []
        for value in fields[values: .connection] {
            for option in value.split(separator: ",") {
                named.insert(option.lowercased().filter { $0 != " " && $0 != "\t" })
            }
        }
        return fields.filter { field in
            let name = field.name.canonicalName
            return !Forwarding.hopByHop.contains(name) && !named.contains(name)
        }
    }

    /// How this process is named in `Via`, to know a request that comes back to it.
    private static let name = "presenced-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    private static let hopByHop: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade",
    ]
    /// What a reverse proxy says of who asked.
    private static let forwarding: [HTTPField.Name] = [
        .forwardedFor, .forwardedProto, .forwardedHost, .forwarded, .realIP,
    ]
}

extension HTTPField.Name {
    // The names are tokens, so none of them is missing.
    static let host = HTTPField.Name("Host") ?? .eTag
    static let forwarded = HTTPField.Name("Forwarded") ?? .eTag
    static let forwardedFor = HTTPField.Name("X-Forwarded-For") ?? .eTag
    static let forwardedHost = HTTPField.Name("X-Forwarded-Host") ?? .eTag
    static let forwardedProto = HTTPField.Name("X-Forwarded-Proto") ?? .eTag
    static let via = HTTPField.Name("Via") ?? .eTag
    static let realIP = HTTPField.Name("X-Real-IP") ?? .eTag
}
