import HTTPTypes
import HummingbirdCore
import MatrixWire
import NIOCore

/// One request as it came in, with its path as it stood on the request line.
public struct MatrixRequest: Sendable {
    /// In upper case, as sent.
    public let method: String
    /// Path and query, byte for byte as on the request line: what peers sign.
    public let target: String
    /// The header fields as they came.
    public let headers: HTTPFields
    /// The raw (still percent-encoded) path segments that the route left open, in their order.
    public internal(set) var captures: [Substring] = []
    /// The `Host` of the request.
    public let authority: String?
    /// The body as it comes in. May be read once, and by one reader at a time.
    public let body: RequestBody
    private let channel: (any Channel)?

    /// - Parameter channel: where it came in, if it came over a connection.
    init(_ request: Request, on channel: (any Channel)? = nil) {
        method = request.head.method.rawValue
        target = request.head.path ?? "/"
        headers = request.headers
        authority = request.head.authority
        body = request.body
        self.channel = channel
    }

    /// The IP address at the other end of the connection: the client's, or that of a reverse proxy.
    public var peerAddress: String? { channel?.remoteAddress?.ipAddress }

    /// Comes when the client closes its connection.
    public func hangup() async -> Hangup? {
        guard let channel else { return nil }
        return try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: HangupWatch.self).hangup
        }.get()
    }

    /// The path without the query.
    public var path: Substring { target.prefix { $0 != "?" } }

    /// The first value of `name` in the query, percent-decoded, `+` as a blank; `nil` if it is not there.
    /// - Throws: 400 `M_INVALID_PARAM` for a bad escape or bad UTF-8.
    public func queryValue(_ name: String) throws(MatrixErrorBody) -> String? {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        for pair in target[target.utf8.index(after: mark)...].split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts[0] == name else { continue }
            let value = parts.count > 1 ? parts[1] : ""
            guard let text = PercentEncoding.decode(String(value.map { $0 == "+" ? " " : $0 })) else {
                throw MatrixErrorBody(.invalidParameter, "The query holds a bad percent-encoding.")
            }
            return text
        }
        return nil
    }

    /// The token of the header `Authorization: Bearer …`; `nil` without that header.
    /// - Throws: 401 in Synapse's words if the header is of another form.
    public func bearerToken() throws(MatrixErrorBody) -> String? {
        guard let header = headers[.authorization] else { return nil }
        let parts = header.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0] == "Bearer" else {
            throw MatrixErrorBody(.missingToken, "Invalid Authorization header.")
        }
        return String(parts[1])
    }

    /// The access token, from the header or (as old clients and `EventSource` have it) from the query.
    /// - Throws: 401 in Synapse's words if there is none.
    public func accessToken() throws(MatrixErrorBody) -> String {
        var token = try bearerToken()
        if token == nil { token = try queryValue("access_token") }
        guard let token else { throw .noToken }
        return token
    }

    /// The percent-decoded segment that the route left open at `place`.
    /// - Throws: 400 `M_INVALID_PARAM` for a bad escape or bad UTF-8.
    public func capture(_ place: Int) throws(MatrixErrorBody) -> String {
        guard let text = PercentEncoding.decode(captures[place]) else {
            throw MatrixErrorBody(.invalidParameter, "The path holds a bad percent-encoding.")
        }
        return text
    }

    /// The whole body.
    /// - Throws: 413 `M_TOO_LARGE` past `limit` bytes; 400 if the connection ended before the body did.
    public func bodyBytes(limit: Int) async throws(MatrixErrorBody) -> [UInt8] {
        try await bodyBytes(limit: limit) { (_) throws(MatrixErrorBody) in }
    }

    /// The whole body, as far as there is room for it.
    /// - Throws: as ``bodyBytes(limit:)``, and 429 `M_LIMIT_EXCEEDED` where `share` has no room left.
    public func bodyBytes<Key>(
        limit: Int, within share: BodyBudget<Key>.Share
    ) async throws(MatrixErrorBody) -> [UInt8] {
        try await bodyBytes(limit: limit) { (count) throws(MatrixErrorBody) in try share.take(count) }
    }

    /// Refuses a body by what its head says of it, before a byte of it is read.
    /// - Throws: 413 `M_TOO_LARGE`.
    public func refuseLongBody(limit: Int) throws(MatrixErrorBody) {
        guard let announced = headers[.contentLength].flatMap({ Int($0) }), announced > limit else { return }
        throw MatrixRequest.tooLarge(limit)
    }

    private func bodyBytes(
        limit: Int, admitting admit: (Int) throws(MatrixErrorBody) -> Void
    ) async throws(MatrixErrorBody) -> [UInt8] {
        try refuseLongBody(limit: limit)
        var bytes: [UInt8] = []
        do {
            for try await part in body {
                guard bytes.count + part.readableBytes <= limit else { throw MatrixRequest.tooLarge(limit) }
                try admit(part.readableBytes)
                part.withUnsafeReadableBytes { bytes.append(contentsOf: $0) }
            }
        } catch let error as MatrixErrorBody {
            throw error
        } catch {
            throw MatrixErrorBody(.notJSON, "The body ended early.")
        }
        return bytes
    }

    private static func tooLarge(_ limit: Int) -> MatrixErrorBody {
        MatrixErrorBody(.tooLarge, "The body must not be longer than \(limit) bytes.")
    }

    /// Runs `operation`, and calls `end` if the client closes the connection meanwhile. The connection is closed
    /// afterwards; the body must not have been read.
    public func whileOpen(
        orElse end: @escaping @Sendable () -> Void, _ operation: () async throws -> Void
    ) async throws {
        try await body.consumeWithInboundCloseHandler({ _ in try await operation() }, onInboundClosed: end)
    }
}
