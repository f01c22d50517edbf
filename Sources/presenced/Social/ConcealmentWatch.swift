import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialEngine
import SocialService
import Synchronization

/// The presence runtime's journal, overheard: who chooses in Matrix to be hidden or offline is so to friends in the
/// social service too.
///
/// Every choice passes here on its way to the disk, whatever made it. Only changes are acted upon: a user is saved for
/// many reasons, and another process may have heard a choice that this one did not. What was chosen while the social
/// service was off, or not acted upon when presenced ended, is made good at the start. Decision 27.
final class ConcealmentWatch: Journal {
    private struct State {
        /// Whom everybody sees offline, by their latest choice here.
        var concealing: Set<UserID> = []
        /// The latest change of each user that was not acted upon yet.
        var changes: [SocialAddress: Bool] = [:]
    }

    private let journal: any Journal
    private let state: Mutex<State>
    private let wakes: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - journal: takes everything.
    ///   - statuses: what was saved; users of other servers are skipped.
    init(_ journal: any Journal, of server: ServerName, from statuses: [(user: UserID, status: StoredStatus)]) {
        self.journal = journal
        let concealing = statuses.lazy.filter { $0.user.server == server && $0.status.isConcealing }.map(\.user)
        state = Mutex(State(concealing: Set(concealing)))
        (wakes, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func append(_ records: [PresenceInstance.Record]) {
        journal.append(records)
        for case .presence(.status(let user, let status)) in records { note(user, status.isConcealing) }
    }

    func settle() async throws { try await journal.settle() }

    private func note(_ user: UserID, _ isConcealing: Bool) {
        let isNew = state.withLock { state in
            guard state.concealing.contains(user) != isConcealing else { return false }
            if isConcealing { state.concealing.insert(user) } else { state.concealing.remove(user) }
            guard let address = try? SocialAddress(parsing: user.text) else { return false }
            state.changes[address] = isConcealing
            return true
        }
        if isNew { wakeUp.yield() }
    }

    /// Makes good what the social service does not know, before anybody can see anybody.
    ///
    /// - Parameters:
    ///   - saved: what was saved of the social service's users.
    ///   - isAlone: no other process has the population; else whoever is concealed may have chosen so there.
    func start(with social: SocialRuntime, from saved: SocialEngine.Snapshot, isAlone: Bool) async {
        var concealed = Set(saved.settings.lazy.filter(\.settings.isConcealed).map(\.user))
        let concealing = state.withLock { $0.concealing }
        for address in Set(concealing.compactMap { try? SocialAddress(parsing: $0.text) }).sorted() {
            if concealed.remove(address) == nil { await social.setConcealment(of: address, to: true) }
        }
        guard isAlone else { return }
        for address in concealed.sorted() { await social.setConcealment(of: address, to: false) }
    }

    /// Acts upon changes, until it is cancelled.
    func run(for social: SocialRuntime) async {
        for await _ in wakes {
            let changes = state.withLock { state in
                defer { state.changes = [:] }
                return state.changes.sorted { $0.key < $1.key }
            }
            for (user, isConcealed) in changes { await social.setConcealment(of: user, to: isConcealed) }
        }
    }
}

extension StoredStatus {
    /// What the user chose last, or insists on, is to be offline to others.
    fileprivate var isConcealing: Bool { (override?.state ?? chosen).isConcealing }
}

extension ChosenState {
    /// Who chose it is offline to others.
    fileprivate var isConcealing: Bool { self == .hidden || self == .offline }
}
