import AsyncHTTPClient
import HTTPTypes
import HummingbirdCore
import MatrixHTTP
import MatrixWire
import NIOCore

/// Passes requests on to the homeserver and its answers back, both as they come, neither looked into.
///
/// The target goes on byte for byte. A client that goes away takes its request back; an answer that breaks off closes
/// the client's connection, so that nobody takes it for a whole one. RFC 9110, sections 7.6 and 9.2.2.
public struct PassThrough: Sendable {
    /// What is to be learned in passing.
    struct Watching: Sendable {
        /// Bodies of requests up to this length are kept until the answer begins; `nil`: none.
        var bodyLimit: Int?
        /// Called with the status and the body when the answer begins, which goes on when this returns.
        var answered: @Sendable (_ status: Int, _ body: BodyRelay.Copy) async -> Void
        /// Called with the whole body of an answer 200; what it returns goes to the client in its place. One that is
        /// announced to be longer than is read passes as it is; one that is longer unannounced is refused with 502.
        var rewritten: (@Sendable (_ answer: [UInt8]) async -> [UInt8])?

        /// The longest answer that is read, many times what one to a login has.
        static let rewrittenLimitBytes = 256 << 10
    }

    let upstream: Upstream
    let forwarding: Forwarding

    /// - Parameter forwarding: the same for everything that comes in at one listener.
    public init(upstream: Upstream, forwarding: Forwarding) {
        self.upstream = upstream
        self.forwarding = forwarding
    }

    /// Passes `request` on.
    /// - Throws: 502 `M_UNKNOWN` if the homeserver gives no answer, 504 if it gives none in time; 404 for a target that
    ///   is no path.
    public func answer(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        try await answer(request, Watching { _, _ in })
    }

    /// The request as the homeserver is to get it, without its body.
    func call(for request: MatrixRequest, hangup: Hangup?) throws(MatrixErrorBody) -> Upstream.Call {
        guard request.target.utf8.first == UInt8(ascii: "/") else { throw .unknownPath }
        guard !forwarding.wasHere(request) else { throw .goesInCircles }
        let coding = request.headers[.transferEncoding]
        guard coding == nil || coding?.lowercased() == "chunked" else { throw .unknownCoding }
        var call = Upstream.Call(request.method, request.target, headers: forwarding.fields(of: request))
        call.wait = PassThrough.wait(of: request)
        call.hangup = hangup
        return call
    }

    func answer(_ request: MatrixRequest, _ watching: Watching) async throws(MatrixErrorBody) -> Answer {
        let hangup = await request.hangup()
        var call = try call(for: request, hangup: hangup)
        let relay = BodyRelay(request, copyLimit: watching.bodyLimit)
        if let relay { call.body = .stream(relay, length: PassThrough.length(of: request)) }
        if watching.rewritten != nil { call.headers[.acceptEncoding] = "identity" }
        let reply: Upstream.Reply
        do throws(UpstreamError) {
            reply = try await send(call)
        } catch {
            await relay?.close()
            throw error.refusal
        }
        await watching.answered(reply.status, relay?.copy ?? .none)
        if let rewritten = watching.rewritten, reply.isShort {
            return try await PassThrough.answer(with: reply, rewritten) { await relay?.close() }
        }
        return PassThrough.answer(with: reply, to: request, hangup: hangup) { await relay?.close() }
    }

    /// A connection that the homeserver was about to close anyway says nothing of the homeserver: what may be asked
    /// twice is.
    func send(_ call: Upstream.Call) async throws(UpstreamError) -> Upstream.Reply {
        do throws(UpstreamError) {
            return try await upstream.send(call)
        } catch {
            guard error.isStaleConnection, call.body == nil, call.method == "GET" || call.method == "HEAD" else {
                throw error
            }
        }
        return try await upstream.send(call)
    }

