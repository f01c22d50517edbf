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
        /// A file of PEM certificates that are trusted besides the system's.
        public var trustedCertificates: String?
        /// After this an attempt to connect has failed.
        public var connectTimeout = Duration.seconds(10)
        /// After this a call has failed.
        public var callTimeout = Duration.seconds(10)
        /// Of a service whose updates do not name anybody: between questions who is online, more or less by a fifth.
        public var askingInterval = Duration.seconds(30)
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

    nonisolated let configuration: Configuration
    nonisolated let source: any ConnectionSource
    private nonisolated let token: String?
    nonisolated let now: @Sendable () -> Instant
    private var isClosed = false

    /// A client that is not connected yet, with a connection of its own.
    /// - Parameter now: the wall clock, for what is signed and what happened.
    public init(_ configuration: Configuration, credential: Credential, now: @escaping @Sendable () -> Instant) {
        self.configuration = configuration
        self.now = now
        switch credential {
        case .token(let token):
            self.token = token
            source = OwnConnection(configuration) { _ in }
        case .login(let sign):
            token = nil
            source = OwnConnection(configuration) { try await $0.login(sign(now())) }
        }
    }

    /// A client that shares a connection with others, who use other tokens. It waits for the connection where it
    /// follows; what it asks fails while there is none.
    /// - Returns: `nil` if all connections are full.
    public init?(
        sharing connections: SharedConnections, token: String, now: @escaping @Sendable () -> Instant
    ) {
        guard let seat = connections.seat() else { return nil }
        configuration = connections.client
        source = seat
        self.token = token
        self.now = now
    }

    /// Ends every subscription, and the connection if nobody else has it.
    public func close() async {
        isClosed = true
        await source.close()
    }

    /// Whether the connection stands, as far as is known.
    public var isConnected: Bool { get async { await source.isOpen } }

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
    /// - Parameters:
    ///   - whereabouts: `nil`: as before.
    ///   - isAway: not at the keyboard. A service that does not know it is told that the user is there.
    /// - Returns: what the service keeps.
    /// - Throws: ``SocialClientError``.
    @discardableResult
    public func heartbeat(_ whereabouts: Whereabouts?, isAway: Bool = false) async throws -> Whereabouts? {
        let connection = try await ready()
        let position = whereabouts.map { FriendshipsPosition($0) }
        let state: FriendshipsFriendState = isAway && connection.offers("Leave") ? .away : .unspecified
        let request: Data
        if let token {
            var payload = FriendshipsPositionPayload()
            payload.synapseToken = token
            if let position { payload.position = position }
            payload.state = state
            request = try payload.serializedBytes()
        } else {
            var payload = FriendshipsPositionPayloadB()
            if let position { payload.position = position }
            payload.state = state
            request = try payload.serializedBytes()
        }
        let answer = try await connection.call("PositionHeartbeat", request)
        return try SocialConnection.decode(answer, FriendshipsPositionResponse.self).position.whereabouts
    }

    /// Says that the user is not there any more, by this connection.
    /// - Returns: false if the service does not offer it: it notices two minutes after the last heartbeat.
    /// - Throws: ``SocialClientError``.
    @discardableResult
    public func leave() async throws -> Bool {
        let connection = try await ready()
        guard connection.offers("Leave") else { return false }
        _ = try await SocialConnection.decode(
            connection.call("Leave", payload()), FriendshipsPositionResponse.self)
        return true
    }

    /// Friends, requests, and, of services that tell, whom the user blocked.
    /// - Throws: ``SocialClientError``.
    public func readFriendships() async throws -> Friendships { try await read(on: ready()) }

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
        let answer = try await ready().call(procedure, request)
        return try SocialConnection.decode(answer, type)
    }

    private func users(_ procedure: String, _ request: Data) async throws -> [SocialAddress] {
        try await users(procedure, request, on: ready())
    }

    /// A list, in all its pages.
    /// - Throws: ``SocialClientError``; `timedOut` if it does not end in time, as half of a list is none.
    nonisolated func users(
        _ procedure: String, _ request: Data, on connection: SocialConnection
    ) async throws -> [SocialAddress] {
        let elements = try await connection.stream(procedure, request)
        let watchdog = closeLate(elements)
        defer { watchdog.cancel() }
        var found: [SocialAddress] = []
        for try await element in elements {
            found += try SocialConnection.decode(element, FriendshipsUsersResponse.self).users.addresses
        }
        watchdog.cancel()
        guard (try? await watchdog.value) == nil else {
            throw SocialClientError(.timedOut, "the list does not end")
        }
        return found
    }

    /// The argument of procedures that take nothing but a credential.
    nonisolated func payload() throws -> Data {
        var payload = FriendshipsPayload()
        if let token { payload.synapseToken = token }
        return try payload.serializedBytes()
    }

    /// The connection, made if there is none; whoever else waits for one waits for the same.
    func connected() async throws -> SocialConnection {
        guard !isClosed else { throw SocialClientError.closed }
        return try await source.connected()
    }

    private func ready() async throws -> SocialConnection {
        guard !isClosed else { throw SocialClientError.closed }
        return try await source.ready()
    }

    var isOver: Bool { isClosed }
}
