import PresenceModel
import PresenceRuntime
import SocialEngine
import SocialService
import Synchronization

/// Users of Matrix who are in the social service: there, they have one more device, of type `world`.
///
/// The user of an address `NAME` is `@NAME:server`, if the server has one. The device is connected while the user is in
/// the social service, and gone at once when they left; it is in use while the user moves. Who is hidden in the social
/// service has none: what friends there must not see must not show in Matrix either. Decision 27.
actor LinkedUsers {
    /// Users who are looked up at once; others wait.
    private static let lookUpsAtOnce = 16

    private struct Visit {
        var key: DeviceKey
        var whereabouts: Whereabouts?
    }

    private let server: ServerName
    private let presence: PresenceRuntime
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

    /// - Parameter isUser: whether there is such a user of Matrix here; asked once for each visit.
    init(server: ServerName, presence: PresenceRuntime, isUser: @escaping @Sendable (UserID) async -> Bool) {
        self.server = server
        self.presence = presence
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
    func moved(_ user: SocialAddress, to whereabouts: Whereabouts) async {
        guard var visit = visits[user], visit.whereabouts != whereabouts else { return }
        let isFirst = visit.whereabouts == nil
        visit.whereabouts = whereabouts
        visits[user] = visit
        if !isFirst { await presence.submit(.presence(.deviceActed(visit.key))) }
    }

    private func follow(_ address: SocialAddress, _ isThere: Bool?, _ social: SocialRuntime) async {
        if isThere == true { there.insert(address) }
        if isThere == false { there.remove(address) }
        guard there.contains(address), await social.privacy(of: address) != .hidden else {
            return await end(address)
        }
        guard visits[address] == nil, let device = LinkedUsers.device, let world = LinkedUsers.world,
            let user = user(of: address), await exists(user)
        else { return }
        opening[address] = []
        defer { for waiter in opening.removeValue(forKey: address) ?? [] { waiter.resume() } }
        // They may have chosen otherwise while they were looked up.
        guard await social.privacy(of: address) != .hidden else { return }
        let key = DeviceKey(user: user, device: device)
        visits[address] = Visit(key: key)
        _ = await presence.openSync(on: key, .online)
        await presence.submit(.presence(.deviceReported(key, DeviceReport(idleness: .active, type: world))))
    }

    private func exists(_ user: UserID) async -> Bool {
        if await presence.read({ engine, _ in engine.isKnownHere(user) }) { return true }
        return await isUser(user)
    }

    private func end(_ address: SocialAddress) async {
        guard let visit = visits.removeValue(forKey: address) else { return }
        // Ends what holds the device, too.
        await presence.submit(.presence(.deviceRevoked(visit.key)))
    }
}
