import Foundation
import MatrixWire
import PresenceModel
import SocialEngine
import SocialService
import SocialTransport
import SocialWire
import SwiftProtobuf
import Synchronization
import Testing

/// The procedures, called as the rpc layer calls them, in front of a small population.
struct FriendshipsBench: Sendable {
    static let start = Instant(millisecondsSinceEpoch: 1_790_000_000_000)

    let population = SmallPopulation()
    let tokens = TokenList()
    let clock = HandClock()
    let service: FriendshipsService
    let credentials: SocialCredentials

    init(_ configuration: FriendshipsService.Configuration = .init()) {
        let clock = clock
        credentials = SocialCredentials(tokens: tokens) { clock.now }
        service = FriendshipsService(
            population: population, credentials: credentials, configuration: configuration
        ) { clock.now }
    }

    func procedure(_ name: String, in module: String = "FriendshipsService") throws -> RPCProcedure {
        let found = try #require(service.modules.first { $0.name == module })
        return try #require(found.procedures.first { $0.name == name })
    }

    func call<Answer: Message>(
        _ name: String, _ payload: Data, session: UInt64 = 1, as: Answer.Type = Answer.self
    ) async throws -> Answer {
        guard case .unary(let serve) = try procedure(name).body else { throw BenchError.otherKind }
        return try Answer(
            serializedBytes: await serve(RPCCall(session: RPCSessionID(session), port: 1, payload: payload)))
    }

    func call<Answer: Message>(
        _ name: String, _ payload: some Message, session: UInt64 = 1, as: Answer.Type = Answer.self
    ) async throws -> Answer {
        try await call(name, try payload.serializedBytes(), session: session, as: Answer.self)
    }

    func open(_ name: String, _ payload: some Message, session: UInt64 = 1) async throws -> RPCStream {
        guard case .serverStream(let serve) = try procedure(name).body else { throw BenchError.otherKind }
        return try await serve(
            RPCCall(session: RPCSessionID(session), port: 1, payload: try payload.serializedBytes()))
    }

    /// All elements of a stream that ends by itself.
    func all<Answer: Message>(
        _ name: String, _ payload: some Message, session: UInt64 = 1, as: Answer.Type = Answer.self
    ) async throws -> [Answer] {
        var answers: [Answer] = []
        for try await element in try await open(name, payload, session: session) {
            answers.append(try Answer(serializedBytes: element))
        }
        return answers
    }

    /// The first elements of a stream, which is let go of then.
    func first<Answer: Message>(
        _ count: Int, of stream: RPCStream, as: Answer.Type = Answer.self
    ) async throws -> [Answer] {
        var answers: [Answer] = []
        for try await element in stream {
            answers.append(try Answer(serializedBytes: element))
            if answers.count == count { break }
        }
        return answers
    }
}

enum BenchError: Error {
    /// The procedure is of another kind.
    case otherKind
}

/// A clock that stands until it is moved by hand.
final class HandClock: Sendable {
    private let instant = Mutex(FriendshipsBench.start)

    var now: Instant { instant.withLock { $0 } }

    func move(by duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

/// `token-NAME` is the token of `@NAME:x.org`, unless it was refused.
final class TokenList: MatrixTokenReading {
    private let refusals = Mutex<[String: MatrixErrorBody]>([:])
    private let count = Mutex(0)

    /// How often a token was asked for.
    var asked: Int { count.withLock { $0 } }

    func refuse(_ token: String, with error: MatrixErrorBody?) { refusals.withLock { $0[token] = error } }

    func user(presenting token: String) async throws(MatrixErrorBody) -> UserID {
        count.withLock { $0 += 1 }
        // As where somebody has to be asked.
        await Task.yield()
        if let refusal = refusals.withLock({ $0[token] }) { throw refusal }
        guard token.hasPrefix("token-"), let user = try? UserID(parsing: "@\(token.dropFirst(6)):x.org") else {
            throw MatrixErrorBody(.unknownToken, "Unknown access token")
        }
        return user
    }
}

func address(_ text: String) throws -> SocialAddress { try SocialAddress(parsing: text) }

func bytes(_ hex: String) throws -> Data {
    var data = Data()
    var rest = hex[...]
    while !rest.isEmpty {
        data.append(try #require(UInt8(rest.prefix(2), radix: 16)))
        rest = rest.dropFirst(2)
    }
    return data
}

extension FriendshipsPayload {
    /// With the token of a user.
    static func of(_ name: String) -> FriendshipsPayload { .with { $0.synapseToken = "token-\(name)" } }
}
