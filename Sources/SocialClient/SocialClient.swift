import Foundation
import PresenceModel
import SocialEngine
import SocialWire

/// A user's side of a social service: friends, requests, whereabouts, and what friends do.
///
/// It connects when it is first needed, again when the connection is lost, and says who it is each time. What is asked
/// while there is no connection fails; subscriptions wait, connect again, and go on with a fresh snapshot. ADR-189 and
/// ADR-246; facts: social service, sections 2 and 7.
public actor SocialClient {
    /// Where and how to connect.
    public struct Configuration: Sendable {
        /// `ws://…` or `wss://…`.
        public var url: String
        /// A file of PEM certificates that are trusted in place of the system's; `nil`: the system's.
        public var trustedCertificates: String?
        /// After this an attempt to connect has failed.
        public var connectTimeout = Duration.seconds(10)
        /// After this a call has failed.
        public var callTimeout = Duration.seconds(10)
        /// Between attempts to connect of subscriptions and heartbeats.
        public var pause = ReconnectPause()

        /// To `url`, with the defaults.
        public init(url: String) { self.url = url }
    }

    /// Who the user is.
    public enum Credential: Sendable {
        /// A Matrix access token, in every request: the first generation.
        case token(String)
        /// A signature made at each connection, then nothing more: the second generation.
        case login(@Sendable (Instant) throws -> SignedLogin)
    }

    /// What the second generation's Login takes.
    public struct SignedLogin: Hashable, Sendable {
        /// The wallet's address.
        public var address: String
        /// Milliseconds since the epoch, which the chain signs.
        public var timestamp: String
        /// JSON.
        public var authChain: String

        /// A login as given.
        public init(address: String, timestamp: String, authChain: String) {
            self.address = address
            self.timestamp = timestamp
            self.authChain = authChain
        }
    }

    let configuration: Configuration
    private let credential: Credential
    private let now: @Sendable () -> Instant
    private var connection: SocialConnection?
    private var connecting: Task<SocialConnection, any Error>?
    private var isClosed = false

    /// A client that is not connected yet.
    /// - Parameter now: the wall clock, for what is signed and what happened.
    public init(_ configuration: Configuration, credential: Credential, now: @escaping @Sendable () -> Instant) {
        self.configuration = configuration
        self.credential = credential
        self.now = now
    }

    /// Whoever forgets the client has closed it.
    deinit {
        connecting?.cancel()
        if let connection { Task { await connection.close() } }
    }

    /// Ends the connection and every subscription.
    public func close() async {
        isClosed = true
        connecting?.cancel()
        let ended = connection
        connection = nil
        await ended?.close()
    }

    /// Connects, if it is not connected, and says who it is.
    /// - Throws: ``SocialClientError``.
    public func connect() async throws { _ = try await connected() }

    // MARK: Asking

    /// - Throws: ``SocialClientError``.
    public func friends() async throws -> [SocialAddress] { try await users("GetFriends", payload()) }

    /// Friends whom the service shows online.
    /// - Throws: ``SocialClientError``.
    public func onlineFriends() async throws -> [SocialAddress] { try await users("GetOnlineFriends", payload()) }

    /// Friends whom both have.
    /// - Throws: ``SocialClientError``.
    public func mutualFriends(with other: SocialAddress) async throws -> [SocialAddress] {
        var request = FriendshipsMutualFriendsPayload()
        request.user = FriendshipsUser(other)
        if let token { request.authToken.synapseToken = token }
        return try await users("GetMutualFriends", request.serializedBytes())
    }

    /// Requests that nobody has answered.
    /// - Throws: ``SocialClientError``.
    public func requests() async throws -> (outgoing: [FriendRequest], incoming: [FriendRequest]) {
        let answer = try await call("GetRequestEvents", payload(), FriendshipsRequestEventsResponse.self)
        return (answer.events.outgoing.requests, answer.events.incoming.requests)
    }

    /// Does something about another user.
    /// - Returns: what happened, which may be more than was asked for: a request that crosses the other's is a friendship.
    /// - Throws: ``SocialClientError``.
    public func act(_ action: FriendshipAction, towards other: SocialAddress) async throws -> FriendshipNews {
        var request = FriendshipsUpdateFriendshipPayload()
        request.event = FriendshipsFriendshipEventPayload(action, other)
        if let token { request.authToken.synapseToken = token }
        let answer = try await call(
            "UpdateFriendshipEvent", request.serializedBytes(), FriendshipsUpdateFriendshipResponse.self)
        guard var news = answer.event.news(at: now()) else {
            throw SocialClientError(.malformed, "the answer does not say what happened")
        }
        news.isOwn = true
        return news
    }

    /// Says that the user is there, which holds for two minutes, or until the connection ends.
    /// - Parameter whereabouts: `nil`: as before.
    /// - Returns: what the service keeps.
    /// - Throws: ``SocialClientError``.
    @discardableResult
    public func heartbeat(_ whereabouts: Whereabouts?) async throws -> Whereabouts? {
        let position = whereabouts.map { FriendshipsPosition($0) }
        let request: Data
        if let token {
            var payload = FriendshipsPositionPayload()
            payload.synapseToken = token
            if let position { payload.position = position }
            request = try payload.serializedBytes()
        } else {
            var payload = FriendshipsPositionPayloadB()
            if let position { payload.position = position }
            request = try payload.serializedBytes()
        }
        return try await call("PositionHeartbeat", request, FriendshipsPositionResponse.self).position.whereabouts
    }

    /// How much of the user friends see. Only of services that offer it.
    /// - Throws: ``SocialClientError``.
    public func privacy() async throws -> SocialPrivacy {
        try await privacy(of: call("GetPrivacy", payload(), FriendshipsPrivacyResponse.self))
    }

    /// Chooses how much of the user friends see. Only of services that offer it.
    /// - Throws: ``SocialClientError``.
    public func setPrivacy(_ privacy: SocialPrivacy) async throws {
        var request = FriendshipsUpdatePrivacyPayload()
        request.privacy = privacy.message
        if let token { request.authToken.synapseToken = token }
        _ = try await call("UpdatePrivacy", request.serializedBytes(), FriendshipsPrivacyResponse.self)
    }

    /// Whom the user blocked. Only of services that offer it.
    /// - Throws: ``SocialClientError``.
    public func blocked() async throws -> [SocialAddress] { try await users("GetBlockedUsers", payload()) }

    // MARK: Calls

    private func privacy(of answer: FriendshipsPrivacyResponse) throws -> SocialPrivacy {
        guard let privacy = SocialPrivacy(answer.privacy) else {
            throw SocialClientError(.malformed, "the answer names no privacy")
        }
        return privacy
    }

    private func call<Answer: SocialMessage>(
        _ procedure: String, _ request: Data, _ type: Answer.Type
    ) async throws -> Answer {
        let answer = try await connected().call(procedure, request)
        return try SocialConnection.decode(answer, type)
    }

    private func users(_ procedure: String, _ request: Data) async throws -> [SocialAddress] {
        var found: [SocialAddress] = []
        for try await element in try await connected().stream(procedure, request) {
            found += try SocialConnection.decode(element, FriendshipsUsersResponse.self).users.addresses
        }
        return found
    }

    /// The argument of procedures that take nothing but a credential.
    func payload() throws -> Data {
        var payload = FriendshipsPayload()
        if let token { payload.synapseToken = token }
        return try payload.serializedBytes()
    }

    func instant() -> Instant { now() }

    private var token: String? {
        if case .token(let token) = credential { token } else { nil }
    }

    /// The connection, made if there is none; whoever else waits for one waits for the same.
    func connected() async throws -> SocialConnection {
        guard !isClosed else { throw SocialClientError(.connectionLost, "the client is closed") }
        if let connection, connection.isOpen { return connection }
        if let connecting { return try await connecting.value }
        let (configuration, credential, instant) = (configuration, credential, now())
        let attempt = Task {
            let made = try await SocialConnection.open(configuration)
            if case .login(let sign) = credential {
                do {
                    try await made.login(sign(instant))
                } catch {
                    await made.close()
                    throw error
                }
            }
            return made
        }
        connecting = attempt
        defer { connecting = nil }
        let made = try await attempt.value
        guard !isClosed else {
            await made.close()
            throw SocialClientError(.connectionLost, "the client is closed")
        }
        connection = made
        return made
    }

    var isOver: Bool { isClosed }
}
