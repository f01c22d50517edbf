import AsyncHTTPClient
import HTTPTypes
import Logging
import MatrixHTTP
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// The connections to our homeserver.
///
/// Everything that is said to the homeserver goes through one of these: passed-through requests, look-ups of tokens,
/// and questions of our own. Redirections are not followed and bodies are not unpacked. One ``send(_:)`` takes one
/// connection until the last byte of its answer was read or the body was let go.
public final class Upstream: Sendable {
    /// Where the homeserver is, and how long it may take.
    public struct Configuration: Sendable {
        /// Where the homeserver listens.
        public var origin: HomeserverOrigin
        /// PEM certificates that are trusted beside the system's.
        public var extraAuthorities: String?
        /// For a connection to stand.
        public var connectTimeout: Duration = .seconds(10)
        /// For the head of an answer, and for each further part of its body; a long-poll has its own wait on top.
        public var timeout: Duration = .seconds(60)
        /// The most connections at once, of prompt requests and of long-polls each; what comes on top waits for a
        /// free one, at most the time-out.
        public var connections = 16_384
        /// A connection that nobody used for this long is closed: sooner than a homeserver does, so that no request
        /// goes into a connection that is being closed.
        public var idleConnectionTimeout: Duration = .seconds(15)

        /// The defaults above.
        public init(origin: HomeserverOrigin) { self.origin = origin }
    }

    /// One request to the homeserver.
    public struct Call: Sendable {
        /// In upper case.
        public var method: String
        /// Path and query, byte for byte as they are to stand on the request line.
        public var target: String
        /// Without those that belong to the connection: `Host`, where it is left out, and the length are put in.
        public var headers: HTTPFields
        /// `nil` for none.
        public var body: HTTPClientRequest.Body?
        /// How long the homeserver was asked to wait, for a long-poll; `nil` for everything else.
        public var wait: Duration?
        /// The answer is to be looked into: gzip and deflate are unpacked, though its header fields stay as they came.
        public var unpacks = false
        /// Comes when whoever asked does not want the answer any more.
        public var hangup: Hangup?

        /// A request without a body.
        public init(_ method: String, _ target: String, headers: HTTPFields = [:], wait: Duration? = nil) {
            self.method = method
            self.target = target
            self.headers = headers
            self.wait = wait
        }
    }

    /// What the homeserver answers; the body comes as it is read, and throws where it breaks off.
    public struct Reply: Sendable {
        /// The HTTP status code.
        public var status: Int
        /// All of them, also those that belong to the connection.
        public var headers: HTTPFields
        /// The raw bytes, as compressed as they came, unless the call unpacks. Letting it go, or cancelling the task
        /// that reads it, closes the connection.
        public var body: HTTPClientResponse.Body

        /// An answer as given; others than those of ``Upstream/send(_:)`` are for tests.
        public init(status: Int, headers: HTTPFields = [:], body: HTTPClientResponse.Body = .init()) {
            self.status = status
            self.headers = headers
            self.body = body
        }

        /// The whole body.
        /// - Throws: ``UpstreamError`` with `broken`, also for more than `limit` bytes.
        public func bytes(limit: Int) async throws(UpstreamError) -> [UInt8] {
            do {
                return Array((try await body.collect(upTo: limit)).readableBytesView)
            } catch {
                throw UpstreamError(error, whileReading: true)
            }
        }
    }

    /// The longest wait of a long-poll: what asks for more gets 504 after this.
    public static let longPollLimit: Duration = .seconds(3600)

    private let configuration: Configuration
    private let prompt: HTTPClient
    private let patient: HTTPClient
    private let unpacking: HTTPClient
    private let url: String
    private let stopping = Hangup()
    private let isDown = Mutex(false)
    private let logger: Logger

