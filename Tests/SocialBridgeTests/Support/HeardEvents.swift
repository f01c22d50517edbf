import BridgeEngine
import PresenceModel
import SocialBridge
import SocialEngine
import Synchronization

/// Keeps what it hears, in the order in which it came.
final class HeardEvents: BridgeEars {
    private let events = Mutex<[BridgeEngine.Event]>([])

    func hear(_ event: BridgeEngine.Event) async { events.withLock { $0.append(event) } }

    var all: [BridgeEngine.Event] { events.withLock { $0 } }

    /// What was heard of that user, each as one word.
    func words(of name: String) -> [String] { all.compactMap { HeardEvents.word($0, name) } }

    /// How many users have a session, and read their friendships in it, by what was heard.
    var openCount: Int {
        events.withLock { events in
            var open: Set<SocialAddress> = []
            for event in events {
                if case .friendshipsRead(_, let address) = event { open.insert(address) }
                if case .sessionLost(let address) = event { open.remove(address) }
            }
            return open.count
        }
    }

    private static func word(_ event: BridgeEngine.Event, _ name: String) -> String? {
        switch event {
        case .sessionOpened(let address) where address.text == name: "opened"
        case .sessionLost(let address) where address.text == name: "lost"
        case .snapshotReported(let sightings, let observer) where observer.text == name: "snapshot \(list(sightings))"
        case .socialReported(let sightings, let observer) where observer.text == name: "changed \(list(sightings))"
        case .friendshipsRead(let reading, let observer) where observer.text == name: word(reading)
        case .friendshipReported(let news, let observer) where observer.text == name:
            "\(news.isOwn ? ">" : "<")\(verb(news.body)) \(news.other)"
        case .actAnswered(let actor, let action, let other) where actor.text == name: "did \(verb(action)) \(other)"
        case .actRefused(let actor, let action, let other, let refusal) where actor.text == name:
            "refused \(verb(action)) \(other) \(refusal)"
        case .actFailed(let actor, let action, let other) where actor.text == name: "failed \(verb(action)) \(other)"
        default: nil
        }
    }

    private static func list(_ sightings: [FriendSighting]) -> String {
        sightings.map { "\($0.friend):\($0.state)" + ($0.whereabouts?.parcel.map { "@\($0.x),\($0.y)" } ?? "") }
            .joined(separator: " ")
    }

    private static func word(_ reading: FriendshipReading) -> String {
        let parts = [
            reading.friends.map(\.text), reading.outgoing.map { ">\($0.other)" },
            reading.incoming.map { "<\($0.other)" },
            reading.blocked.map { "-\($0)" },
        ]
        return "read \(parts.flatMap(\.self).joined(separator: " "))"
    }

    private static func verb(_ body: FriendshipNews.Body) -> String {
        if case .acted(let action, _) = body { verb(action) } else { "room" }
    }

    private static func verb(_ action: FriendshipAction) -> String {
        if case .request = action { "request" } else { "\(action)" }
    }
}

/// A social side at work, and what it told.
final class RunningSide: Sendable {
    let heard = HeardEvents()
    private let side: any SocialSide
    private let running: Task<Void, Never>

    init(_ side: any SocialSide) {
        self.side = side
        running = Task { [heard] in await side.run(telling: heard) }
    }

    func order(_ orders: SocialOrder...) { for order in orders { side.carryOut(order) } }

    /// Opens sessions for users of those names.
    func open(_ names: String...) throws {
        for name in names { side.carryOut(.openSession(try address(name), for: try user(name))) }
    }

    var report: SocialSideReport { get async { await side.report() } }

    func stop() async {
        running.cancel()
        await running.value
    }

    /// Whether exactly this was heard of the user, within the deadline.
    func hears(_ words: [String], of name: String) async -> Bool { await comes { self.heard.words(of: name) == words } }
}

/// Credentials that a test hands out.
final class HandedCredentials: SessionCredentials {
    private struct State {
        var given: [UserID: [SessionCredential]] = [:]
        var refused: [UserID] = []
        var asked = 0
        var listeners: [AsyncStream<UserID>.Continuation] = []
    }

    private let state = Mutex(State())
    private let makesTokens: Bool

    /// - Parameter makesTokens: who has nothing has `token-NAME`, until it is refused.
    init(makesTokens: Bool = true) { self.makesTokens = makesTokens }

    var refused: [UserID] { state.withLock { $0.refused } }

    var asked: Int { state.withLock { $0.asked } }

    func give(_ credential: SessionCredential, to user: UserID) {
        let listeners = state.withLock { state in
            state.given[user, default: []].append(credential)
            return state.listeners
        }
        for listener in listeners { listener.yield(user) }
    }

    func credential(of user: UserID, at address: SocialAddress) async throws(CredentialTrouble) -> SessionCredential {
        let found = state.withLock { state -> Result<SessionCredential, CredentialTrouble> in
            state.asked += 1
            if let first = state.given[user]?.first { return .success(first) }
            if makesTokens, !state.refused.contains(user) { return .success(.token("token-\(address.text)")) }
            return .failure(state.refused.contains(user) ? .expired : .none)
        }
        return try found.get()
    }

    func refused(_ credential: SessionCredential, of user: UserID) async {
        state.withLock { state in
            state.refused.append(user)
            if state.given[user]?.isEmpty == false { state.given[user]?.removeFirst() }
        }
    }

    func changes() -> AsyncStream<UserID> {
        let (stream, listener) = AsyncStream.makeStream(of: UserID.self)
        state.withLock { $0.listeners.append(listener) }
        return stream
    }
}
