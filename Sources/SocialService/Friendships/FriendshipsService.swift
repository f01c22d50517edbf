import FoundationEssentials
import MatrixHTTP
import MatrixWire
import PresenceModel
import SocialEngine
import SocialTransport
import SocialWire
import SwiftProtobuf

/// The procedures of FriendshipsService, for both generations of clients: who asks is told by a token in the request, or
/// by a ``Login`` before.
///
/// What is refused is told by the answers' own error arms; a stream then has this one element. Decision 27;
/// ADR-246; facts: social service, sections 2 and 4.
public struct FriendshipsService: Sendable {
    /// Limits of the procedures.
    public struct Configuration: Hashable, Sendable {
        /// Calls of one user on one connection, steadily; past it TooManyRequestsError. 0: no limit.
        public var callsPerSecond = 20.0
        /// Calls at once after a quiet time.
        public var callBurst = 100
        /// Whether `Login` is offered: without it only users with a Matrix token are let in.
        public var offersLogin = true
        /// Users per element of a list.
        public var pageSize = 20
        /// A subscription with a token goes on only if the token is still good, looked at when there is something to
        /// tell and this time has gone by.
        public var tokenCheckedEvery = Duration.minutes(5)

        /// The defaults above.
        public init() {}
    }

    let population: any SocialPopulation
    let credentials: SocialCredentials
    let configuration: Configuration
    let now: @Sendable () -> Instant
    private let calls: RequestRate<RateKey>

    private struct RateKey: Hashable {
        var session: RPCSessionID
        var user: SocialAddress
    }

    /// - Parameter now: the time on the one axis.
    public init(
        population: any SocialPopulation, credentials: SocialCredentials, configuration: Configuration = .init(),
        now: @escaping @Sendable () -> Instant
    ) {
        self.population = population
        self.credentials = credentials
        self.configuration = configuration
        self.now = now
        calls = RequestRate(perSecond: configuration.callsPerSecond, burst: configuration.callBurst, now: now)
    }

    /// `FriendshipsService`, and by its last name `FriendshipsServiceV2`, which knows no `Login`.
    ///
    /// Procedures are numbered in this order: those of the first generation as in its .proto, `Login`, and presenced's
    /// own. The numbers of a port hold for this port alone; nobody may rely on them, but they should not change.
    public var modules: [RPCModule] {
        let friends = [
            positionHeartbeat, getFriends, getOnlineFriends, getMutualFriends, getRequestEvents,
            updateFriendshipEvent, subscribeFriendshipEventsUpdates, subscribeFriendshipPresenceUpdates,
        ]
        let own = [getPrivacy, updatePrivacy, getBlockedUsers, leave]
        return [
            RPCModule("FriendshipsService", friends + (configuration.offersLogin ? [login] : []) + own),
            RPCModule("FriendshipsServiceV2", friends + own),
        ]
    }

    /// A connection is gone, and with it its users and what they subscribed to.
    public func sessionEnded(_ session: RPCSessionID) async {
        credentials.forget(session)
        await population.sessionEnded(SocialSessionID(session.number))
    }

    // MARK: What all procedures have in common

    /// One answer to one request.
    func unary<Asked: Message, Answered: RefusableAnswer>(
        _ name: String,
        _ serve: @escaping @Sendable (Asked, RPCCall) async throws(SocialRefusal) -> Answered
    ) -> RPCProcedure {
        RPCProcedure(
            name,
            .unary { call in
                let asked = try FriendshipsService.decode(Asked.self, call)
                let answer: Answered
                do throws(SocialRefusal) {
                    answer = try await serve(asked, call)
                } catch {
                    answer = Answered(refusal: error)
                }
                return try answer.serializedBytes()
            })
    }

    /// A stream of answers to one request.
    func stream<Asked: Message, Answered: RefusableAnswer>(
        _ name: String, refusedAs: Answered.Type,
        _ serve: @escaping @Sendable (Asked, RPCCall) async throws(SocialRefusal) -> RPCStream
    ) -> RPCProcedure {
        RPCProcedure(
            name,
            .serverStream { call in
                let asked = try FriendshipsService.decode(Asked.self, call)
                do throws(SocialRefusal) {
                    return try await serve(asked, call)
                } catch {
                    return ReadyElements(elements: [try Answered(refusal: error).serializedBytes()])
                }
            })
    }

    /// Who asks, if they do not ask too often.
    func caller(
        _ call: RPCCall, token: String?, missing: SocialCredentials.MissingToken
    ) async throws(SocialRefusal) -> SocialCaller {
        let caller = try await credentials.caller(on: call.session, token: token, missing: missing)
        guard (try? calls.take(for: RateKey(session: call.session, user: caller.address))) != nil else {
            throw .tooManyRequests("Too many requests")
        }
        return caller
    }

    /// Asks for the token again from time to time.
    func permission(of caller: SocialCaller) -> @Sendable () async -> Bool {
        guard let token = caller.token else { return { true } }
        let check = TokenCheck(
            token: token, address: caller.address, every: configuration.tokenCheckedEvery, credentials: credentials,
            now: now)
        return { await check.isGood() }
    }

    private static func decode<Asked: Message>(_: Asked.Type, _ call: RPCCall) throws(RPCFailure) -> Asked {
        do {
            return try Asked(serializedBytes: call.payload)
        } catch {
            throw RPCFailure("the request does not decode")
        }
    }

    /// Pages of users; nobody is no page. Facts: section 4.6.
    func pages(of users: [SocialAddress]) -> RPCStream {
        var elements: [Data] = []
        for start in stride(from: 0, to: users.count, by: configuration.pageSize) {
            let page = users[start..<min(start + configuration.pageSize, users.count)]
            let answer = FriendshipsUsersResponse.with { $0.users = FriendshipsUsers(page) }
            // It fails only for messages with required fields, or above 2 GiB.
            if let bytes: Data = try? answer.serializedBytes() { elements.append(bytes) }
        }
        return ReadyElements(elements: elements)
    }

    /// Whom a request is about.
    /// - Throws: `user address` is missing, or is none.
    static func other(_ user: FriendshipsUser, isThere: Bool) throws(SocialRefusal) -> SocialAddress {
        guard isThere, !user.address.isEmpty else { throw .badRequest("`user address` is missing") }
        guard let address = try? SocialAddress(parsing: user.address) else {
            throw .badRequest("`user address` is not valid")
        }
        return address
    }
}

/// Who asks, and how it is known.
struct SocialCaller: Sendable {
    var address: SocialAddress
    var session: SocialSessionID
    /// `nil` for who logged in on this connection.
    var token: String?
}

/// Whether the token of a subscription is still good.
private actor TokenCheck {
    private let token: String
    private let address: SocialAddress
    private let period: Duration
    private let credentials: SocialCredentials
    private let now: @Sendable () -> Instant
    private var checkedAt: Instant

    init(
        token: String, address: SocialAddress, every period: Duration, credentials: SocialCredentials,
        now: @escaping @Sendable () -> Instant
    ) {
        self.token = token
        self.address = address
        self.period = period
        self.credentials = credentials
        self.now = now
        checkedAt = now()
    }

    func isGood() async -> Bool {
        guard now() >= checkedAt + period else { return true }
        checkedAt = now()
        return await credentials.isStill(address, token: token)
    }
}

extension FriendshipsUsers {
    init(_ addresses: some Sequence<SocialAddress>) {
        self.init()
        users = addresses.map { address in .with { $0.address = address.text } }
    }
}
