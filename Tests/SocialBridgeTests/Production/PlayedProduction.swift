import FoundationEssentials
import HummingbirdCore
import Logging
import MatrixHTTP
import NIOCore
import NIOPosix
import SocialEngine
import SocialTransport
import SocialWire
import SwiftProtobuf
import Synchronization

/// A production service of one user, behind a gate that checks signatures: its lists, and what it is told to push.
final class PlayedProduction: Sendable {
    struct World: Sendable {
        var friends: [String] = []
        /// Friends who are counted, and left out of pages.
        var withoutProfile: Set<String> = []
        var incoming: [String] = []
        var outgoing: [String] = []
        var blocked: [String] = []
        /// Online when somebody subscribes.
        var online: [String] = []
        /// Lists that are answered empty although they are not.
        var failingLists: Set<String> = []
        var isStatusFailing = false
        /// Addresses that the service does not take for any.
        var unspeakable: Set<String> = []
        /// With whom it is as nobody has heard of.
        var unheardOf: Set<String> = []
        /// Of acts, in place of taking them.
        var answer: SocialV2UpsertFriendshipResponse.OneOf_Response?
        /// Subscriptions end as second ones.
        var endsSubscriptions = false
        var acts: [SocialV2UpsertFriendshipPayload] = []
        var calls: [String] = []
    }

    private typealias Push = AsyncThrowingStream<Data, any Error>.Continuation

    private let state = Mutex(World())
    private let pushes = Mutex<[String: [Push]]>([:])
    private let rpc: Mutex<RPCService?> = Mutex(nil)
    private let running: Mutex<Task<Void, any Error>?> = Mutex(nil)

    var world: World { state.withLock { $0 } }

    func change(_ change: (inout World) -> Void) { state.withLock { change(&$0) } }

