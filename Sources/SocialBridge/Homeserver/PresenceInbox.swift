import HomeserverLink
import MatrixWire
import PresenceModel
import Synchronization

/// Several that hear the same: one for each side that works with the homeserver.
public struct PresenceInboxes: PresenceHearing {
    private let all: [PresenceInbox]

    /// Each is told everything.
    public init(_ all: [PresenceInbox]) { self.all = all }

    /// As ``PresenceHearing``.
    public func hear(_ presences: [PresencePush]) { for inbox in all { inbox.hear(presences) } }
}

/// What the homeserver told of its users' presence and was not looked at yet: of each user the latest.
public final class PresenceInbox: PresenceHearing {
    /// Past this many users at once, what is told of others is left out until some were looked at.
    public static let usersLimit = 100_000

    private struct State {
        var latest: [UserID: Presence] = [:]
        /// In the order in which each was heard of first.
        var order: [UserID] = []
        var leftOut = 0
    }

    private let server: ServerName
    private let state = Mutex(State())
    /// One for whatever was told since the last look.
    let wakes: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    /// - Parameter server: users of others are not kept.
    public init(server: ServerName) {
        self.server = server
        (wakes, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// How often a user was left out, since the start.
    public var leftOut: Int { state.withLock { $0.leftOut } }

    /// As ``PresenceHearing``.
    public func hear(_ presences: [PresencePush]) {
        state.withLock { state in
            for push in presences where push.user.isHosted(by: server) {
                let presence = Presence(state: push.state, statusText: push.statusText)
                if state.latest[push.user] == nil {
                    guard state.order.count < PresenceInbox.usersLimit else {
                        state.leftOut += 1
                        continue
                    }
                    state.order.append(push.user)
                }
                state.latest[push.user] = presence
            }
        }
        wakeUp.yield()
    }

    func take() -> [(user: UserID, presence: Presence)] {
        state.withLock { state in
            defer {
                state.latest = [:]
                state.order = []
            }
            return state.order.compactMap { user in state.latest[user].map { (user, $0) } }
        }
    }
}
