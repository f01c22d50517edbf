import FoundationEssentials
import SocialTransport
import SocialWire
import SwiftProtobuf
import Synchronization

/// What an answer is decoded to.
typealias SocialMessage = SwiftProtobuf.Message

/// One connection to a social service: its module on a port of its own.
final class SocialConnection: Sendable {
    private let rpc: RPCClient
    private let module: RPCClientModule
    private let isGone: EndMark
    private let timeout: Duration

    private init(_ rpc: RPCClient, _ module: RPCClientModule, _ isGone: EndMark, timeout: Duration) {
        self.rpc = rpc
        self.module = module
        self.isGone = isGone
        self.timeout = timeout
    }

    /// - Parameter waitersLimit: streams and calls that are to find room at once; a connection always has room for as
    ///   many as one user needs.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    static func open(
        _ configuration: SocialClient.Configuration, waitersLimit: Int = 0
    ) async throws -> SocialConnection {
        var settings = RPCClient.Configuration()
        settings.connectTimeout = configuration.connectTimeout
        settings.timeout = configuration.callTimeout
        settings.trustedCertificates = configuration.trustedCertificates
        settings.connection.waitersLimit = max(settings.connection.waitersLimit, waitersLimit)
        return try await translating {
            let rpc = try await RPCClient.connect(to: configuration.url, configuration: settings)
            let isGone = EndMark()
            Task {
                await rpc.closed()
                isGone.set()
            }
            do {
                let module = try await rpc.port("social").module("FriendshipsService")
                return SocialConnection(rpc, module, isGone, timeout: configuration.callTimeout)
            } catch {
                await rpc.close()
                throw error
            }
        }
    }

    var isOpen: Bool { !isGone.isSet }

    func close() async { await rpc.close() }

    /// Whether the service has the procedure.
    func offers(_ procedure: String) -> Bool { module.procedures.contains { $0.name == procedure } }

    /// Says who this is, once for the connection.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    func login(_ login: SocialClient.SignedLogin) async throws {
        var payload = FriendshipsLoginPayload()
        payload.address = login.address
        payload.timestamp = login.timestamp
        payload.authChain = login.authChain
        let answer = try await call("Login", payload.serializedBytes())
        guard let response = try? FriendshipsLoginResponse(serializedBytes: answer) else {
            throw SocialClientError(.malformed, "the answer does not parse")
        }
        switch response.response {
        case .welcomeMessage: return
        case .unauthorizedError(let error): throw SocialClientError(.unauthorized, error.message)
        case nil: throw SocialClientError(.malformed, "the answer to Login is empty")
        }
    }

    /// - Throws: ``SocialClientError``, `CancellationError`.
    func call(_ procedure: String, _ request: Data) async throws -> Data {
        try await SocialConnection.translating { try await module.call(procedure, request, timeout: timeout) }
    }

    /// - Throws: ``SocialClientError``, `CancellationError`; while it is read too.
    func stream(_ procedure: String, _ request: Data) async throws -> Elements {
        let elements = try await SocialConnection.translating {
            try await module.stream(procedure, request, timeout: timeout)
        }
        return Elements(elements: elements)
    }

    /// - Throws: ``SocialClientError`` if the answer refuses, or is none.
    static func decode<Answer: SocialMessage>(_ answer: Data, _ type: Answer.Type) throws -> Answer {
        if let refusal = SocialClientError(in: answer) { throw refusal }
        do {
            return try Answer(serializedBytes: answer)
        } catch {
            throw SocialClientError(.malformed, "the answer does not parse")
        }
    }

    fileprivate static func translating<Value>(_ operation: () async throws -> Value) async throws -> Value {
        do {
            return try await operation()
        } catch let error as RPCClientError {
            throw SocialClientError(error)
        }
    }

    /// A stream whose failures are ``SocialClientError``.
    struct Elements: AsyncSequence, Sendable {
        struct AsyncIterator: AsyncIteratorProtocol {
            fileprivate var elements: RPCElements.AsyncIterator

            mutating func next() async throws -> Data? {
                do {
                    return try await elements.next()
                } catch let error as RPCClientError {
                    throw SocialClientError(error)
                }
            }
        }

        fileprivate let elements: RPCElements

        /// Tells the service that no more is wanted; iteration ends.
        func close() { elements.close() }

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(elements: elements.makeAsyncIterator()) }
    }
}

/// Says that something is over.
private final class EndMark: Sendable {
    private let mark = Atomic(false)

    var isSet: Bool { mark.load(ordering: .acquiring) }

    func set() { mark.store(true, ordering: .releasing) }
}

extension SocialClientError {
    fileprivate init(_ error: RPCClientError) {
        let code: Code =
            switch error.code {
            case .remote where error.message.hasPrefix(RPCServerConnection.tooManyStreams),
                .remote where error.message.hasPrefix(RPCServerConnection.tooManyCalls):
                .tooManyRequests
            case .remote: .failed
            case .unreachable, .closed: .unreachable
            case .badAddress: .badAddress
            case .lost: .connectionLost
            case .timedOut: .timedOut
            case .unknownProcedure: .notOffered
            case .unexpectedAnswer: .malformed
            case .refused: .tooManyRequests
            }
        self.init(code, error.message)
    }
}
