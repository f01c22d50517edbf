import Synchronization

/// Asks for another reading of all friendships while they are followed: see ``SocialClient/follow(rereading:_:)``.
public final class RereadBell: Sendable {
    private struct State {
        var isRung = false
        var end: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// A bell for one user.
    public init() {}

    /// The subscription that goes on is ended; another one begins, with a reading.
    public func ring() {
        let end = state.withLock { state in
            state.isRung = true
            return state.end
        }
        end?()
    }

    /// What is subscribed to from now on begins with a reading that is fresh enough.
    public func clear() { state.withLock { $0 = State() } }

    /// Rung since it was cleared.
    public var isRung: Bool { state.withLock { $0.isRung } }

    /// - Parameter end: what is to be done when it rings; at once, if it did since it was cleared.
    public func whenRung(_ end: @escaping @Sendable () -> Void) {
        let isRung = state.withLock { state in
            state.end = end
            return state.isRung
        }
        if isRung { end() }
    }
}
