import PresenceRuntime

/// Decides what the one writer writes next, and who has waited for it: group commit as a value.
///
/// Rows gather while a transaction runs; all who wait for any of them share the next one. The writer is called when
/// someone waits or the write-behind time is over, and goes on until neither holds.
struct CommitQueue<Waiter: Sendable>: Sendable {
    /// Rows of one transaction, and who waits for it.
    struct Group: Sendable {
        var rows = PendingRows()
        var waiters: [Waiter] = []
    }

    enum Joining: Hashable {
        /// Everything appended before is on disk.
        case settled
        /// The waiter is told by ``CommitQueue/finish(failed:)``.
        case waits(callsWriter: Bool)
        /// Rows came after the store was closed; they are lost.
        case closed
    }

    struct Finish: Sendable {
        var waiters: [Waiter]
        /// Nobody asks for the rows that were put back: the write-behind must.
        var armsWriteBehind: Bool
    }

    private enum Writer: Sendable {
        case resting
        /// Called, or between two transactions: it will take what there is.
        case called
        /// Legal next state: called.
        case writing(Group)
    }

    private var gathering = Group()
    private var writer = Writer.resting
    private var isWriteBehindArmed = false
    /// The write-behind time is over for rows that nobody waits for.
    private var isOverdue = false
    private(set) var isClosed = false
    private var rowsRefused = 0

    /// Rows not on disk yet, those being written included.
    var pendingRows: Int {
        guard case .writing(let group) = writer else { return gathering.rows.count }
        return gathering.rows.count + group.rows.count
    }

    /// Takes rows in.
    /// - Returns: whether the write-behind has to be armed: ``writeBehindElapsed()`` must follow in due time.
    mutating func append(_ records: [PresenceInstance.Record]) -> Bool {
        guard !isClosed else {
            rowsRefused += records.count
            return false
        }
        gathering.rows.append(records)
        return armWriteBehind()
    }

    /// Waits for everything appended so far.
    mutating func join(_ waiter: Waiter) -> Joining {
        guard gathering.rows.isEmpty else {
            gathering.waiters.append(waiter)
            return .waits(callsWriter: call())
        }
        if case .writing(var group) = writer {
            group.waiters.append(waiter)
            writer = .writing(group)
            return .waits(callsWriter: false)
        }
        return rowsRefused > 0 ? .closed : .settled
    }

    /// The write-behind time is over. An early, late or doubled call does no harm.
    /// - Returns: whether the writer has to be called.
    mutating func writeBehindElapsed() -> Bool {
        isWriteBehindArmed = false
        guard !gathering.rows.isEmpty else { return false }
        isOverdue = true
        return call()
    }

    /// What the writer writes next, in one transaction; `nil`: it rests, until it is called.
    mutating func take() -> PendingRows? {
        guard case .called = writer, !gathering.rows.isEmpty, isOverdue || !gathering.waiters.isEmpty else {
            writer = .resting
            return nil
        }
        let group = gathering
        gathering = Group()
        isOverdue = false
        writer = .writing(group)
        return group.rows
    }

    /// The transaction of ``take()`` ended; if it failed, its rows are pending again.
    mutating func finish(failed: Bool) -> Finish {
        guard case .writing(let group) = writer else { preconditionFailure("nothing was being written: \(writer)") }
        writer = .called
        guard failed else { return Finish(waiters: group.waiters, armsWriteBehind: false) }
        gathering.rows.putBack(group.rows)
        return Finish(waiters: group.waiters, armsWriteBehind: armWriteBehind())
    }

    /// Takes no rows any more, unless some are not on disk yet.
    mutating func close() -> Bool {
        guard pendingRows == 0 else { return false }
        isClosed = true
        return true
    }

    private mutating func armWriteBehind() -> Bool {
        guard !isWriteBehindArmed, !gathering.rows.isEmpty else { return false }
        isWriteBehindArmed = true
        return true
    }

    private mutating func call() -> Bool {
        guard case .resting = writer else { return false }
        writer = .called
        return true
    }
}
