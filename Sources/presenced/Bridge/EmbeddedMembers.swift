import BridgeEngine
import PresenceModel
import SocialBridge
import SocialEngine
import Synchronization

/// Who takes part in the bridge to the embedded service, for whoever shows in Matrix who is there. Its engine is there
/// only later: whoever is asked about before takes no part.
final class EmbeddedMembers: Sendable {
    private let runtime = Mutex<BridgeRuntime?>(nil)

    func ask(_ runtime: BridgeRuntime) { self.runtime.withLock { $0 = runtime } }

    /// What the user lets the bridge show of them at that address; `nil`: they take no part.
    func privacy(of user: UserID, at address: SocialAddress) async -> SocialPrivacy? {
        guard let runtime = runtime.withLock({ $0 }) else { return nil }
        return await runtime.read { engine, _ in engine.view(of: user).privacy(at: address) }
    }
}

extension MemberView {
    /// Whoever hides through the bridge hides at every address; else the choice is about the one that is linked.
    func privacy(at address: SocialAddress) -> SocialPrivacy? {
        guard participates else { return nil }
        return privacy == .hidden || link?.address == address ? privacy : nil
    }
}

/// The bridge's rows, overheard on their way to the disk: whose links and choices are others than they were.
struct OverheardRows: BridgeJournal {
    let journal: any BridgeJournal
    /// Is told of an address that somebody was linked with or is now, and of that which a user's name is. Returns at once.
    let hear: @Sendable (SocialAddress) -> Void

    func write(_ records: [BridgeEngine.Record]) async throws {
        for record in records {
            switch record {
            case .person(let user, _): tell(of: user)
            case .link(let link, _):
                tell(of: link.user)
                hear(link.address)
            case .beats, .shown, .ghost, .pair: break
            }
        }
        try await journal.write(records)
    }

    private func tell(of user: UserID) {
        if let address = try? SocialAddress(parsing: user.text) { hear(address) }
    }
}
