import BridgeEngine
import HomeserverLink
import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialEngine

/// Matrix as a homeserver has it whose own presence is on: it tells the application service how users are, and is told of
/// friends in the name of linked users and ghosts. Friendships stand in presenced's own presence lists. Decision 31.
public final class HomeserverSide: MatrixSide {
    /// Times and bounds.
    public struct Configuration: Hashable, Sendable {
        /// Questions and words to the homeserver at once; what comes on top waits.
        public var inFlight = 8
        /// What stands is put again after this: a homeserver takes it for gone after a minute.
        public var standsFor: Duration = .seconds(45)
        /// For so long after that it is tried again without a word where the homeserver does not answer; together less than
        /// that minute.
        public var standsGrace: Duration = .seconds(15)
        /// How a user is who could not be asked for is asked for again after this.
        public var lookAgain: Duration = .seconds(30)
        /// How long after one question how a linked user is the next one follows, the last of them for ever: what a
        /// homeserver tells while it takes us for gone is lost, and after a start it does for a moment. Never empty.
        public var looksAfter: [Duration] = [.seconds(15), .minutes(2), .minutes(5)]
        /// How users are is unknown when the homeserver did not answer for so long.
        public var unknownAfter: Duration = .minutes(2)
        /// How often it is looked whose turn that is.
        public var reviewEvery: Duration = .seconds(5)
        /// Nothing is said for so long after the homeserver did not answer; doubled each time, up to ``pauseLimit``.
        public var pauseFirst: Duration = .seconds(1)
        /// The longest pause, also where the homeserver asks for a longer one.
        public var pauseLimit: Duration = .seconds(60)
        /// How often the clock is looked at.
        public var tick: Duration = .seconds(1)

        /// The defaults above.
        public init() {}
    }

    /// Counts since the start.
    public struct Tally: Hashable, Sendable {
        /// States that the homeserver took.
        public var puts = 0
        /// Questions and words that it did not answer, or refused.
        public var failures = 0

        /// Nothing happened yet.
        public init() {}
    }

    private let server: ServerName
    private let presence: PresenceRuntime
    private let inbox: PresenceInbox
    private let news: LocalUserNews
    private let lists: FriendLists
    private let ghosts: GhostOrders
    private let ghostRule: GhostRule
    private let orders = MatrixOrders()
    private let presenter: HomeserverPresenter
    private let showsWorld: Bool

    /// - Parameters:
    ///   - presence: has the lists, and tells `watch`.
    ///   - inbox: what the application service hears of presence.
    ///   - showsWorld: see ``PresencedSide/Configuration/showsWorld``.
    /// - Throws: ``IdentifierError``, which does not happen.
    public init(
        presence: PresenceRuntime, watch: LocalUserWatch, inbox: PresenceInbox, users: ApplicationServiceUsers,
        ghosts: any GhostMaking, ghostRule: GhostRule, showsWorld: Bool, clock: any PresenceClock,
        configuration: Configuration = Configuration()
    ) throws(IdentifierError) {
        self.server = ghostRule.server
        self.presence = presence
        self.inbox = inbox
        self.ghosts = GhostOrders(making: ghosts)
        self.ghostRule = ghostRule
        self.showsWorld = showsWorld
        news = watch.follow()
        lists = FriendLists(presence: presence, news: news, group: try GroupName(parsing: "friends"), ghosts: ghostRule)
        presenter = HomeserverPresenter(users: users, clock: clock, configuration: configuration)
    }

    /// Counts since the start.
    public var tally: Tally { get async { await presenter.tally } }

    /// As ``MatrixSide``.
    public func carryOut(_ order: MatrixOrder) { orders.add(order) }

    /// As ``MatrixSide``.
    public func run(telling ears: any BridgeEars) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.tellPresence(to: ears) }
            group.addTask { await self.tellNews(to: ears) }
            group.addTask { await self.work(telling: ears) }
            group.addTask { [presenter] in await presenter.run(telling: ears) }
            group.addTask { [presence, ghosts] in
                await ghosts.run(telling: ears) { await presence.introduceGhost($0) }
            }
        }
    }

    private func tellPresence(to ears: any BridgeEars) async {
        for await _ in inbox.wakes {
            for (user, heard) in inbox.take() where ghostRule.address(of: user) == nil {
                if let view = await presenter.take(heard, of: user) { await ears.hear(.matrixReported(user, view)) }
            }
        }
    }

    private func take(_ view: LocalView, of user: UserID, telling ears: any BridgeEars) async {
        guard view != .closed else {
            await presenter.forget(user)
            return await ears.hear(.userGone(user))
        }
        if let view = await presenter.hide(user, view == .hidden) { await ears.hear(.matrixReported(user, view)) }
    }

    /// How users are is the homeserver's to say; that somebody is hidden or their account was closed, and lists, are
    /// ours.
    private func tellNews(to ears: any BridgeEars) async {
        for await _ in news.wakes {
            let batch = news.take()
            for (user, view) in batch.views { await take(view, of: user, telling: ears) }
            await lists.review(batch, telling: ears)
        }
    }

    private func work(telling ears: any BridgeEars) async {
        for await _ in orders.wakes {
            for order in orders.take() {
                switch order {
                case .present(let user, let showing, let guise):
                    guard user.isHosted(by: server), guise == .ghost || showsWorld else { continue }
                    await presenter.present(user, showing, isGhost: guise == .ghost)
                case .makeGhost(let user, let address): ghosts.add(user, for: address)
                case .readList(let user):
                    await presenter.look(at: user)
                    await lists.read(user, telling: ears)
                case .editList(let user, let action, let other):
                    await lists.edit(user, action, towards: other, telling: ears)
                }
            }
        }
    }
}
