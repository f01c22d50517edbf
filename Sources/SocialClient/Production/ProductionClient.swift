import FoundationEssentials
import PresenceModel
import SocialEngine
import SocialTransport
import SocialWire

/// One connection to the production service in one user's name, made once and never again: friends, requests, blocks,
/// and which friends are there. There is nothing to say about oneself: no heartbeats, no whereabouts.
///
/// Facts: social service, section 6; decision 30. May be used from any task.
public final class ProductionClient: Sendable {
    /// Where, how, and how much.
    public struct Configuration: Sendable {
        /// `ws://…` or `wss://…`.
        public var url: String
        /// A file of PEM certificates that are trusted besides the system's.
        public var trustedCertificates: String?
        /// From the beginning until the service has checked who it is.
        public var connectTimeout = Duration.seconds(15)
        /// After this a call has failed.
        public var callTimeout = Duration.seconds(15)
        /// Friends asked for at once: the service takes up to 1000, and the answer has to fit a message of 1 MiB.
        public var friendsPerPage: Int32 = 500
        /// Requests, and blocked users, asked for at once: the service takes up to 200.
        public var othersPerPage: Int32 = 200
        /// Past this many a list is broken off, and not whole.
        public var listLimit = 10_000

        /// To `url`, with the defaults.
        public init(url: String) { self.url = url }
    }

    let configuration: Configuration
    let profiles: SocialProfiles
    let now: @Sendable () -> Instant
    private let rpc: RPCClient
    private let module: RPCClientModule

    private init(
        _ configuration: Configuration, _ profiles: SocialProfiles, _ rpc: RPCClient, _ module: RPCClientModule,
        now: @escaping @Sendable () -> Instant
    ) {
        self.configuration = configuration
        self.profiles = profiles
        self.rpc = rpc
        self.module = module
        self.now = now
    }

    /// Connects, says who it is, and waits until the service has checked that.
    /// - Parameters:
    ///   - opening: the first message, a JSON object of signed-fetch headers, made now; the service takes it for five
    ///     minutes.
    ///   - profiles: where names go that come by.
    ///   - now: the wall clock, for what happened.
    /// - Throws: ``SocialClientError``: `unauthorized` if the service refuses, `tooManyRequests` if it has as many
    ///   connections as may be; `CancellationError`; what `opening` throws.
    public static func connect(
        _ configuration: Configuration, opening: @escaping @Sendable () throws -> String, profiles: SocialProfiles,
        now: @escaping @Sendable () -> Instant
    ) async throws -> ProductionClient {
        var settings = RPCClient.Configuration()
        settings.connectTimeout = configuration.connectTimeout
        settings.timeout = configuration.callTimeout
        settings.trustedCertificates = configuration.trustedCertificates
        settings.opening = opening
        return try await translating {
            let rpc = try await RPCClient.connect(to: configuration.url, configuration: settings)
            do {
                let module = try await rpc.port("social").module("SocialService")
                return ProductionClient(configuration, profiles, rpc, module, now: now)
            } catch {
                await rpc.close()
                throw error
            }
        }
    }

    /// Ends the connection.
    public func close() async { await rpc.close() }

    /// Returns when the connection is gone.
    /// - Returns: why, as far as it was said.
    public func ended() async -> SocialClientError {
        let farewell = await rpc.closed()
        let words = farewell.words.isEmpty ? "the connection ended" : farewell.words
        guard let code = farewell.code else { return SocialClientError(.connectionLost, words) }
        return SocialClientError(closedWith: code, words)
    }

    /// - Throws: ``SocialClientError``, `CancellationError`.
    func call<Answer: SocialMessage>(
        _ procedure: String, _ request: some SocialMessage, _ type: Answer.Type
    ) async throws -> Answer {
        let bytes = try await ProductionClient.translating {
            try await module.call(procedure, request.serializedBytes())
        }
        guard let answer = try? Answer(serializedBytes: bytes) else {
            throw SocialClientError(.malformed, "the answer to \(procedure) does not parse")
        }
        return answer
    }

    /// Subscribes; the service has heard of it before whatever is asked next.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    func subscribe<Element: Sendable>(
        _ procedure: String, _ take: @escaping @Sendable (Data) throws(SocialClientError) -> Element?
    ) async throws -> ProductionUpdates<Element> {
        let elements = try await ProductionClient.translating {
            try await module.stream(procedure, Data())
        }
        elements.begin()
        return ProductionUpdates(elements: elements, take: take)
    }

    fileprivate static func translating<Value>(_ operation: () async throws -> Value) async throws -> Value {
        do {
            return try await operation()
        } catch let error as RPCClientError {
            throw SocialClientError(production: error)
        }
    }
}

/// What a subscription brings. Iterated once, by one task. Whoever stops listening has ended it, but must not subscribe
/// again on the same connection: the service may take it for a second subscription.
public struct ProductionUpdates<Element: Sendable>: AsyncSequence, Sendable {
    /// Waits for updates; throws ``SocialClientError`` when the subscription ends, however it does.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var elements: RPCElements.AsyncIterator
        fileprivate let take: @Sendable (Data) throws(SocialClientError) -> Element?

        /// The next update that makes sense; what does not is passed over.
        public mutating func next() async throws -> Element? {
            do {
                while let bytes = try await elements.next() {
                    if let element = try take(bytes) { return element }
                }
            } catch let error as RPCClientError {
                throw SocialClientError(production: error)
            }
            throw SocialClientError(.refused, "the service ended a subscription")
        }
    }

    fileprivate let elements: RPCElements
    fileprivate let take: @Sendable (Data) throws(SocialClientError) -> Element?

    /// Updates from here on.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(elements: elements.makeAsyncIterator(), take: take)
    }
}

extension SocialClientError {
    /// What the production service's close codes mean: facts of the social service, section 6.1.
    fileprivate init(closedWith code: UInt16, _ words: String) {
        let kind: Code =
            switch code {
            case 3003: .unauthorized
            // It heard nothing of who this is within its time.
            case 3004: .timedOut
            case 1013: .tooManyRequests
            case 1011: .failed
            default: .connectionLost
            }
        self.init(kind, "closed with \(code): \(words)")
    }

    fileprivate init(production error: RPCClientError) {
        switch error.code {
        case .closed(let code): self.init(closedWith: code, error.message)
        case .remote: self.init(.failed, error.message)
        case .unreachable: self.init(.unreachable, error.message)
        case .badAddress: self.init(.badAddress, error.message)
        case .lost: self.init(.connectionLost, error.message)
        case .timedOut: self.init(.timedOut, error.message)
        case .unknownProcedure: self.init(.notOffered, error.message)
        case .unexpectedAnswer: self.init(.malformed, error.message)
        case .refused: self.init(.tooManyRequests, error.message)
        }
    }
}