    /// - Returns: the port of the service without a gate.
    func start(garbage: (@Sendable () -> Data)? = nil) async throws -> Int {
        let procedures = garbage.map(PlayedProduction.garbage) ?? lists + acts + subscriptions
        let rpc = RPCService(modules: [RPCModule("SocialService", procedures)])
        let (ports, told) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "played")
        logger.logLevel = .critical
        let listener = MatrixListener(
            host: "127.0.0.1", port: 0,
            server: .bounded(idleTimeout: .seconds(60), webSockets: [rpc.webSocket(at: "/social")]),
            group: MultiThreadedEventLoopGroup.singleton, routes: RouteTable([]), origins: .sameOnly, logger: logger
        ) { told.yield($0) }
        let task = Task { try await listener.run() }
        self.rpc.withLock { $0 = rpc }
        running.withLock { $0 = task }
        for await port in ports { return port }
        throw CancellationError()
    }

    func stop() async {
        await rpc.withLock { $0 }?.close()
        running.withLock { $0 }?.cancel()
    }

    var connections: Int { rpc.withLock { $0 }?.counts.connections ?? 0 }

    func push(_ procedure: String, _ message: some SwiftProtobuf.Message) throws {
        let bytes: Data = try message.serializedBytes()
        for push in pushes.withLock({ $0[procedure] ?? [] }) { push.yield(bytes) }
    }

    /// Ends what was subscribed to, as the service does.
    func endSubscriptions(_ procedure: String) {
        for push in pushes.withLock({ $0.removeValue(forKey: procedure) ?? [] }) { push.finish() }
    }

    private func noted(_ name: String) -> World {
        state.withLock { world in
            world.calls.append(name)
            return world
        }
    }

    static func profile(_ address: String) -> SocialV2FriendProfile {
        .with {
            $0.address = address
            $0.name = "Name of \(address)"
            $0.profilePictureURL = "https://example.test/\(address).png"
        }
    }

    private static func page(_ all: [String], _ page: SocialV2Pagination, _ most: Int32) -> ArraySlice<String> {
        all.dropFirst(Int(page.offset)).prefix(Int(min(page.limit, most)))
    }

    // MARK: Lists

    private var lists: [RPCProcedure] {
        [
            RPCProcedure(
                "GetFriends",
                .unary { [self] call in
                    let world = noted("GetFriends")
                    let page = try SocialV2GetFriendsPayload(serializedBytes: call.payload).pagination
                    return try SocialV2PaginatedFriendsProfilesResponse.with { answer in
                        answer.paginationData.page = 1
                        guard !world.failingLists.contains("GetFriends") else { return }
                        answer.paginationData.total = Int32(world.friends.count)
                        answer.friends = PlayedProduction.page(world.friends, page, 1000)
                            .filter { !world.withoutProfile.contains($0) }.map(PlayedProduction.profile)
                    }.serializedBytes()
                }),
            requests("GetPendingFriendshipRequests", \.incoming), requests("GetSentFriendshipRequests", \.outgoing),
            RPCProcedure(
                "GetBlockedUsers",
                .unary { [self] call in
                    let world = noted("GetBlockedUsers")
                    let page = try SocialV2GetBlockedUsersPayload(serializedBytes: call.payload).pagination
                    return try SocialV2GetBlockedUsersResponse.with { answer in
                        guard !world.failingLists.contains("GetBlockedUsers") else { return }
                        answer.paginationData.total = Int32(world.blocked.count)
                        answer.profiles = PlayedProduction.page(world.blocked, page, 200).map { address in
                            .with {
                                $0.address = address
                                $0.name = "Blocked"
                            }
                        }
                    }.serializedBytes()
                }),
            RPCProcedure(
                "GetBlockingStatus",
                .unary { [self] _ in
                    let world = noted("GetBlockingStatus")
                    let isFailing = world.failingLists.contains("GetBlockingStatus")
                    return try SocialV2GetBlockingStatusResponse.with {
                        $0.blockedUsers = isFailing ? [] : world.blocked
                    }
                    .serializedBytes()
                }),
            RPCProcedure(
                "GetFriendshipStatus",
                .unary { [self] call in
                    let world = noted("GetFriendshipStatus")
                    let other = try SocialV2GetFriendshipStatusPayload(serializedBytes: call.payload).user.address
                    return try SocialV2GetFriendshipStatusResponse.with { answer in
                        if world.isStatusFailing { return answer.internalServerError = .init() }
                        if world.unspeakable.contains(other) { return answer.invalidRequest = .init() }
                        if world.unheardOf.contains(other) {
                            return answer.accepted.status = .UNRECOGNIZED(77)
                        }
                        answer.accepted.status = world.status(of: other)
                    }.serializedBytes()
                }),
        ]
    }

    private func requests(_ name: String, _ list: KeyPath<World, [String]> & Sendable) -> RPCProcedure {
        RPCProcedure(
            name,
            .unary { [self] call in
                let world = noted(name)
                let page = try SocialV2GetFriendshipRequestsPayload(serializedBytes: call.payload).pagination
                return try SocialV2PaginatedFriendshipRequestsResponse.with { answer in
                    if world.failingLists.contains(name) { return answer.internalServerError.message = "no database" }
                    answer.paginationData.total = Int32(world[keyPath: list].count)
                    answer.requests.requests = PlayedProduction.page(world[keyPath: list], page, 200).map { address in
                        .with {
                            $0.friend = PlayedProduction.profile(address)
                            $0.createdAt = 1_700_000_000_123
                            $0.message = "hello"
                        }
                    }
                }.serializedBytes()
            })
    }

    // MARK: Acts

    private var acts: [RPCProcedure] {
        [
            RPCProcedure(
                "UpsertFriendship",
                .unary { [self] call in
                    let payload = try SocialV2UpsertFriendshipPayload(serializedBytes: call.payload)
                    let answer = state.withLock { world in
                        world.acts.append(payload)
                        return world.answer
                    }
                    return try SocialV2UpsertFriendshipResponse.with {
                        $0.response = answer ?? .accepted(.with { $0.createdAt = 1_700_000_000_123 })
                    }.serializedBytes()
                }),
            RPCProcedure(
                "BlockUser",
                .unary { [self] call in
                    let other = try SocialV2BlockUserPayload(serializedBytes: call.payload).user.address
                    change { $0.blocked.append(other) }
                    return try SocialV2BlockUserResponse.with { $0.ok = .init() }.serializedBytes()
                }),
            RPCProcedure(
                "UnblockUser",
                .unary { [self] call in
                    let other = try SocialV2UnblockUserPayload(serializedBytes: call.payload).user.address
                    guard world.blocked.contains(other) else {
                        return try SocialV2UnblockUserResponse.with { $0.profileNotFound = .init() }.serializedBytes()
                    }
                    change { $0.blocked.removeAll { $0 == other } }
                    return try SocialV2UnblockUserResponse.with { $0.ok = .init() }.serializedBytes()
                }),
        ]
    }

    // MARK: Subscriptions

    private var subscriptions: [RPCProcedure] {
        [
            subscription("SubscribeToFriendConnectivityUpdates") { world in
                if world.endsSubscriptions {
                    return [
                        SocialV2FriendConnectivityUpdate.with {
                            $0.streamClosed.reason = .streamClosedDuplicateSubscription
                        }
                    ]
                }
                return world.online.map { address in .with { $0.friend = PlayedProduction.profile(address) } }
            }, subscription("SubscribeToFriendshipUpdates") { _ in [SocialV2FriendshipUpdate]() },
            subscription("SubscribeToBlockUpdates") { _ in [SocialV2BlockUpdate]() },
        ]
    }

    private func subscription<Update: SwiftProtobuf.Message>(
        _ name: String, _ first: @escaping @Sendable (World) -> [Update]
    ) -> RPCProcedure {
        RPCProcedure(
            name,
            .serverStream { [self] _ in
                // As the real one, which begins when the first element is asked for.
                Deferred { push in
                    let world = self.noted(name)
                    for element in first(world) {
                        if let bytes: Data = try? element.serializedBytes() { push.yield(bytes) }
                    }
                    if world.endsSubscriptions { return push.finish() }
                    self.pushes.withLock { $0[name, default: []].append(push) }
                }
            })
    }

    // MARK: Nonsense

    private static let unary = [
        "GetFriends", "GetPendingFriendshipRequests", "GetSentFriendshipRequests", "GetBlockedUsers",
        "GetBlockingStatus", "GetFriendshipStatus", "UpsertFriendship", "BlockUser", "UnblockUser",
    ]
    private static let streams = [
        "SubscribeToFriendConnectivityUpdates", "SubscribeToFriendshipUpdates", "SubscribeToBlockUpdates",
    ]

    private static func garbage(_ make: @escaping @Sendable () -> Data) -> [RPCProcedure] {
        unary.map { RPCProcedure($0, .unary { _ in make() }) }
            + streams.map { name in
                RPCProcedure(
                    name,
                    .serverStream { _ in
                        AsyncThrowingStream<Data, any Error> { push in
                            for _ in 0..<50 { push.yield(make()) }
                            push.finish()
                        }
                    })
            }
    }
}

/// A stream that begins when somebody iterates over it.
private struct Deferred: AsyncSequence, Sendable {
    typealias Elements = AsyncThrowingStream<Data, any Error>

    private let begin: @Sendable (Elements.Continuation) -> Void

    init(_ begin: @escaping @Sendable (Elements.Continuation) -> Void) { self.begin = begin }

    func makeAsyncIterator() -> Elements.AsyncIterator { Elements { begin($0) }.makeAsyncIterator() }
}

extension PlayedProduction.World {
    func status(of other: String) -> SocialV2FriendshipStatus {
        if friends.contains(other) { return .accepted }
        if blocked.contains(other) { return .none }
        if incoming.contains(other) { return .requestReceived }
        return outgoing.contains(other) ? .requestSent : .deleted
    }
}
