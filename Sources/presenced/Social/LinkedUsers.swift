import BridgeEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialEngine
import SocialService
import Synchronization

/// Users of Matrix who are in the social service: there, they have one more device, of type `world`.
///
/// The user of an address `NAME` is `@NAME:server`, if the server has one. The device is connected while the user is in
/// the social service, and gone at once when they left; it is in use while the user moves. Who is hidden in the social
/// service has none: what friends there must not see must not show in Matrix either.
///
/// Its text says where they are, of those alone who let the bridge show them, as far as they let it and friends there may
/// know; who takes part in the bridge and is hidden through it has no device either. Coming, going and hiding show at
/// once, moves only so often. Decisions 27 and 31.
actor LinkedUsers {
    /// Users who are looked up at once; others wait.
    private static let lookUpsAtOnce = 16
    /// How often a user's moves show at most, unless it is said otherwise.
    static let showPause: Duration = .seconds(10)

    private struct Visit {
        var key: DeviceKey
        /// The latest, shown or not.
        var whereabouts: Whereabouts?
        /// When something was shown last.
        var shownAt: ContinuousClock.Instant
        /// The latest look at what is to be shown: an earlier one that took longer says nothing any more.
        var look = 0
        /// They moved since, and wait for their turn among ``moving``.
        var isMoving = false
    }

    private let server: ServerName
    private let presence: PresenceRuntime
    private let textForm: BridgeEngine.Configuration.TextForm
    private let showPause: Duration
    private let bridged: @Sendable (UserID, SocialAddress) async -> SocialPrivacy?
    private let isUser: @Sendable (UserID) async -> Bool
    private var visits: [SocialAddress: Visit] = [:]
    /// Users who are in the social service, linked or not.
    private var there: Set<SocialAddress> = []
    /// Users whose visit is being opened, and who waits for that.
    private var opening: [SocialAddress: [CheckedContinuation<Void, Never>]] = [:]
    private var looks = 0
    /// Who moved since they were shown last, in the order of that; some are gone meanwhile.
    private var moving: [SocialAddress] = []
    private nonisolated let moves: AsyncStream<Void>
    private nonisolated let noteMove: AsyncStream<Void>.Continuation
    /// The latest word on each user that was not acted upon yet; `nil`: only to be looked at again.
    private nonisolated let notes = Mutex<[SocialAddress: Bool?]>([:])
    private nonisolated let wakes: AsyncStream<Void>
    private nonisolated let wakeUp: AsyncStream<Void>.Continuation

    private static let device = try? DeviceID(parsing: "org.presenced.social")
    private static let world = try? DeviceType(parsing: "world")

    /// - Parameters:
    ///   - textForm: what whereabouts become in Matrix.
    ///   - showPause: how often a user's moves show at most.
    ///   - bridged: what a user who takes part in the bridge lets it show of them at that address; `nil`: they do not take
    ///     part.
    ///   - isUser: whether there is such a user of Matrix here; asked once for each visit.
    init(
        server: ServerName, presence: PresenceRuntime, textForm: BridgeEngine.Configuration.TextForm,
        showPause: Duration = LinkedUsers.showPause,
        bridged: @escaping @Sendable (UserID, SocialAddress) async -> SocialPrivacy?,
        isUser: @escaping @Sendable (UserID) async -> Bool
    ) {
        self.server = server
        self.presence = presence
        self.textForm = textForm
        self.showPause = showPause
        self.bridged = bridged
        self.isUser = isUser
        (moves, noteMove) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        (wakes, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// The user is in the social service, or is not any more. Returns at once.
    nonisolated func note(_ user: SocialAddress, isThere: Bool) {
        notes.withLock { _ = $0.updateValue(isThere, forKey: user) }
        wakeUp.yield()
    }

    /// The user chose to be shown otherwise. Returns at once.
    nonisolated func reconsider(_ user: SocialAddress) {
        notes.withLock { notes in
            if notes[user] == nil { notes.updateValue(nil, forKey: user) }
        }
        wakeUp.yield()
    }

    /// The user chose to be hidden, and that is so already: when it returns, nothing shows in Matrix, nor will.
    func hide(_ user: SocialAddress) async {
        if opening[user] != nil { await withCheckedContinuation { opening[user]?.append($0) } }
        await end(user)
    }

    /// The user of Matrix who has that address, whether there is one or not.
    nonisolated func user(of address: SocialAddress) -> UserID? {
        try? UserID(parsing: "@\(address.text):\(server)")
    }

    /// Acts upon what is noted, and shows who moved, until it is cancelled.
    func run(with social: SocialRuntime) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.followNotes(social) }
            group.addTask { await self.followMoves(social) }
        }
    }

    private func followNotes(_ social: SocialRuntime) async {
        for await _ in wakes {
            let noted = notes.withLock { notes in
                defer { notes = [:] }
                return notes.sorted { $0.key < $1.key }
            }
            await withTaskGroup(of: Void.self) { group in
                for (place, (user, isThere)) in noted.enumerated() {
                    if place >= LinkedUsers.lookUpsAtOnce { await group.next() }
                    group.addTask { await self.follow(user, isThere, social) }
                }
            }
        }
    }

    private func follow(_ address: SocialAddress, _ isThere: Bool?, _ social: SocialRuntime) async {
        if isThere == true { there.insert(address) }
        if isThere == false { there.remove(address) }
        guard there.contains(address), let user = user(of: address), let device = LinkedUsers.device,
            await privacy(of: user, address, social) != .hidden
        else { return await end(address) }
        guard visits[address] == nil else { return await show(address, social) }
        guard await exists(user) else { return }
        opening[address] = []
        defer { for waiter in opening.removeValue(forKey: address) ?? [] { waiter.resume() } }
        // They may have chosen otherwise while they were looked up.
        guard await privacy(of: user, address, social) != .hidden else { return }
        // The heartbeat that brought them here said so before there was a visit.
        let whereabouts = await social.read { engine, _ in engine.whereabouts(of: address) }
        visits[address] = Visit(
            key: DeviceKey(user: user, device: device), whereabouts: whereabouts, shownAt: ContinuousClock.now)
        await show(address, social)
    }

    private func exists(_ user: UserID) async -> Bool {
        if await presence.read({ engine, _ in engine.isKnownHere(user) }) { return true }
        return await isUser(user)
    }

    private func end(_ address: SocialAddress) async {
        guard let visit = visits.removeValue(forKey: address) else { return }
        await presence.submit(.presence(.deviceRevoked(visit.key)))
    }

    // MARK: Where they are

    /// A heartbeat said where the user is. Who is elsewhere than before does something.
    func moved(_ user: SocialAddress, to whereabouts: Whereabouts, in social: SocialRuntime) async {
        guard let visit = visits[user], visit.whereabouts != whereabouts else { return }
        visits[user]?.whereabouts = whereabouts
        guard !visit.isMoving else { return }
        guard visit.shownAt.duration(to: .now) < showPause else { return await show(user, social) }
        visits[user]?.isMoving = true
        moving.append(user)
        noteMove.yield()
    }

    /// Looks a few times in ``showPause`` who may be shown again, while there is anybody.
    private func followMoves(_ social: SocialRuntime) async {
        for await _ in moves {
            while !moving.isEmpty {
                do { try await Task.sleep(for: showPause / 10) } catch { return }
                let now = ContinuousClock.now
                let due = moving.filter { isDue($0, at: now) }
                moving.removeAll { isDue($0, at: now) }
                for user in due where visits[user]?.isMoving ?? false { await show(user, social) }
            }
        }
    }

    /// Who is gone is, too: nothing waits for them.
    private func isDue(_ user: SocialAddress, at now: ContinuousClock.Instant) -> Bool {
        visits[user].map { $0.shownAt.duration(to: now) >= showPause } ?? true
    }

    /// What the visit is to show, now.
    private func show(_ address: SocialAddress, _ social: SocialRuntime) async {
        guard let user = visits[address]?.key.user, let world = LinkedUsers.world else { return }
        looks += 1
        let look = looks
        visits[address]?.look = look
        visits[address]?.shownAt = .now
        visits[address]?.isMoving = false
        let (friends, bridge) = (await social.privacy(of: address), await bridged(user, address))
        // Whoever looked later shows what holds now.
        guard let visit = visits[address], visit.look == look else { return }
        guard friends != .hidden, bridge != .hidden else { return await end(address) }
        let whereabouts = friends == .full && bridge == .full ? visit.whereabouts : nil
        let text = whereabouts.flatMap(textForm.text(of:)).flatMap(StatusText.truncating)
        await presence.submit(
            .presence(.deviceShown(visit.key, DeviceShowing(type: world, use: .usedNow, text: text))))
    }

    private func privacy(of user: UserID, _ address: SocialAddress, _ social: SocialRuntime) async -> SocialPrivacy {
        let privacy = await social.privacy(of: address)
        guard privacy != .hidden, await bridged(user, address) == .hidden else { return privacy }
        return .hidden
    }
}
