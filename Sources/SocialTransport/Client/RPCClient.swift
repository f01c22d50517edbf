import FoundationEssentials
import NIOCore
import NIOPosix
import NIOSSL
import SocialWire
import Synchronization

/// One connection to a server that speaks dcl-rpc, made once and never again: whoever wants another connects anew.
///
/// ```swift
/// let client = try await RPCClient.connect(to: "wss://x.org/rpc")
/// let module = try await client.port("social").module("FriendshipsService")
/// let answer = try await module.call("PositionHeartbeat", payload)
/// for try await element in try await module.stream("SubscribeFriendshipPresenceUpdates", payload) { … }
/// await client.close()
/// ```
///
/// May be used from any task. Every question has a deadline; a cancelled task gets `CancellationError`.
public final class RPCClient: Sendable {
    /// Deadlines and bounds.
    public struct Configuration: Sendable {
        /// From the beginning to the server's first word.
        public var connectTimeout: Duration = .seconds(10)
        /// Of whatever names none: until the answer, or for a stream until it begins.
        public var timeout: Duration = .seconds(30)
        /// Of the connection.
        public var connection = RPCClientConnection.Configuration()
        /// Of the WebSocket.
        public var webSocket = WebSocketLimits()
        /// Pings.
        public var pulses = WebSocketPulses.usual
        /// Makes what is said before the protocol, as one text message, at each connect; then nothing more is said
        /// until the server is ready. `nil`: the protocol comes first.
        public var opening: (@Sendable () throws -> String)?
        /// Path of a PEM file of certificates that are trusted besides the system's.
        public var trustedCertificates: String?

        /// The deadlines and bounds above.
        public init() {}
    }

    private let configuration: Configuration
    private let lastWaiter = Atomic<UInt64>(0)
    let session: NIOLoopBound<RPCClientSession>

    init(_ session: NIOLoopBound<RPCClientSession>, _ configuration: Configuration) {
        self.session = session
        self.configuration = configuration
    }

    /// Whoever forgets the client and everything made by it has closed it.
    deinit { session.eventLoop.execute { [session] in session.value.submit(.leaving) } }

    /// Connects, and waits until the server is ready.
    /// - Parameter address: `ws://` or `wss://`.
    /// - Throws: ``RPCClientError``: `badAddress`, `unreachable`, `closed`, `timedOut`; `CancellationError`; what
    ///   ``Configuration/opening`` throws.
    public static func connect(
        to address: String, configuration: Configuration = Configuration(),
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> RPCClient {
        let address = try WebSocketAddress(parsing: address)
        let tls = try address.isSecure ? tlsContext(configuration) : nil
        let opening = try configuration.opening?()
        let eventLoop = group.next()
        let ready = Slot<Result<NIOLoopBound<RPCClientSession>, RPCClientError>>()
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let session = RPCClientSession(
                        configuration.connection, opening: opening, on: channel.eventLoop, ready: ready)
                    let connection = WebSocketConnection(
                        .client, limits: configuration.webSocket,
                        pulse: configuration.pulses.pulse(of: channel.eventLoop), session: session)
                    if let tls {
                        let name = address.isNumeric ? nil : address.host
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: name))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        ClientHandshake(address, connection) { ready.put(.failure($0)) })
                }
            }
        let attempt = Attempt()
        bootstrap.connect(host: address.host, port: address.port).whenComplete { result in
            switch result {
            case .success(let channel): attempt.note(channel)
            case .failure(let error): ready.put(.failure(RPCClientError(.unreachable, "\(error)")))
            }
        }
        let deadline = eventLoop.scheduleTask(in: TimeAmount(configuration.connectTimeout)) {
            ready.put(.failure(RPCClientError(.timedOut, "the server is not ready")))
        }
        defer { deadline.cancel() }
        do {
            guard let outcome = await ready.take() else { throw CancellationError() }
            return RPCClient(try outcome.get(), configuration)
        } catch {
            attempt.giveUp()
            throw error
        }
    }

    /// A connection that is being made, and may be given up before it stands.
    private final class Attempt: Sendable {
        private let state = Mutex<(channel: (any Channel)?, isGivenUp: Bool)>((nil, false))

        func note(_ channel: any Channel) {
            let isGivenUp = state.withLock { state in
                state.channel = channel
                return state.isGivenUp
            }
            if isGivenUp { channel.close(promise: nil) }
        }

        func giveUp() {
            let channel = state.withLock { state in
                state.isGivenUp = true
                return state.channel
            }
            channel?.close(promise: nil)
        }
    }

    private static func tlsContext(_ configuration: Configuration) throws(RPCClientError) -> NIOSSLContext {
        do {
            var tls = TLSConfiguration.makeClientConfiguration()
            if let path = configuration.trustedCertificates {
                tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(path))]
            }
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw RPCClientError(.badAddress, "the trusted certificates cannot be used: \(error)")
        }
    }

    /// A new port.
    /// - Throws: ``RPCClientError``, `CancellationError`.
    public func port(_ name: String, timeout: Duration? = nil) async throws -> RPCClientPort {
        let word = try await ask(timeout) { .portWanted($0, name: name) }.word
        guard case .portCreated(_, let id) = word else { throw RPCClientError.unexpected }
        return RPCClientPort(id: id, client: self)
    }

    /// Closes the connection; what waits fails with `lost`. Returns when the connection is gone.
    public func close() async {
        session.eventLoop.execute { [session] in session.value.submit(.leaving) }
        await closed()
    }

    /// Returns when the connection is gone, for whatever reason.
    /// - Returns: what the server said when it closed.
    @discardableResult
    public func closed() async -> RPCFarewell {
        await withCheckedContinuation { continuation in
            session.eventLoop.execute { [session] in session.value.whenGone { continuation.resume(returning: $0) } }
        }
    }

    /// Asks, and waits for the first word about it.
    /// - Parameter source: of the argument, if that is a stream.
    func ask(
        _ timeout: Duration?, source: ArgumentSource? = nil,
        _ event: @escaping @Sendable (RPCClientConnection.WaiterID) -> RPCClientConnection.Event
    ) async throws -> (id: RPCClientConnection.WaiterID, word: RPCClientConnection.Effect) {
        let id = RPCClientConnection.WaiterID(lastWaiter.add(1, ordering: .relaxed).newValue)
        let slot = RPCClientSession.FirstWord()
        let limit = TimeAmount(timeout ?? configuration.timeout)
        session.eventLoop.execute { [session] in session.value.ask(event(id), id, slot, source, within: limit) }
        guard let word = await slot.take() else {
            giveUp(id)
            throw CancellationError()
        }
        return (id, try word.get())
    }

    /// Nobody waits for it any more.
    func giveUp(_ id: RPCClientConnection.WaiterID) {
        session.eventLoop.execute { [session] in session.value.submit(.givenUp(id)) }
    }
}

extension RPCClientError {
    static var unexpected: RPCClientError { RPCClientError(.unexpectedAnswer, "an answer of another kind") }

    init(_ failure: RPCClientConnection.Failure) {
        switch failure {
        case .remote(let code, let message): self.init(.remote(code), message)
        case .lost: self.init(.lost, "the connection ended")
        case .tooMany: self.init(.refused, "too many calls at once")
        case .tooLong: self.init(.refused, "the argument is too long")
        case .unexpectedAnswer: self = .unexpected
        }
    }
}