    /// The homeserver's answer on its way to the client; `finish` is called when it is there or broke off.
    static func answer(
        with reply: Upstream.Reply, to request: MatrixRequest, hangup: Hangup?,
        finish: @escaping @Sendable () async -> Void
    ) -> Answer {
        var headers = Forwarding.endToEnd(reply.headers)
        let isHead = request.method == "HEAD"
        // The end of such an answer cannot be told from its head, so the connection ends with it.
        let endsConnection = isHead && headers[.contentLength] == nil
        if endsConnection { headers[.connection] = "close" }
        let hasBody = !isHead && reply.status != 204 && reply.status != 304
        let hangups = [hangup].compactMap(\.self)
        return .passedOn(status: reply.status, headers: headers) { writer in
            let out = OneWriter(writer)
            do {
                try await Hangup.cancelling(at: hangups) {
                    var writer = out.writer
                    for try await part in reply.body where hasBody { try await writer.write(part) }
                    try await writer.finish(nil)
                }
            } catch {
                await finish()
                throw error
            }
            await finish()
            if endsConnection { throw CancellationError() }
        }
    }

    /// The homeserver's answer, read as a whole and changed.
    private static func answer(
        with reply: Upstream.Reply, _ rewritten: @Sendable ([UInt8]) async -> [UInt8],
        finish: @escaping @Sendable () async -> Void
    ) async throws(MatrixErrorBody) -> Answer {
        let body: [UInt8]
        do throws(UpstreamError) {
            body = try await reply.bytes(limit: Watching.rewrittenLimitBytes)
        } catch {
            await finish()
            throw error.refusal
        }
        let bytes = await rewritten(body)
        var headers = Forwarding.endToEnd(reply.headers)
        headers[.contentLength] = String(bytes.count)
        return .passedOn(status: reply.status, headers: headers) { writer in
            // Who is gone by now gets no answer; the request is over all the same.
            let isSent: Void? = try? await writer.write(ByteBuffer(bytes: bytes))
            await finish()
            guard isSent != nil else { throw CancellationError() }
            try await writer.finish(nil)
        }
    }

    private static func length(of request: MatrixRequest) -> HTTPClientRequest.Body.Length {
        request.headers[.contentLength].flatMap { Int64($0) }.map { .known($0) } ?? .unknown
    }

    /// How long the homeserver is asked to wait for something new.
    static func wait(of request: MatrixRequest) -> Duration? {
        guard request.path.hasSuffix("/sync") || request.path.hasSuffix("/events") else { return nil }
        guard let text = (try? request.queryValue("timeout")) ?? nil, let milliseconds = Int64(text) else {
            return .zero
        }
        return .milliseconds(min(max(milliseconds, 0), 86_400_000))
    }
}

extension Upstream.Reply {
    fileprivate var isShort: Bool {
        guard status == 200 else { return false }
        guard let length = headers[.contentLength].flatMap({ Int($0) }) else { return true }
        return length <= PassThrough.Watching.rewrittenLimitBytes
    }
}

extension BodyRelay {
    /// `nil` for a request without a body.
    fileprivate convenience init?(_ request: MatrixRequest, copyLimit: Int?) {
        let announced = request.headers[.contentLength].flatMap { Int($0) }
        guard announced ?? 0 > 0 || request.headers[.transferEncoding] != nil else { return nil }
        self.init(request.body, length: announced, copyLimit: copyLimit)
    }
}

/// A response's writer, lent to one task whose end is waited for.
struct OneWriter: @unchecked Sendable {
    let writer: any ResponseBodyWriter

    init(_ writer: any ResponseBodyWriter) { self.writer = writer }
}

extension MatrixErrorBody {
    fileprivate static let unknownCoding = MatrixErrorBody(
        .unknown, "Of transfer codings, only chunked is understood.", status: 501)
    fileprivate static let goesInCircles = MatrixErrorBody(
        .unknown, "homeserver.url leads back to presenced; it must be the homeserver's own address.", status: 502)
}
