import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialEngine
import SocialService
import Synchronization

/// The presence runtime's journal, overheard: who chooses in Matrix to be hidden or offline is so to friends in the
/// social service too.
///
/// Every choice passes here on its way to the disk, whatever made it. A choice that was not acted upon when presenced
/// ended is made good when the user comes into the social service again.
final class ConcealmentWatch: Journal {
    private let journal: any Journal
    /// The latest choice of each user that was not acted upon yet.
    private let choices = Mutex<[SocialAddress: Bool]>([:])
    private let wakes: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    /// - Parameter journal: takes everything.
    init(_ journal: any Journal) {
        self.journal = journal
        (wakes, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func append(_ records: [PresenceInstance.Record]) {
        journal.append(records)
        for case .presence(.status(let user, let status)) in records {
            guard let address = try? SocialAddress(parsing: user.text) else { continue }
            let effective = status.override?.state ?? status.chosen
            choices.withLock { $0[address] = effective.isConcealing }
            wakeUp.yield()
        }
    }

    func settle() async throws { try await journal.settle() }

    /// Acts upon choices, until it is cancelled.
    func run(for social: SocialRuntime) async {
        for await _ in wakes {
            let made = choices.withLock { choices in
                defer { choices = [:] }
                return choices.sorted { $0.key < $1.key }
            }
            for (user, isConcealed) in made { await social.setConcealment(of: user, to: isConcealed) }
        }
    }
}
