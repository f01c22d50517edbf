import PresenceModel
import Synchronization

/// A clock that goes from one instant to the next at every look, and stays at the last.
final class Steps: Sendable {
    private let instants: Mutex<[Instant]>

    init(_ instants: [Instant]) { self.instants = Mutex(instants) }

    var next: Instant { instants.withLock { $0.count > 1 ? $0.removeFirst() : $0.first ?? .epoch } }
}
