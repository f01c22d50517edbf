import BridgeEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialEngine

/// Matrix as presenced itself has it: local users are as its own engine has them, friends are shown as devices of type
/// `world` of linked users, or of ghosts, and friendships stand in its presence lists. Decision 31.
public final class PresencedSide: MatrixSide {
    /// What the side goes by.
    public struct Configuration: Hashable, Sendable {
        /// The device that shows somebody of the social side. Of two bridges each needs one of its own.
        public var device = "org.presenced.bridge"
        /// Linked users are shown in the world. Not where whoever runs the world shows them already.
        public var showsWorld = true

        /// The defaults above.
        public init() {}
    }

    private let server: ServerName
    private let presence: PresenceRuntime
    private let news: LocalUserNews
    private let lists: FriendLists
    private let ghosts: GhostOrders
    private let orders = MatrixOrders()
    private let device: DeviceID
    private let type: DeviceType
    private let showsWorld: Bool

    /// - Parameters:
    ///   - presence: tells `watch`, of views too (``PresenceEngine/Configuration/tellsLocalViews``).
    ///   - ghosts: makes accounts for ghosts where accounts are.
    ///   - ghostRule: how ghosts are called.
    /// - Throws: ``IdentifierError`` for a device that is none.
    public init(
        presence: PresenceRuntime, watch: LocalUserWatch, ghosts: any GhostMaking, ghostRule: GhostRule,
        configuration: Configuration = Configuration()
    ) throws(IdentifierError) {
        server = ghostRule.server
        self.presence = presence
        self.ghosts = GhostOrders(making: ghosts)
        news = watch.follow()
        lists = FriendLists(presence: presence, news: news, group: try GroupName(parsing: "friends"), ghosts: ghostRule)
        device = try DeviceID(parsing: configuration.device)
        type = try DeviceType(parsing: "world")
        showsWorld = configuration.showsWorld
    }

    /// As ``MatrixSide``.
    public func carryOut(_ order: MatrixOrder) { orders.add(order) }

    /// As ``MatrixSide``.
    public func run(telling ears: any BridgeEars) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.tellNews(to: ears) }
            group.addTask { await self.work(telling: ears) }
            group.addTask { [presence, ghosts] in
                await ghosts.run(telling: ears) { await presence.introduceGhost($0) }
            }
        }
    }

    // MARK: How local users are

    private func tellNews(to ears: any BridgeEars) async {
        for (user, view) in await presence.read({ engine, _ in engine.localViews }) {
            await ears.hear(BridgeEngine.Event(user, view))
        }
        for await _ in news.wakes {
            let batch = news.take()
            for (user, view) in batch.views { await ears.hear(BridgeEngine.Event(user, view)) }
            await lists.review(batch, telling: ears)
        }
    }

    /// Whoever begins to be bridged was told of when nobody cared. Among the news, so that it stays in its order.
    private func tellAnew(_ user: UserID) async {
        await presence.read { [news] engine, _ in
            if let view = engine.localView(of: user) { news.note(user, view) }
        }
    }

    // MARK: What is ordered

    private func work(telling ears: any BridgeEars) async {
        for await _ in orders.wakes {
            var showings: [PresenceEngine.Event] = []
            for order in orders.take() {
                if case .present(let user, let showing, let guise) = order {
                    guard user.isHosted(by: server), guise == .ghost || showsWorld else { continue }
                    showings.append(event(showing, of: user))
                    continue
                }
                await show(&showings)
                switch order {
                case .present: break
                case .makeGhost(let user, let address): ghosts.add(user, for: address)
                case .readList(let user):
                    await tellAnew(user)
                    await lists.read(user, telling: ears)
                case .editList(let user, let action, let other):
                    await lists.edit(user, action, towards: other, telling: ears)
                }
            }
            await show(&showings)
        }
    }

    /// Many at once: each way to the runtime costs.
    private func show(_ events: inout [PresenceEngine.Event]) async {
        guard !events.isEmpty else { return }
        let all = events
        events = []
        await presence.submit { _, _ in (all, ()) }
    }

    private func event(_ showing: Showing, of user: UserID) -> PresenceEngine.Event {
        let key = DeviceKey(user: user, device: device)
        return switch showing {
        case .visible(.offline, _), .offline: .deviceRevoked(key)
        case .unknown: .deviceLost(key)
        case .visible(let state, let text):
            .deviceShown(
                key,
                DeviceShowing(
                    type: type, use: state == .unavailable ? .idle : .inUse,
                    text: text.flatMap(StatusText.truncating)))
        }
    }
}

extension PresenceRuntime {
    /// There is such a user, whom nobody may see before they let themselves be seen, whatever others' policy is.
    func introduceGhost(_ user: UserID) {
        submit(.presence(.userKnown(user)))
        submit(.presence(.listPolicyChosen(user, .ask)))
    }
}

extension BridgeEngine.Event {
    /// What the engine of users says of one, as the bridge hears it.
    init(_ user: UserID, _ view: LocalView) {
        self =
            switch view {
            case .closed: .userGone(user)
            case .hidden: .matrixReported(user, .hidden)
            case .visible(.offline, _, _): .matrixReported(user, .visible(.offline, statusText: nil, .devices))
            case .visible(let state, let text, .devices):
                .matrixReported(user, .visible(state, statusText: text, .devices))
            case .visible(let state, let text, .world):
                .matrixReported(user, .visible(state, statusText: text, .worldAlone))
            // It could be the bridge's own doing of before.
            case .visible(_, _, .memory): .matrixReported(user, .unknown)
            }
    }
}
