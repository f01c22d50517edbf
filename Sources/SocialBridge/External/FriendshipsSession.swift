import BridgeEngine
import PresenceModel
import SocialClient
import SocialEngine
import SocialService
import SocialWire

/// A session with FriendshipsService, of either generation.
struct FriendshipsSession: BridgedSession {
    let client: SocialClient
    /// With other users.
    let sharesConnection: Bool
    private let bell = RereadBell()

    init(_ client: SocialClient, sharesConnection: Bool) {
        self.client = client
        self.sharesConnection = sharesConnection
    }

    var waitsForConnection: Bool {
        get async {
            guard sharesConnection else { return false }
            return await !client.isConnected
        }
    }

    func follow(_ tell: @escaping @Sendable (BridgedWord) async -> Void) async throws {
        try await FriendshipsSession.translating {
            try await client.follow(rereading: bell) { update in
                switch update {
                // The first word of all: that the service answers is what the credential is good for.
                case .presence(.snapshot(let sightings)):
                    await tell(.opened)
                    await tell(.snapshot(sightings))
                case .presence(.changed(let sightings)): await tell(.changed(sightings))
                case .friendships(.snapshot(let friendships)): await tell(.read(FriendshipReading(friendships)))
                case .friendships(.happened(let news)): await tell(.happened(news))
                case .presence(.lost), .friendships(.lost): break
                }
            }
        }
    }

    func reread() { bell.ring() }

    func heartbeat(_ whereabouts: Whereabouts?, _ state: FriendState) async throws -> Bool {
        try await FriendshipsSession.translating {
            do {
                _ = try await client.heartbeat(whereabouts, isAway: state == .away)
                return true
            } catch let error as SocialClientError where error.code == .notOffered {
                // Of the time before presence.
                return false
            }
        }
    }

    func leave() async throws { try await FriendshipsSession.translating { _ = try await client.leave() } }

    func act(_ action: FriendshipAction, towards other: SocialAddress) async throws {
        try await FriendshipsSession.translating { _ = try await client.act(action, towards: other) }
    }

    func close() async { await client.close() }

    private static func translating<Value>(_ operation: () async throws -> Value) async throws -> Value {
        do {
            return try await operation()
        } catch let error as SocialClientError {
            throw BridgedSessionError(error)
        }
    }
}

extension FriendshipReading {
    init(_ friendships: Friendships) {
        self.init(
            friends: friendships.friends, outgoing: friendships.outgoing, incoming: friendships.incoming,
            blocked: friendships.blocked)
    }
}

extension BridgedSessionError {
    init(_ error: SocialClientError) {
        let kind: Kind =
            switch error.code {
            case .badAddress, .unreachable: .unreachable
            case .connectionLost: .lost
            case .timedOut: .timedOut
            case .unauthorized: .unauthorized
            case .forbidden, .refused: .refused
            case .tooManyRequests: BridgedSessionError.isCrowded(error) ? .refused : .tooOften
            case .failed: .failed
            case .notOffered, .malformed: .notUnderstood
            }
        let advice = " (the service needs two streams for each user of a connection: social.streams_per_connection)"
        self.init(
            kind, BridgedSessionError.isCrowded(error) ? error.message.prefix(100) + advice : error.message,
            refusal: FriendshipRefusal(error))
    }

    /// The connection may have no more streams, or calls.
    private static func isCrowded(_ error: SocialClientError) -> Bool {
        error.message.hasPrefix(RPCServerConnection.tooManyStreams)
            || error.message.hasPrefix(RPCServerConnection.tooManyCalls)
    }
}

extension FriendshipRefusal {
    /// What the error says of an act; `nil` if it may have been done, or nobody was asked.
    fileprivate init?(_ error: SocialClientError) {
        if let told = FriendshipRefusal(told: error.message) {
            self = told
            return
        }
        switch error.code {
        case .refused: self = .transition
        case .forbidden: self = .blocked
        case .tooManyRequests: self = .tooOften
        case .badAddress, .unreachable, .connectionLost, .timedOut, .unauthorized, .failed, .notOffered, .malformed:
            return nil
        }
    }
}
