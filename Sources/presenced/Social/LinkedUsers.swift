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
/// the social service, and gone at once when they left; it is in use while the user moves, and its text says where they
/// are, as far as friends there may know. Who is hidden in the social service has none: what friends there must not see
/// must not show in Matrix either. Decisions 27 and 31.
actor LinkedUsers {
    /// Users who are looked up at once; others wait.
    private static let lookUpsAtOnce = 16

    private struct Visit {
        var key: DeviceKey
        var whereabouts: Whereabouts?
    }

    private let server: ServerName
    private let presence: PresenceRuntime
    private let textForm: BridgeEngine.Configuration.TextForm
    private let isUser: @Sendable (UserID) async -> Bool
    private var visits: [SocialAddress: Visit] = [:]
    /// Users who are in the social service, linked or not.
    private var there: Set<SocialAddress> = []
    /// Users whose visit is being opened, and who waits for that.
    private var opening: [SocialAddress: [CheckedContinuation<Void, Never>]] = [:]
    /// The latest word on each user that was not acted upon yet; `nil`: only to be looked at again.
    private nonisolated let notes = Mutex<[SocialAddress: Bool?]>([:])
    private nonisolated let wakes: AsyncStream<Void>
    private nonisolated let wakeUp: AsyncStream<Void>.Continuation

    private static let device = try? DeviceID(parsing: "org.presenced.social")
    private static let world = try? DeviceType(parsing: "world")

    /// - Parameters:
    ///   - textForm: what whereabouts become in Matrix.
    ///   - isUser: whether there is such a user of Matrix here; asked once for each visit.
    init(
        server: ServerName, presence: PresenceRuntime, textForm: BridgeEngine.Configuration.TextForm,
        isUser: @escaping @Sendable (UserID) async -> Bool
    ) {
        self.server = server
        self.presence = presence
        self.textForm = textForm
        self.isUser = isUser
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

    /// Acts upon what is noted, until it is cancelled.
    func run(with social: SocialRuntime) async {
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

    /// A heartbeat said where the user is. Who is elsewhere than before does something.
    func moved(_ user: SocialAddress, to whereabouts: Whereabouts, in social: SocialRuntime) async {
        guard visits[user].map({ $0.whereabouts != whereabouts }) ?? false else { return }
        visits[user]?.whereabouts = whereabouts
        let privacy = await social.privacy(of: user)
        await show(user, privacy)
    }

    /// What the visit is to show, now.
    private func show(_ address: SocialAddress, _ privacy: SocialPrivacy) async {
        guard let visit = visits[address], privacy != .hidden, let world = LinkedUsers.world else { return }
        let whereabouts = privacy == .full ? visit.whereabouts : nil
        let text = whereabouts.flatMap(textForm.text(of:)).flatMap(StatusText.truncating)
        await presence.submit(
            .presence(.deviceShown(visit.key, DeviceShowing(type: world, use: .usedNow, text: text))))
    }

    private func follow(_ address: SocialAddress, _ isThere: Bool?, _ social: SocialRuntime) async {
        if isThere == true { there.insert(address) }
        if isThere == false { there.remove(address) }
        let privacy = await social.privacy(of: address)
        guard there.contains(address), privacy != .hidden else { return await end(address) }
        guard visits[address] == nil else { return await show(address, privacy) }
        guard let device = LinkedUsers.device, let user = user(of: address), await exists(user) else { return }
        opening[address] = []
        defer { for waiter in opening.removeValue(forKey: address) ?? [] { waiter.resume() } }
        // They may have chosen otherwise while they were looked up.
        let privacyNow = await social.privacy(of: address)
        guard privacyNow != .hidden else { return }
        visits[address] = Visit(key: DeviceKey(user: user, device: device))
        await show(address, privacyNow)
    }

    private func exists(_ user: UserID) async -> Bool {
        if await presence.read({ engine, _ in engine.isKnownHere(user) }) { return true }
        return await isUser(user)
    }

    private func end(_ address: SocialAddress) async {
        guard let visit = visits.removeValue(forKey: address) else { return }
        await presence.submit(.presence(.deviceRevoked(visit.key)))
    }
}