    /// Connects when there is something to say.
    /// - Throws: `NIOSSLError` if the extra authorities cannot be read.
    public init(_ configuration: Configuration, group: any EventLoopGroup, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        url = configuration.origin.text + "/"
        var settings = HTTPClient.Configuration(redirectConfiguration: .disallow, decompression: .disabled)
        settings.httpVersion = .http1Only
        settings.timeout = .init(
            connect: TimeAmount(configuration.connectTimeout), read: TimeAmount(configuration.timeout))
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.connections
        settings.connectionPool.idleTimeout = TimeAmount(configuration.idleConnectionTimeout)
        settings.connectionPool.retryConnectionEstablishment = false
        // Nobody reads traces, and a span costs every waiting request 3 kB.
        settings.tracing.tracer = nil
        settings.http1_1ConnectionDebugInitializer = { channel in
            UnkeptReads.install(in: channel).flatMap { RequestTarget.install(in: channel) }
        }
        if let path = configuration.extraAuthorities {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(path))]
            settings.tlsConfiguration = tls
        }
        prompt = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings)
        settings.timeout.read = TimeAmount(Upstream.longPollLimit)
        patient = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings)
        settings.decompression = .enabled(limit: .none)
        unpacking = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings)
    }

    deinit {
        // They must not go without it, and it does no harm twice.
        let clients = [prompt, patient, unpacking]
        Task { for client in clients { try? await client.shutdown() } }
    }

    /// Asks, and returns with the head of the answer. Cancelling the task takes the request back, and so does the
    /// call's hang-up, and a long-poll that waits is taken back by ``endWaits()``.
    /// - Throws: ``UpstreamError``.
    public func send(_ call: Call) async throws(UpstreamError) -> Reply {
        let hangups = [call.hangup, call.wait == nil ? nil : stopping].compactMap(\.self)
        let response: HTTPClientResponse
        do {
            if hangups.isEmpty {
                response = try await execute(call)
            } else {
                response = try await Hangup.cancelling(at: hangups) { try await self.execute(call) }
            }
        } catch {
            let error = UpstreamError(error, whileReading: false)
            note(error)
            throw error
        }
        note(nil)
        var headers = HTTPFields()
        for (name, value) in response.headers {
            guard let name = HTTPField.Name(name) else { continue }
            headers.append(HTTPField(name: name, value: value))
        }
        return Reply(status: Int(response.status.code), headers: headers, body: response.body)
    }

    /// Asks and reads the whole answer, as questions of our own need it; the call's wait is for both together.
    /// - Throws: ``UpstreamError``, with `broken` for an answer of more than `limit` bytes.
    public func ask(
        _ call: Call, within time: Duration, limit: Int
    ) async throws(UpstreamError) -> (status: Int, headers: HTTPFields, body: [UInt8]) {
        let late = Hangup()
        let timer = Task {
            try await Task.sleep(for: time)
            late.come()
        }
        defer { timer.cancel() }
        do {
            return try await Hangup.cancelling(at: [late]) {
                let reply = try await self.send(call)
                return (reply.status, reply.headers, try await reply.bytes(limit: limit))
            }
        } catch let error as UpstreamError {
            guard error.code == .cancelled, !Task.isCancelled else { throw error }
            throw UpstreamError(.timedOut, cause: error.cause)
        } catch {
            throw UpstreamError(error, whileReading: true)
        }
    }

    private func execute(_ call: Call) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: url)
        request.method = HTTPMethod(rawValue: call.method)
        for field in call.headers { request.headers.add(name: field.name.rawName, value: field.value) }
        request.headers.replaceOrAdd(name: RequestTarget.field, value: call.target)
        request.body = call.body
        // How long an upload takes is the client's affair: the connection counts from its end.
        guard call.wait != nil || call.unpacks else {
            return try await prompt.execute(request, deadline: .distantFuture)
        }
        let time = min(call.wait ?? .zero, Upstream.longPollLimit) + configuration.timeout
        return try await (call.unpacks ? unpacking : patient).execute(request, deadline: .now() + TimeAmount(time))
    }

    /// Says once that the homeserver cannot be reached, and once that it can be again.
    private func note(_ error: UpstreamError?) {
        guard error == nil || error?.code == .unreachable else { return }
        let isNews = isDown.withLock { isDown in
            defer { isDown = error != nil }
            return isDown != (error != nil)
        }
        guard isNews else { return }
        if let error {
            logger.warning(
                "the homeserver cannot be reached; whoever asks for it is told so",
                metadata: ["reason": "\(error.cause)"])
        } else {
            logger.notice("the homeserver can be reached again")
        }
    }

    /// Takes back the long-polls that wait, and those to come at once: the server stops.
    public func endWaits() { stopping.come() }

    /// Closes every connection; nothing may be sent afterwards.
    public func shutdown() async throws {
        try await prompt.shutdown()
        try await patient.shutdown()
        try await unpacking.shutdown()
    }
}
